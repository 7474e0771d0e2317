// The runtime inside dist/jobctl: Bun's own program, patched to ignore the environment and leave
// limits alone, and without unused texts.
import { chmodSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { blankTexts } from "./compile/runtime_texts.mjs";
import { ROOT } from "./tasks.mjs";

const ELF = Buffer.from("\x7fELF", "latin1");

/**
 * Environment variables that Bun and its engine obey: they load code before ours
 * (`BUN_OPTIONS=--preload=…`), turn the file into another program (`BUN_BE_BUN`), write files, or
 * open a debugger. No switch turns them off.
 */
const VARIABLE = /^(?:BUN_(?!FFI_|PLUGIN_NAME$)[A-Z][A-Z0-9_]*|JSC_\w+)$/;
/** If these are missing, the patch no longer works: check it again for this version of Bun. */
const VARIABLES_WANTED = [
  "BUN_OPTIONS",
  "BUN_BE_BUN",
  "BUN_INSPECT",
  "BUN_INSPECT_CONNECT_TO",
  "BUN_INSPECT_PRELOAD",
  "BUN_BYTECODE_ORDER_OUT",
  "JSC_functionOverrides",
];
/** Bun for Windows writes no order of bytecode. */
const VARIABLES_WINDOWS = VARIABLES_WANTED.filter((name) => name !== "BUN_BYTECODE_ORDER_OUT");

/** Path of the program of the installed package `bun`. */
export function installedRuntime() {
  return realpathSync(join(ROOT, "node_modules", ".bin", "bun"));
}

/**
 * Write a copy of Bun's program to `path` for `bun build --compile-executable-path`.
 *
 * On systems other than Linux, Bun still raises the limit of open files at its start.
 *
 * @param from the program, for any system
 * @throws Error if the program differs from the expected one
 */
export function copyRuntime(path, from) {
  const program = readFileSync(from);
  const isElf = program.subarray(0, ELF.length).equals(ELF);
  const isWindows = program.toString("latin1", 0, 2) === "MZ";
  forgetVariables(program, isWindows ? VARIABLES_WINDOWS : VARIABLES_WANTED);
  if (isElf) {
    forgetPrefix(program);
    keepLimits(program);
  }
  blankTexts(program);
  writeFileSync(path, program);
  chmodSync(path, 0o755);
  return path;
}

/**
 * Zero-terminated strings are passed to getenv(), and an empty name is never found. Only the first
 * byte is cleared: other strings may share the rest.
 */
function forgetVariables(program, wantedNames) {
  const missing = new Set(wantedNames);
  for (const prefix of ["BUN_", "JSC_"]) {
    const wanted = Buffer.from(`\0${prefix}`, "latin1");
    for (let at = program.indexOf(wanted); at >= 0; at = program.indexOf(wanted, at + 1)) {
      const name = program.toString("latin1", at + 1, program.indexOf(0, at + 1));
      if (!VARIABLE.test(name)) continue;
      program[at + 1] = 0;
      missing.delete(name);
    }
  }
  if (missing.size > 0) {
    throw new Error(`The runtime lacks ${[...missing].join(", ")}: see ${NAME}`);
  }
}

/**
 * `BUN_JSC_…` is compared letter by letter in code: `cmpb $'J', 4(%reg)`. A zero there only matches
 * the end of a string, which is not an option. On other processors than x86-64, our start refuses
 * these variables instead, as here.
 */
function forgetPrefix(program) {
  const isX64 = program.readUInt16LE(18) === 62;
  if (!isX64) return;
  const found = [];
  const letters = [..."BUN_JSC_"].map((letter) => letter.charCodeAt(0));
  // `cmpb $imm8, disp8(%reg)` with or without a prefix for the register; the first one has no
  // displacement.
  for (let at = program.indexOf(0x80); at >= 0; at = program.indexOf(0x80, at + 1)) {
    if (program[at + 2] !== 1 || program[at + 3] !== letters[1]) continue;
    const place = followLetters(program, at, letters);
    if (place !== null) found.push(place);
  }
  if (found.length !== 1) throw new Error(`The runtime looks for BUN_JSC_ otherwise: see ${NAME}`);
  program[found[0]] = 0;
}

/**
 * The position of the fifth letter of the prefix in the comparisons whose second letter is at `at`;
 * null for other code.
 */
function followLetters(program, at, letters) {
  let place = null;
  for (let index = 1, next = at; index < letters.length; index++) {
    // The next comparison follows a conditional jump, near or short.
    const from = next;
    while (!isComparison(program, next, index, letters[index])) {
      if (++next > from + 16) return null;
    }
    if (index === 4) place = next + 3;
    next += 4;
  }
  return place;
}

function isComparison(program, at, offset, letter) {
  return program[at] === 0x80 && (program[at + 1] & 0xf8) === 0x78 && program[at + 2] === offset &&
    program[at + 3] === letter;
}

/**
 * Bun raises the open-file soft limit at its start, losing its original value; the daemon raises it
 * itself. So the name that the linker looks up for setrlimit() is replaced by a function with the
 * same arguments that changes nothing.
 */
function keepLimits(program) {
  const name = Buffer.from("\0setrlimit\0", "latin1");
  let count = 0;
  // The name is in the tables of the dynamic linker and of debuggers.
  for (let at = program.indexOf(name); at >= 0; at = program.indexOf(name, at + 1)) {
    program.write("getrlimit", at + 1, "latin1");
    count += 1;
  }
  if (count === 0) throw new Error(`The runtime does not import setrlimit(): see ${NAME}`);
}

const NAME = "scripts/runtime_copy.mjs";

// Runs test files on Bun or Deno, with a line of progress for each. Plain Node 20.
import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync } from "node:fs";
import { constants, setPriority } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { environment, ROOT } from "../tasks.mjs";
import { needsOwnModule } from "./plan.mjs";
import { processorSeconds } from "./processor_time.mjs";
import { bunProgress, denoProgress } from "./progress.mjs";
import { readReport } from "./report.mjs";

/** Short-lived pipes of a process killed by SIGKILL. The next daemon removes old ones. */
const LEFT_BY_KILLED = /^jobctl-pipe-/;

/** Longest time of a test in milliseconds. Patient ones wait for the others. */
const TEST_MS_MAX = 120_000;
const PATIENT_TEST_MS_MAX = 1_200_000;
/** Time for which the output of an ended process is read, in milliseconds. */
const CLOSE_MS_MAX = 5_000;

/**
 * Tests run without the engine's last optimizer, which takes longer than it saves in some seconds,
 * and with one garbage collector thread: more would compete with other tests. The programs that
 * they start run as usual: forget_options.mjs removes the variables, because jobctl refuses to run
 * with them.
 */
const QUICKLY_COMPILED = { BUN_JSC_useFTLJIT: "0", BUN_JSC_numberOfGCMarkers: "1" };
const FORGET_OPTIONS = "./scripts/test/forget_options.mjs";

/** The arguments of `bun`. */
function bunArgs({ name, files, isPatient }, folder) {
  return [
    "test",
    `--preload=${FORGET_OPTIONS}`,
    `--timeout=${isPatient ? PATIENT_TEST_MS_MAX : TEST_MS_MAX}`,
    "--reporter=junit",
    `--reporter-outfile=${join(folder, `${name}.xml`)}`,
    ...files.map((file) => `./${file}`),
  ];
}

/** The arguments of `deno`. */
function denoArgs({ name, files }, folder) {
  const alone = files.filter(needsOwnModule);
  const together = files.filter((file) => !alone.includes(file));
  return [
    "test",
    "--allow-all",
    "--no-check",
    `--junit-path=${join(folder, `${name}.xml`)}`,
    ...(together.length > 0 ? ["./scripts/test/deno_files.mjs"] : []),
    ...alone.map((file) => `./${file}`),
    "--",
    ...together,
  ];
}

/**
 * Start a program and read its output by the line.
 *
 * @param options.isPatient true to yield to all others
 * @param options.onLine called with a line and the number of the process
 * @returns its exit code or signal
 */
function runLines(command, args, { env, isPatient, onLine }) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      env: environment(env),
      stdio: ["ignore", "pipe", "pipe"],
    });
    if (isPatient && child.pid !== undefined) {
      // The lowest priority: tests left for the end fill idle times.
      setPriority(child.pid, constants.priority.PRIORITY_LOW);
    }
    for (const input of [child.stdout, child.stderr]) {
      createInterface({ input, crlfDelay: Infinity }).on("line", (line) => onLine(line, child.pid));
    }
    child.on("error", (error) => onLine(`Cannot run "${command}": ${error.message}`));
    child.on("close", (code, signal) => resolve(signal ?? code ?? 1));
    // Leftovers of a failed test may hold the pipes for long.
    child.on("exit", (code, signal) => {
      setTimeout(() => resolve(signal ?? code ?? 1), CLOSE_MS_MAX).unref();
    });
  });
}

/** Duration of a file by the clock, and its processor time. */
export function spentText({ seconds, busySeconds }) {
  const columns = (number) => number.toFixed(1).padStart(6);
  const busy = busySeconds === null ? "" : `${columns(busySeconds)} s busy`;
  return `${columns(seconds)} s${busy}`;
}

function printEnded(runtime, one) {
  const { file, passed, failed, output } = one;
  const counts = failed === 0 ? `${passed} passed` : `${passed} passed, ${failed} FAILED`;
  console.log(`${runtime.padEnd(4)}${spentText(one)}  ${file}  ${counts}`);
  if (failed > 0) console.log(output.trim());
}

/**
 * Run files on a runtime, in parallel with others.
 *
 * @param run one of planOf()
 * @returns the number of passed tests, the failed ones, the files of these, and what else is wrong
 */
export async function runFiles(run, folder) {
  const { runtime, name, files } = run;
  const scratch = join(folder, name);
  mkdirSync(scratch);
  // Like in /tmp, jobs of other users write here.
  chmodSync(scratch, 0o1777);
  const ended = new Map();
  // Processor time of the process, at the end of the last file.
  let busyBefore = 0;
  let pid = 0;
  const progress = (runtime === "bun" ? bunProgress : denoProgress)((one) => {
    const busyUntil = processorSeconds(pid);
    // A process that ends meanwhile may be missed until the next time.
    const busySeconds = busyUntil === null ? null : Math.max(0, busyUntil - busyBefore);
    busyBefore = Math.max(busyUntil ?? 0, busyBefore);
    ended.set(one.file, { ...one, busySeconds });
    printEnded(runtime, ended.get(one.file));
  });
  const args = (runtime === "bun" ? bunArgs : denoArgs)(run, folder);
  const env = {
    TMPDIR: scratch,
    NO_COLOR: "1",
    ...(runtime === "bun" ? QUICKLY_COMPILED : {}),
  };
  const onLine = (line, process) => {
    pid = process;
    progress.line(line);
  };
  const code = await runLines(runtime, args, { env, isPatient: run.isPatient ?? false, onLine });
  const rest = progress.end().trim();
  const { passed, failed, seen } = readReport(join(folder, `${name}.xml`));
  if (rest !== "" && code !== 0) console.log(`\n${name}:\n${rest}`);
  const problems = [];
  // A failed test may leave its folder.
  const left = readdirSync(scratch).filter((one) => !LEFT_BY_KILLED.test(one));
  if (left.length > 0 && failed.length === 0) {
    problems.push(`${name}: left in the temporary folder: ${left.join(", ")}`);
  }
  // Bun continues without a file that fails to load, which only its output shows. Several files
  // without a report mean that nothing ran.
  const unseen = runtime === "bun" ? files.filter((file) => !seen.has(file)) : [];
  if (seen.size > 0 || files.length === 1) {
    problems.push(...unseen.map((file) => `${runtime}: ${file}: none of its tests ran, see above`));
  }
  if (code !== 0 && failed.length + problems.length === 0) {
    problems.push(`${name}: exited with ${code}, see above`);
  }
  const failedFiles = files.filter((file) =>
    ended.get(file)?.failed > 0 || failed.some((one) => one.file === file)
  );
  const slow = [...ended.values()].map(({ file, seconds, busySeconds }) => ({
    ...{ file: `${runtime} ${file}`, seconds, busySeconds },
  }));
  return { run, passed, failed, failedFiles, problems, slow };
}

import { Buffer } from "node:buffer";
import { readdirSync, readFileSync } from "node:fs";
import { lateLibc } from "./libc.ts";
import { restoreOpenFiles } from "./process_control.ts";

const F_SETFD = 2;
const FD_CLOEXEC = 1;
/** The first descriptor after stdin, stdout and stderr. */
const FIRST_OWN = 3;

const openLibc = lateLibc("execve", "fcntl");

/** True where {@link replaceProgram} works: under Bun on Linux with glibc. */
export function canReplaceProgram(): boolean {
  return openLibc() !== null;
}

/**
 * Run a program in place of this one, in the same process: its id, its parent, its children, and
 * its stdin, stdout and stderr stay. The program gets the arguments and the environment that this
 * process was started with. Everything else must have been closed before.
 *
 * @throws Error if the system refuses it; this process then continues
 */
export function replaceProgram(path: string): never {
  const libc = openLibc();
  if (libc === null) throw new Error("this runtime cannot replace its program");
  const { execve, fcntl } = libc.symbols;
  const strings = (file: string) => {
    const values = readFileSync(file, "latin1").split("\0").slice(0, -1);
    const held = values.map((value) => Buffer.from(`${value}\0`, "latin1"));
    const pointers = BigUint64Array.from([...held.map((one) => BigInt(libc.addressOf(one))), 0n]);
    return { held, pointers };
  };
  const args = strings("/proc/self/cmdline");
  const env = strings("/proc/self/environ");
  for (const name of readdirSync("/proc/self/fd")) {
    if (Number(name) >= FIRST_OWN) fcntl(Number(name), F_SETFD, FD_CLOEXEC);
  }
  restoreOpenFiles();
  const file = Buffer.from(`${path}\0`, "utf8");
  execve(file, args.pointers, env.pointers);
  // Only a failure returns. What the pointers lead to was held until here.
  const count = args.held.length + env.held.length;
  throw new Error(`the system refused to run "${path}" with ${count} arguments and variables`);
}

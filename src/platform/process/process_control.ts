import { Buffer } from "node:buffer";
import { readdirSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { readSystemFile } from "../files/read_file.ts";
import { type HandedOver, setCloseOnExec } from "../network/held_sockets.ts";
import { lazyLibc } from "../system/libc.ts";
import { selfCommand } from "../system/runtime.ts";
import { beginAnew, statOf } from "./process_identity.ts";

const PR_SET_PDEATHSIG = 1;
const PR_SET_CHILD_SUBREAPER = 36;
const RLIMIT_NOFILE = 7;
const WNOHANG = 1;

/** The first descriptor after stdin, stdout and stderr. */
const FIRST_OWN = 3;

const openLibc = lazyLibc("prctl", "getrlimit", "setrlimit", "waitpid", "syscall");
const openToReplace = lazyLibc("execve");

/**
 * Ask the kernel to signal this process when its parent dies; changing the user cancels that.
 *
 * SIGCONT wakes a stopped process, which then sees for itself that the parent is gone.
 *
 * @returns false where the C library cannot be called: then nothing was done
 */
export function signalAtParentDeath(signal: "SIGKILL" | "SIGCONT"): boolean {
  const libc = openLibc();
  libc?.symbols.prctl(PR_SET_PDEATHSIG, constants.signals[signal], 0, 0, 0);
  return libc !== null;
}

/** True if a process handles a signal itself; true where that cannot be read. */
export function handlesSignal(pid: number, signal: "SIGTERM"): boolean {
  const caught = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readSystemFile(`/proc/${pid}/status`) ?? "");
  if (caught === null) return true;
  return (BigInt(`0x${caught[1]}`) >> BigInt(constants.signals[signal] - 1) & 1n) === 1n;
}

/**
 * Make this process adopt every descendant whose parent ends, so that all stay findable; see
 * {@link OrphanReaper}. Does nothing where the C library cannot be called.
 */
export function adoptOrphans(): void {
  openLibc()?.symbols.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

/** The open-file soft limit that this process was started with; null while it is unchanged. */
let startedWith: number | null = null;

/**
 * Raise the open-file limit to its maximum. Does nothing where the C library cannot be called.
 * Other runtimes have raised it already, and so has Bun, except in the compiled file.
 */
export function raiseOpenFiles(): void {
  const limits = openFileLimits();
  if (limits === null) return;
  startedWith ??= Number(limits[0]);
  limits[0] = limits[1]!;
  openLibc()!.symbols.setrlimit(RLIMIT_NOFILE, limits);
}

/** Undo {@link raiseOpenFiles}. */
function restoreOpenFiles(): void {
  if (startedWith !== null) limitOpenFiles(startedWith);
}

/** Limit of this process's open files; null if unknown. */
export function openFilesMax(): number | null {
  const limits = openFileLimits();
  return limits === null ? null : Number(limits[0]);
}

/** The soft and the hard limit; null where the C library cannot be called. */
function openFileLimits(): BigUint64Array | null {
  const limits = new BigUint64Array(2);
  return openLibc()?.symbols.getrlimit(RLIMIT_NOFILE, limits) === 0 ? limits : null;
}

/** The open-file soft limit of children, not this process's raised one; null to inherit. */
export function openFilesOfChildren(): number | null {
  return startedWith;
}

/** Set the open-file soft limit, at most to the hard limit. Needs a callable C library. */
export function limitOpenFiles(soft: number): void {
  const limits = openFileLimits();
  if (limits === null) return;
  const wanted = BigInt(soft);
  limits[0] = wanted < limits[1]! ? wanted : limits[1]!;
  openLibc()!.symbols.setrlimit(RLIMIT_NOFILE, limits);
}

/** Run a function with another open-file soft limit, up to the hard limit; null keeps ours. */
export function withOpenFiles<T>(soft: number | null, action: () => T): T {
  const own = soft === null ? null : openFileLimits();
  if (own === null) return action();
  const { setrlimit } = openLibc()!.symbols;
  const wanted = BigInt(soft!);
  setrlimit(RLIMIT_NOFILE, BigUint64Array.of(wanted < own[1]! ? wanted : own[1]!, own[1]!));
  try {
    return action();
  } finally {
    setrlimit(RLIMIT_NOFILE, own);
  }
}

/** The limit of {@link openFilesOfChildren} in a process that starts another one's children. */
export function keepOpenFilesForChildren(soft: number): void {
  startedWith = soft;
}

/** True where {@link replaceProgram} works: under Bun on Linux with glibc. */
function canReplaceProgram(): boolean {
  return openToReplace() !== null;
}

/**
 * Run a program in place of this one, in the same process: its id, its parent, its children, and
 * its stdin, stdout and stderr stay. The program gets the arguments and the environment that this
 * process was started with, and the sockets that are handed over. Everything else must have been
 * closed before.
 *
 * @param handedOver null for no sockets
 * @throws Error if the system refuses it; this process then continues
 */
export function replaceProgram(path: string, handedOver: HandedOver | null): never {
  const libc = openToReplace();
  if (libc === null) throw new Error("this runtime cannot replace its program");
  const { execve } = libc.symbols;
  const { descriptors = [], env: variables = {} } = handedOver ?? {};
  const names = Object.keys(variables);
  const strings = (file: string, more: readonly string[]) => {
    const found = readFileSync(file, "latin1").split("\0").slice(0, -1);
    const values = [
      ...found.filter((one) => !names.some((name) => one.startsWith(`${name}=`))),
      ...more,
    ];
    const held = values.map((value) => Buffer.from(`${value}\0`, "latin1"));
    const pointers = BigUint64Array.from([...held.map((one) => BigInt(libc.addressOf(one))), 0n]);
    return { held, pointers };
  };
  const args = strings("/proc/self/cmdline", []);
  const env = strings(
    "/proc/self/environ",
    Object.entries(variables).map((one) => one.join("=")),
  );
  for (const name of readdirSync("/proc/self/fd")) {
    if (Number(name) >= FIRST_OWN) setCloseOnExec(Number(name), true);
  }
  for (const one of descriptors) setCloseOnExec(one, false);
  restoreOpenFiles();
  const file = Buffer.from(`${path}\0`, "utf8");
  execve(file, args.pointers, env.pointers);
  for (const one of descriptors) setCloseOnExec(one, true);
  // Only a failure returns. The targets of the pointers were held until here.
  const count = args.held.length + env.held.length;
  throw new Error(`the system refused to run "${path}" with ${count} arguments and variables`);
}

/** The program of this process. */
export interface OwnProgram {
  /** The command line that runs it again. */
  readonly argv: readonly string[];
  /** True where it can be replaced. */
  canBeReplaced(): boolean;
  replace(path: string, handedOver: HandedOver | null): void;
  /** Begin anew, as after a replacement: the earlier identity of this process is gone. */
  beginAnew(): void;
}

/** The program of this process. */
export const OWN_PROGRAM: OwnProgram = {
  get argv() {
    return [...selfCommand(), ...process.argv.slice(2)];
  },
  canBeReplaced: canReplaceProgram,
  replace: replaceProgram,
  beginAnew,
};

/** Number of the system call ioprio_set(), which the C library has no function for. */
const IOPRIO_SET: Readonly<Record<string, number>> = { x64: 251, arm64: 30 };
const IO_CLASSES = ["none", "realtime", "best-effort", "idle"];

/**
 * Take a priority for disks, such as "idle" or "best-effort:7"; children of this thread inherit it.
 *
 * @throws Error where the system refuses or lacks it
 */
export function setIoPriority(text: string): void {
  const [name = "", level = "4"] = text.split(":");
  const call = IOPRIO_SET[process.arch];
  const symbols = openLibc()?.symbols;
  if (call === undefined || symbols === undefined) throw new Error("not on this system");
  const value = IO_CLASSES.indexOf(name) * 2 ** 13 + (name === "idle" ? 0 : Number(level));
  // 1 means a process, 0 the caller.
  if (symbols.syscall(call, 1, 0, value) !== 0) throw new Error("the system refuses it");
}

/** True if {@link setIoPriority} works here: it needs Bun on Linux with glibc. */
export function hasIoPriority(): boolean {
  return IOPRIO_SET[process.arch] !== undefined && openLibc() !== null;
}

/** Interval between checks of adopted children. */
const REAP_EVERY_MS = 5_000;
/** The same while there are dead ones: each occupies a process number. */
const REAP_DEAD_MS = 1_000;
/** The same while the first process of a container has no children at all. */
const REAP_IDLE_MS = 30_000;
// The runtime's own timers: workers replace them, to track the timers of job code.
const later = setTimeout;
const soon = setImmediate;

/**
 * Reap dead children of this process that nobody else waits for. In the first process of a
 * container, these are all processes that lose their parent. In a process that replaced another
 * program, these are that program's children. Does nothing elsewhere, or where the C library cannot
 * be called.
 *
 * @returns a function that ends it
 */
export function reapForeign(): () => void {
  const inherited = ownChildren();
  const isInit = process.pid === 1;
  if (!isInit && inherited.length === 0) return () => {};
  let isOn = true;
  const isBusy = () => isOn && (isInit || inherited.some((pid) => statOf(pid) !== null));
  const reaper = new OrphanReaper(isBusy, REAP_EVERY_MS, REAP_IDLE_MS);
  reaper.start();
  return () => isOn = false;
}

/**
 * Reaps dead children that this process has adopted, as nobody else waits for them.
 *
 * A child is reaped only at the second check: the runtime reaps its own children within a turn of
 * its loop, and there is at least one between two checks, even late ones.
 */
export class OrphanReaper {
  readonly #isBusy: () => boolean;
  readonly #everyMs: number;
  readonly #idleMs: number;
  readonly #symbols = openLibc()?.symbols;
  #seen: ReadonlySet<number> = new Set();
  #hasChildren = true;
  #isWaiting = false;

  /**
   * @param isBusy true if there may be new ones
   * @param idleMs time between two checks while there are no children
   */
  constructor(
    isBusy: () => boolean,
    everyMs: number = REAP_EVERY_MS,
    idleMs: number = everyMs,
  ) {
    this.#isBusy = isBusy;
    this.#everyMs = everyMs;
    this.#idleMs = idleMs;
  }

  /** Check in a few seconds, and again while there are or may be any. */
  start(): void {
    if (this.#isWaiting || this.#symbols === undefined) return;
    this.#isWaiting = true;
    // After a turn of the loop that is not the timer's: if the loop was blocked since the last
    // check, the runtime has not seen yet which of its children have ended.
    const check = () => {
      this.#isWaiting = false;
      this.#look();
      if (this.#seen.size > 0 || this.#isBusy()) this.start();
    };
    later(() => soon(() => soon(check)), this.#delayMs).unref();
  }

  get #delayMs(): number {
    if (this.#seen.size > 0) return Math.min(this.#everyMs, REAP_DEAD_MS);
    return this.#hasChildren ? this.#everyMs : this.#idleMs;
  }

  #look(): void {
    const children = ownChildren();
    this.#hasChildren = children.length > 0;
    const dead = new Set(children.filter((pid) => statOf(pid)?.[0] === "Z"));
    for (const pid of dead) {
      if (this.#seen.has(pid)) this.#symbols?.waitpid(pid, null, WNOHANG);
    }
    this.#seen = dead;
  }
}

function ownChildren(): number[] {
  try {
    return readdirSync("/proc/self/task").flatMap((thread) =>
      readFileSync(`/proc/self/task/${thread}/children`, "latin1").split(" ").map(Number)
        .filter((pid) => pid > 1)
    );
  } catch {
    // A kernel that does not list children.
    return [];
  }
}

import { readdirSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { lateLibc } from "./libc.ts";

const PR_SET_PDEATHSIG = 1;
const PR_SET_CHILD_SUBREAPER = 36;
const RLIMIT_NOFILE = 7;
const WNOHANG = 1;

interface Symbols {
  prctl(option: number, value: number, a: number, b: number, c: number): number;
  getrlimit(resource: number, limits: BigUint64Array): number;
  setrlimit(resource: number, limits: BigUint64Array): number;
  waitpid(pid: number, status: null, options: number): number;
}

const openLibc = lateLibc<Symbols>({
  prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
  getrlimit: { args: ["i32", "ptr"], returns: "i32" },
  setrlimit: { args: ["i32", "ptr"], returns: "i32" },
  waitpid: { args: ["i32", "ptr", "i32"], returns: "i32" },
});

/**
 * Have the kernel send this process a signal when its parent dies; a change of user takes that away again. Does nothing where
 * the C library cannot be called.
 *
 * SIGCONT lets a process that was stopped go on and see for itself that the parent is gone.
 */
export function signalAtParentDeath(signal: "SIGKILL" | "SIGCONT"): void {
  openLibc()?.symbols.prctl(PR_SET_PDEATHSIG, constants.signals[signal], 0, 0, 0);
}

/**
 * Make this process the parent of every descendant whose own parent ends, so that none gets out of sight; see
 * {@link OrphanReaper}. Does nothing where the C library cannot be called.
 */
export function adoptOrphans(): void {
  openLibc()?.symbols.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

/** Soft limit of open files that this process was started with; null as long as it has that one. */
let startedWith: number | null = null;

/**
 * Raise the limit of open files as far as it goes. Does nothing where the C library cannot be called: other runtimes have raised
 * it, as Bun has unless it is the compiled file.
 */
export function raiseOpenFiles(): void {
  const limits = new BigUint64Array(2);
  const symbols = openLibc()?.symbols;
  if (symbols?.getrlimit(RLIMIT_NOFILE, limits) !== 0) return;
  const [soft, hard] = limits as unknown as [bigint, bigint];
  startedWith ??= Number(soft);
  limits[0] = hard;
  symbols.setrlimit(RLIMIT_NOFILE, limits);
}

/** How many files this process may have open; null when that is not known. */
export function openFilesMax(): number | null {
  const limits = new BigUint64Array(2);
  return openLibc()?.symbols.getrlimit(RLIMIT_NOFILE, limits) === 0 ? Number(limits[0]) : null;
}

/** Soft limit of open files for what this process begins, in place of the one that it took for itself; null for its own. */
export function openFilesOfChildren(): number | null {
  return startedWith;
}

/** Set the soft limit of open files, at most the hard one. Does nothing where the C library cannot be called. */
export function limitOpenFiles(soft: number): void {
  const limits = new BigUint64Array(2);
  const symbols = openLibc()?.symbols;
  if (symbols?.getrlimit(RLIMIT_NOFILE, limits) !== 0) return;
  const wanted = BigInt(soft);
  limits[0] = wanted < limits[1]! ? wanted : limits[1]!;
  symbols.setrlimit(RLIMIT_NOFILE, limits);
}

/** How often the adopted children are looked at. */
const REAP_EVERY_MS = 5_000;
// The runtime's own: job code may replace it, and a worker does, to see which timers job code begins.
const later = setTimeout;

/**
 * Clears away the dead among the adopted children of this process: nobody else waits for them.
 *
 * Only one that is still there at a second look is taken: the runtime waits for its own children, within a turn of its loop.
 */
export class OrphanReaper {
  readonly #isBusy: () => boolean;
  readonly #everyMs: number;
  readonly #symbols = openLibc()?.symbols;
  #seen: ReadonlySet<number> = new Set();
  #isWaiting = false;

  /** @param isBusy whether there may be new ones */
  constructor(isBusy: () => boolean, everyMs: number = REAP_EVERY_MS) {
    this.#isBusy = isBusy;
    this.#everyMs = everyMs;
  }

  /** Look after some seconds, and again as long as there are any or may be. */
  start(): void {
    if (this.#isWaiting || this.#symbols === undefined) return;
    this.#isWaiting = true;
    later(() => {
      this.#isWaiting = false;
      this.#look();
      if (this.#seen.size > 0 || this.#isBusy()) this.start();
    }, this.#everyMs).unref();
  }

  #look(): void {
    const dead = new Set(ownChildren().filter(isDead));
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

function isDead(pid: number): boolean {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    return text[text.lastIndexOf(")") + 2] === "Z";
  } catch {
    return false;
  }
}

import { readdirSync, readFileSync } from "node:fs";
import { HIDDEN_COMMANDS } from "../../src/platform/system/runtime.ts";

const SAMPLE_MS = 100;
const MB = 1_000_000;

function read(path: string): string | null {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return null;
  }
}

/**
 * Memory of a process in bytes, without the pages of its program: the kernel maps more or fewer of
 * these around those that are used, and takes them back when it likes.
 */
function memoryOf(pid: number): number {
  const status = read(`/proc/${pid}/status`) ?? "";
  const bytes = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0) * 1_024;
  return bytes("RssAnon") + bytes("RssShmem");
}

function childrenOf(pid: number): number[] {
  let threads: string[];
  try {
    threads = readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
  return threads.flatMap((thread) =>
    (read(`/proc/${pid}/task/${thread}/children`) ?? "").split(" ").filter(Boolean).map(Number)
  );
}

/** Whether a process executes jobs, so that its memory is the job's. */
function isWorker(pid: number): boolean {
  return (read(`/proc/${pid}/cmdline`) ?? "").split("\0").includes(HIDDEN_COMMANDS.worker);
}

/** Whether it runs the daemon's own file; its other children are jobs. */
function isOurs(pid: number): boolean {
  return (read(`/proc/${pid}/cmdline`) ?? "").split("\0", 1)[0]!.endsWith("/jobctl");
}

/** The daemon's processes, except workers and their children. */
function processesOf(pid: number): number[] {
  const below = childrenOf(pid).filter((child) => isOurs(child) && !isWorker(child));
  return [pid, ...below.flatMap(processesOf)];
}

/** A daemon's own memory in MB: the sum over its processes. */
export function daemonMegabytes(pid: number): number {
  return processesOf(pid).reduce((sum, one) => sum + memoryOf(one), 0) / MB;
}

/** Samples a daemon's memory continuously. */
export class MemoryWatch {
  readonly #pid: number;
  readonly #timer: ReturnType<typeof setInterval>;
  #peak = 0;

  constructor(pid: number) {
    this.#pid = pid;
    this.#timer = setInterval(() => void this.now(), SAMPLE_MS);
  }

  /** The peak, in MB. */
  get peak(): number {
    return this.#peak;
  }

  now(): number {
    const megabytes = daemonMegabytes(this.#pid);
    this.#peak = Math.max(this.#peak, megabytes);
    return megabytes;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

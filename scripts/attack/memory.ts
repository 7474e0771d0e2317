import { readdirSync, readFileSync } from "node:fs";
import { HIDDEN_COMMANDS } from "../../src/platform/process.ts";

const SAMPLE_MS = 100;
const MB = 1_000_000;

interface ProcessMemory {
  readonly own: number;
  readonly shared: number;
}

function read(path: string): string | null {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return null;
  }
}

function memoryOf(pid: number): ProcessMemory | null {
  const status = read(`/proc/${pid}/status`);
  if (status === null) return null;
  const bytes = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0) * 1_024;
  return { own: bytes("RssAnon") + bytes("RssShmem"), shared: bytes("RssFile") };
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

/** Whether a process executes jobs: what it takes is the job's. */
function isWorker(pid: number): boolean {
  return (read(`/proc/${pid}/cmdline`) ?? "").split("\0").includes(HIDDEN_COMMANDS.worker);
}

/** Whether it runs the daemon's own file; its other children are jobs. */
function isOurs(pid: number): boolean {
  return (read(`/proc/${pid}/cmdline`) ?? "").split("\0", 1)[0]!.endsWith("/jobctl");
}

/** The daemon's processes but its workers and what these run. */
function processesOf(pid: number): number[] {
  const below = childrenOf(pid).filter((child) => isOurs(child) && !isWorker(child));
  return [pid, ...below.flatMap(processesOf)];
}

/** What a daemon has in memory, in MB: the sum over its processes, with the program's own pages counted once. */
export function daemonMegabytes(pid: number): number {
  const found = processesOf(pid).map(memoryOf).filter((memory) => memory !== null);
  const own = found.reduce((sum, memory) => sum + memory.own, 0);
  return (own + Math.max(0, ...found.map(({ shared }) => shared))) / MB;
}

/** Looks at a daemon's memory all the time. */
export class MemoryWatch {
  readonly #pid: number;
  readonly #timer: ReturnType<typeof setInterval>;
  #peak = 0;

  constructor(pid: number) {
    this.#pid = pid;
    this.#timer = setInterval(() => void this.now(), SAMPLE_MS);
  }

  /** The most that was seen, in MB. */
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

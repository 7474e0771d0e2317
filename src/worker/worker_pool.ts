import type { JobDefinition } from "../core/job.ts";
import type { Clock } from "../platform/clock.ts";
import type { Logger } from "../platform/logger.ts";
import type { Random } from "../platform/random.ts";
import { LazyTimer } from "./lazy_timer.ts";
import { WorkerProcess, type WorkerProcessOptions } from "./worker_process.ts";

/**
 * Runs after which a worker is replaced, so that what job code leaks is bounded. A start costs as much as a thousand empty runs,
 * so with fewer the starts would cost more than the work.
 */
export const RUNS_MAX = 10_000;

/** What the pool makes its workers of. */
export interface WorkerPoolOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
  readonly count: number;
  readonly idleMs: number;
  readonly command: readonly string[];
  readonly onLate: WorkerProcessOptions["onLate"];
}

/**
 * Worker processes by key: those of one key may serve each other's runs. They start when wanted, the one used last is used
 * first, and the others end when idle for long, when surplus, or when their time is over.
 */
export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #token: string;
  readonly #workers = new Map<WorkerProcess, string>();
  /** The one used last is at the end. */
  readonly #idle: WorkerProcess[] = [];
  readonly #reaper: LazyTimer;
  #count: number;
  #started = 0;
  #onEmpty: (() => void) | null = null;
  #isStopped = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#count = options.count;
    this.#token = Buffer.from(options.random.bytes(16)).toString("hex");
    this.#reaper = new LazyTimer(options.clock, () => this.#reap());
  }

  get stats(): { readonly alive: number; readonly busy: number } {
    return { alive: this.#workers.size, busy: this.#workers.size - this.#idle.length };
  }

  /** A worker that can take a run of this job now; a new one when none is idle. */
  acquire(job: JobDefinition): WorkerProcess {
    const key = poolKey(job);
    for (let index = this.#idle.length - 1; index >= 0; index--) {
      const worker = this.#idle[index]!;
      if (this.#workers.get(worker) !== key) continue;
      this.#idle.splice(index, 1);
      if (isCurrent(worker, job)) return worker;
      // A module's earlier version stays in a worker's memory.
      worker.end();
    }
    // An idle worker of another key makes room.
    if (this.#workers.size >= this.#count) this.#idle.shift()?.end();
    return this.#spawn(key);
  }

  resize(count: number): void {
    this.#count = count;
    this.#trim();
  }

  /** The worker may be idle: it serves no more. */
  retire(worker: WorkerProcess): void {
    const index = this.#idle.indexOf(worker);
    if (index < 0) return;
    this.#idle.splice(index, 1);
    worker.end();
  }

  /** End all workers; resolves when the last process is gone. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#reaper.cancel();
    this.#idle.length = 0;
    for (const worker of this.#workers.keys()) worker.end();
    if (this.#workers.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
  }

  #spawn(key: string): WorkerProcess {
    this.#started += 1;
    const worker = new WorkerProcess({
      clock: this.#options.clock,
      id: `w${this.#started}`,
      command: this.#options.command,
      token: this.#token,
      onIdle: (idle) => this.#release(idle),
      onGone: (gone) => this.#forget(gone),
      onLate: this.#options.onLate,
    });
    this.#workers.set(worker, key);
    this.#options.logger.debug("worker started", { worker: worker.id });
    return worker;
  }

  #release(worker: WorkerProcess): void {
    if (this.#isStopped || worker.runs >= RUNS_MAX) return worker.end();
    const nowMs = this.#options.clock.now().monotonicMs;
    worker.idleSinceMs = nowMs;
    this.#idle.push(worker);
    this.#trim();
    if (this.#reaper.dueMs === null) this.#reaper.set(nowMs + this.#options.idleMs);
  }

  #trim(): void {
    let surplus = this.#workers.size - this.#count;
    while (surplus > 0 && this.#idle.length > 0) {
      this.#idle.shift()!.end();
      surplus -= 1;
    }
  }

  #reap(): void {
    const nowMs = this.#options.clock.now().monotonicMs;
    while (this.#idle[0] && this.#idle[0].idleSinceMs + this.#options.idleMs <= nowMs) {
      this.#idle.shift()!.end();
    }
    if (this.#idle[0]) this.#reaper.set(this.#idle[0].idleSinceMs + this.#options.idleMs);
  }

  #forget(worker: WorkerProcess): void {
    const index = this.#idle.indexOf(worker);
    if (index >= 0) this.#idle.splice(index, 1);
    this.#workers.delete(worker);
    this.#options.logger.debug("worker ended", { worker: worker.id, runs: worker.runs });
    if (this.#workers.size === 0) this.#onEmpty?.();
  }
}

// Commands have workers of their own: job code that printed may have left the descriptors non-blocking, which commands inherit.
function poolKey(job: JobDefinition): string {
  return job.source.type;
}

function isCurrent(worker: WorkerProcess, { source }: JobDefinition): boolean {
  if (!worker.isUsable) return false;
  if (source.type !== "module") return true;
  const version = worker.loaded.get(source.path);
  return version === undefined || version === source.version;
}

import { messageOf } from "../../core/errors.ts";
import type { JobDefinition, ProcessSpec } from "../../core/job/job.ts";
import type { SecretMask } from "../../core/text/secret_mask.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import type { Random } from "../../platform/random.ts";
import { usageOf } from "../../platform/process/descendants.ts";
import { createSharedMemory } from "../../platform/process/shared_memory.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import { TransferBudget } from "../output/transfer_budget.ts";
import { launchOf, poolKey, specOf, type WorkerEnvironment } from "./worker_launch.ts";
import { MEMORY_BYTES } from "../batching/batch_memory.ts";
import { KeptOutputs } from "../output/kept_outputs.ts";
import { WorkerProcess } from "./worker_process.ts";
import type { WorkerProcessOptions } from "./worker_process_options.ts";

/**
 * When a worker is replaced, so that what job code leaks is bounded. A start costs as much as a thousand empty runs, so after
 * fewer the starts would cost more than the work.
 */
export const RECYCLE_DEFAULTS = { runs: 10_000, memoryBytes: 512_000_000 };
/** How often the memory of a worker is looked at. */
const MEMORY_EVERY_MS = 250;
/** How long no spare worker is started after a failed start. */
const SPARE_RETRY_MS = 1_000;

/** What the pool makes its workers of. */
export interface WorkerPoolOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
  readonly count: number;
  /** How many more may run now than `count`. */
  readonly beside: () => number;
  readonly idleMs: number;
  /** Workers for modules that are kept ready. */
  readonly spare: number;
  readonly recycle: { readonly runs: number; readonly memoryBytes: number };
  readonly command: readonly string[];
  readonly mask: SecretMask;
  readonly environment: WorkerEnvironment;
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
  readonly #budgets: WorkerProcessOptions["budgets"];
  readonly #keptOutputs = new KeptOutputs();
  #count: number;
  #started = 0;
  #onEmpty: (() => void) | null = null;
  #isStopped = false;
  #isPreparing = false;
  #spareAfterMs = -Infinity;

  constructor(options: WorkerPoolOptions) {
    const { clock } = options;
    this.#budgets = { output: new TransferBudget(clock), answers: new TransferBudget(clock) };
    this.#options = options;
    this.#count = options.count;
    this.#token = Buffer.from(options.random.bytes(16)).toString("hex");
    this.#reaper = new LazyTimer(options.clock, () => this.#reap());
  }

  get stats(): { readonly alive: number; readonly busy: number } {
    return { alive: this.#workers.size, busy: this.#workers.size - this.#idle.length };
  }

  /**
   * A worker that can take a run of this job now; a new one when none is idle.
   *
   * @throws JobError when the job's user or group cannot be had
   */
  acquire(job: JobDefinition): WorkerProcess {
    const key = poolKey(job);
    for (let index = this.#idle.length - 1; index >= 0; index--) {
      const worker = this.#idle[index]!;
      if (this.#workers.get(worker) !== key || !worker.reuse.isFor(job)) continue;
      this.#idle.splice(index, 1);
      if (worker.isUsable && worker.isUpToDate(job)) return this.#taken(worker);
      // A module's earlier version stays in a worker's memory.
      worker.end();
    }
    // An idle worker of another key makes room.
    if (this.#workers.size >= this.#count + this.#options.beside()) this.#idle.shift()?.end();
    const { type } = job.source;
    return this.#taken(this.#spawn(key, { spec: specOf(job), isModule: type === "module" }));
  }

  /** Keep the spare workers ready, once this turn's work has got its own. */
  prepare(): void {
    if (this.#options.spare === 0 || this.#isPreparing) return;
    if (this.#options.clock.now().monotonicMs < this.#spareAfterMs) return;
    this.#isPreparing = true;
    this.#options.clock.defer(() => {
      this.#isPreparing = false;
      try {
        this.#prepareAll();
      } catch (error) {
        this.#options.logger.debug("cannot start a spare worker", { error: messageOf(error) });
      }
    });
  }

  #prepareAll(): void {
    while (!this.#isStopped && this.#workers.size < this.#count && this.#lacksSpare()) {
      const worker = this.#spawn(SPARE_KEY, { spec: null, isModule: true });
      worker.idleSinceMs = this.#options.clock.now().monotonicMs;
      this.#idle.unshift(worker);
    }
  }

  #lacksSpare(): boolean {
    const idle = this.#idle.filter((worker) => this.#workers.get(worker) === SPARE_KEY);
    return idle.length < this.#options.spare;
  }

  #taken(worker: WorkerProcess): WorkerProcess {
    this.prepare();
    return worker;
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
    this.#keptOutputs.closeAll();
    if (this.#workers.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
  }

  #spawn(
    key: string,
    kind: { readonly spec: ProcessSpec | null; readonly isModule: boolean },
  ): WorkerProcess {
    this.#started += 1;
    const familyMarker = `${this.#token}.${this.#started}`;
    const { command, environment } = this.#options;
    const launch = launchOf(kind, { command, environment, marker: familyMarker });
    const memory = kind.isModule ? createSharedMemory(MEMORY_BYTES) : null;
    let worker: WorkerProcess;
    try {
      worker = this.#start({ launch, memory, familyMarker });
    } catch (error) {
      memory?.free();
      this.#hasFailed();
      throw error;
    }
    this.#workers.set(worker, key);
    this.#options.logger.debug("worker started", { worker: worker.id });
    return worker;
  }

  #start(
    own: Pick<WorkerProcessOptions, "launch" | "memory" | "familyMarker">,
  ): WorkerProcess {
    return new WorkerProcess({
      ...own,
      clock: this.#options.clock,
      id: `w${this.#started}`,
      // Job code sees the marker in its environment and must not learn this from it.
      token: Buffer.from(this.#options.random.bytes(16)).toString("hex"),
      mask: this.#options.mask,
      budgets: this.#budgets,
      keptOutputs: this.#keptOutputs,
      onIdle: (idle) => this.#release(idle),
      onGone: (gone) => this.#forget(gone),
      onLate: this.#options.onLate,
    });
  }

  /** A worker could not be started: do not retry spare ones at once. */
  #hasFailed(): void {
    this.#spareAfterMs = this.#options.clock.now().monotonicMs + SPARE_RETRY_MS;
  }

  #release(worker: WorkerProcess): void {
    const nowMs = this.#options.clock.now().monotonicMs;
    if (this.#isStopped || this.#isWornOut(worker, nowMs)) return worker.end();
    worker.idleSinceMs = nowMs;
    this.#idle.push(worker);
    this.#trim();
    const endMs = this.#endMsOf(worker);
    const { dueMs } = this.#reaper;
    if (dueMs === null || endMs < dueMs) this.#reaper.set(endMs);
  }

  #isWornOut(worker: WorkerProcess, nowMs: number): boolean {
    const { runs, memoryBytes } = this.#options.recycle;
    if (worker.runs >= runs) return true;
    if (worker.reuse.endMs <= nowMs) return true;
    if (nowMs - worker.memorySeenMs < MEMORY_EVERY_MS) return false;
    worker.memorySeenMs = nowMs;
    return (worker.pid === null ? 0 : usageOf(worker.pid)?.rssBytes ?? 0) > memoryBytes;
  }

  #trim(): void {
    let surplus = this.#workers.size - this.#count - this.#options.beside();
    while (surplus > 0 && this.#idle.length > 0) {
      this.#idle.shift()!.end();
      surplus -= 1;
    }
  }

  /** When an idle worker is to end, if nothing comes. */
  #endMsOf({ idleSinceMs, reuse }: WorkerProcess): number {
    return Math.min(idleSinceMs + this.#options.idleMs, reuse.endMs);
  }

  #reap(): void {
    const nowMs = this.#options.clock.now().monotonicMs;
    let nextMs = Infinity;
    for (const worker of [...this.#idle]) {
      const endMs = this.#endMsOf(worker);
      if (endMs > nowMs) nextMs = Math.min(nextMs, endMs);
      else this.retire(worker);
    }
    this.#reaper.set(nextMs === Infinity ? null : nextMs);
    this.prepare();
  }

  #forget(worker: WorkerProcess): void {
    const index = this.#idle.indexOf(worker);
    if (index >= 0) this.#idle.splice(index, 1);
    this.#workers.delete(worker);
    if (worker.pid === null || !worker.hasStarted) this.#hasFailed();
    this.#options.logger.debug("worker ended", { worker: worker.id, runs: worker.runs });
    if (this.#workers.size === 0) this.#onEmpty?.();
    this.prepare();
  }
}

/** The pool of modules with nothing set. */
const SPARE_KEY = "module";

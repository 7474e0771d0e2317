import { messageOf } from "../../core/errors.ts";
import type { JobDefinition, ProcessSpec } from "../../core/job/job.ts";
import type { SecretMask } from "../../core/text/secret_mask.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import type { Random } from "../../platform/random.ts";
import { usageOf } from "../../platform/process/descendants.ts";
import { createSharedMemory } from "../../platform/process/shared_memory.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import type { Executor } from "../executor.ts";
import { TransferBudget } from "../output/transfer_budget.ts";
import { launchOf, PLAIN_KEY, poolKey, specOf, type WorkerEnvironment } from "./worker_launch.ts";
import { WorkerProcess, type WorkerProcessOptions } from "./worker_process.ts";

/** Interval between memory checks of a worker. */
const MEMORY_EVERY_MS = 250;
/** Pause after a failed start before the next spare worker is started. */
const SPARE_RETRY_MS = 1_000;

/** Settings for starting and keeping workers. */
export interface WorkerSettings {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly count: number;
  readonly idleMs: number;
  /** argv that runs this program, without the hidden subcommand; tests run a smaller one. */
  readonly command: readonly string[];
  readonly random: Random;
  /** Workers for modules that are kept ready. */
  readonly spare: number;
  /** Limits after which a worker is replaced, to bound memory leaks of job code. */
  readonly recycle: { readonly runs: number; readonly memoryBytes: number };
  readonly environment: WorkerEnvironment;
  /** Masks secrets in output, results and errors; secrets of running jobs are added to it. */
  readonly mask: SecretMask;
}

interface WorkerPoolOptions extends WorkerSettings {
  /** Number of workers beyond `count` that may run now. */
  readonly slotless: () => number;
  readonly onLate: WorkerProcessOptions["onLate"];
}

/**
 * Worker processes by key: workers with one key may run each other's jobs. They start on demand,
 * most recently used first. An idle one ends when it is old, surplus or worn out.
 */
export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #token: string;
  readonly #workers = new Map<WorkerProcess, string>();
  /** The one used last is at the end. */
  readonly #idle: WorkerProcess[] = [];
  readonly #reaper: LazyTimer;
  readonly #budgets: WorkerProcessOptions["budgets"];
  /** Most workers, excluding workers for slotless attempts. */
  count: number;
  #started = 0;
  #onEmpty: (() => void) | null = null;
  #isStopped = false;
  #isPreparing = false;
  #spareAfterMs = -Infinity;
  #failedStarts = 0;

  constructor(options: WorkerPoolOptions) {
    const { clock } = options;
    this.#budgets = { output: new TransferBudget(clock), answers: new TransferBudget(clock) };
    this.#options = options;
    this.count = options.count;
    this.#token = this.#newToken();
    this.#reaper = new LazyTimer(clock, () => this.#reap());
  }

  get stats(): ReturnType<Executor["stats"]> {
    const { size: alive } = this.#workers;
    const failedStarts = this.#failedStarts === 0 ? {} : { failedStarts: this.#failedStarts };
    return { alive, busy: alive - this.#idle.length, ...failedStarts };
  }

  /**
   * A worker that can run this job now; a new one if none is idle.
   *
   * @throws JobError if no worker can run as the job's user or group
   */
  acquire(job: JobDefinition): WorkerProcess {
    this.prepare();
    const key = poolKey(job);
    for (let index = this.#idle.length - 1; index >= 0; index--) {
      const worker = this.#idle[index]!;
      if (this.#workers.get(worker) !== key || !worker.jobs.isFor(job)) continue;
      this.#idle.splice(index, 1);
      if (worker.isUsable && worker.jobs.isUpToDate(job)) return worker;
      // A module's earlier version stays in a worker's memory.
      worker.end();
    }
    // An idle worker of another key makes room.
    if (this.#workers.size >= this.count + this.#options.slotless()) this.#idle.shift()?.end();
    return this.#spawn(key, specOf(job));
  }

  /** Keep the spare workers ready, once the work of this turn of the event loop has workers. */
  prepare(): void {
    if (this.#options.spare === 0 || this.#isPreparing) return;
    this.#isPreparing = true;
    this.#options.clock.defer(() => {
      this.#isPreparing = false;
      try {
        this.#startSpare();
      } catch (error) {
        this.#options.logger.debug("cannot start a spare worker", { error: messageOf(error) });
      }
    });
  }

  #startSpare(): void {
    if (this.#nowMs() < this.#spareAfterMs) return;
    const lacksSpare = () =>
      this.#idle.filter((worker) => this.#workers.get(worker) === PLAIN_KEY).length <
        this.#options.spare;
    while (!this.#isStopped && this.#workers.size < this.count && lacksSpare()) {
      const worker = this.#spawn(PLAIN_KEY, null);
      worker.idleSinceMs = this.#nowMs();
      this.#idle.unshift(worker);
    }
  }

  resize(count: number): void {
    this.count = count;
    this.#trim();
  }

  /** End a worker if it is idle. */
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

  #nowMs(): number {
    return this.#options.clock.now().monotonicMs;
  }

  #newToken(): string {
    return Buffer.from(this.#options.random.bytes(16)).toString("hex");
  }

  #spawn(key: string, spec: ProcessSpec | null): WorkerProcess {
    this.#started += 1;
    const { clock, command, environment, mask, onLate, logger } = this.#options;
    const familyMarker = `${this.#token}.${this.#started}`;
    const launch = launchOf(spec, { command, environment, marker: familyMarker });
    const memory = createSharedMemory();
    let worker: WorkerProcess;
    try {
      worker = new WorkerProcess({
        clock,
        mask,
        launch,
        memory,
        familyMarker,
        onLate,
        budgets: this.#budgets,
        id: `w${this.#started}`,
        // Not derived from the marker, which job code sees in its environment.
        token: this.#newToken(),
        onIdle: (idle) => this.#release(idle),
        onGone: (gone) => this.#forget(gone),
      });
    } catch (error) {
      memory?.free();
      this.#noteFailedStart();
      throw error;
    }
    this.#workers.set(worker, key);
    logger.debug("worker started", { worker: worker.id });
    return worker;
  }

  /** A worker could not be started: do not start spare ones at once. */
  #noteFailedStart(): void {
    this.#failedStarts += 1;
    this.#spareAfterMs = this.#nowMs() + SPARE_RETRY_MS;
  }

  #release(worker: WorkerProcess): void {
    this.#failedStarts = 0;
    const nowMs = this.#nowMs();
    if (this.#isStopped || this.#isWornOut(worker, nowMs)) return worker.end();
    worker.idleSinceMs = nowMs;
    this.#idle.push(worker);
    this.#trim();
    this.#reaper.setBy(this.#endMsOf(worker));
  }

  #isWornOut(worker: WorkerProcess, nowMs: number): boolean {
    const { runs, memoryBytes } = this.#options.recycle;
    if (worker.runs >= runs || worker.jobs.endMs <= nowMs) return true;
    if (nowMs - worker.memorySeenMs < MEMORY_EVERY_MS) return false;
    worker.memorySeenMs = nowMs;
    return (worker.pid === null ? 0 : usageOf(worker.pid)?.rssBytes ?? 0) > memoryBytes;
  }

  #trim(): void {
    let surplus = this.#workers.size - this.count - this.#options.slotless();
    while (surplus > 0 && this.#idle.length > 0) {
      this.#idle.shift()!.end();
      surplus -= 1;
    }
  }

  /** End of an idle worker if it is not used. */
  #endMsOf({ idleSinceMs, jobs }: WorkerProcess): number {
    return Math.min(idleSinceMs + this.#options.idleMs, jobs.endMs);
  }

  #reap(): void {
    const nowMs = this.#nowMs();
    for (const worker of [...this.#idle]) {
      const endMs = this.#endMsOf(worker);
      if (endMs > nowMs) this.#reaper.setBy(endMs);
      else this.retire(worker);
    }
    this.prepare();
  }

  #forget(worker: WorkerProcess): void {
    const index = this.#idle.indexOf(worker);
    if (index >= 0) this.#idle.splice(index, 1);
    this.#workers.delete(worker);
    if (worker.pid === null || !worker.hasStarted) this.#noteFailedStart();
    else this.#failedStarts = 0;
    this.#options.logger.debug("worker ended", { worker: worker.id, runs: worker.runs });
    if (this.#workers.size === 0) this.#onEmpty?.();
    this.prepare();
  }
}

import { formatDuration } from "../../core/time/duration.ts";
import type { ErrorInfo } from "../../core/instance.ts";
import type { JobDefinition, ProcessLimits } from "../../core/job/job.ts";
import { formatSize } from "../../core/text/size.ts";
import type { Clock, Timer } from "../../platform/clock.ts";
import {
  type Family,
  findFamilyInTurns,
  isTurnOver,
  sharedOutBytes,
  TICKS_PER_SECOND,
  type Turn,
  usageOf,
} from "../../platform/process/descendants.ts";
import type { WorkerFamily } from "./worker_family.ts";
import { specOf } from "./worker_launch.ts";

/** How often an attempt's use is looked at. */
const LOOK_EVERY_MS = 50;
/** How often it is looked for processes that were begun since; in between those that are known are looked at. */
const FIND_EVERY_MS = 250;

/**
 * Each check is followed by a pause this many times as long, so thousands of processes are checked
 * less often.
 */
const REST_FACTOR = 4;
/** Processes whose memory is read per turn of the event loop. */
const SHARES_AT_ONCE = 5;

/** Whom to watch. */
export interface UsageWatchOptions {
  readonly limits: ProcessLimits;
  readonly family: () => Family;
  readonly worker: number;
  /** Whether the worker runs the job code itself. */
  readonly isWorkerCounted: boolean;
  readonly onExceeded: (error: ErrorInfo) => void;
}

/**
 * Watches the memory and processor time of an attempt's processes. A look takes some ten microseconds for each; what is taken and
 * given back between two looks is not seen. Linux only; elsewhere nothing is limited.
 */
export class UsageWatch {
  readonly #clock: Clock;
  readonly #options: UsageWatchOptions;
  readonly #ticksBefore: number;
  #pids: readonly number[] = [];
  readonly #turn: Turn;
  #foundMs = -Infinity;
  #isStopped = false;
  #timer: Timer | null = null;

  /** Watch a run that begins; null when nothing of its job is limited. */
  static start(
    clock: Clock,
    job: JobDefinition,
    family: WorkerFamily,
    onExceeded: (error: ErrorInfo) => void,
  ): UsageWatch | null {
    const limits = specOf(job)?.limits;
    if (!limits || (limits.memoryBytes === null && limits.cpuMs === null)) return null;
    return new UsageWatch(clock, {
      limits,
      family: () => family.family,
      worker: family.pid,
      isWorkerCounted: job.source.type === "module",
      onExceeded,
    });
  }

  constructor(clock: Clock, options: UsageWatchOptions) {
    this.#clock = clock;
    this.#turn = () => new Promise((resolve) => clock.defer(resolve));
    this.#options = options;
    this.#ticksBefore = usageOf(options.worker)?.cpuTicks ?? 0;
    this.#arm(LOOK_EVERY_MS);
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#timer = null;
  }

  #arm(delayMs: number): void {
    this.#timer = this.#clock.timer(delayMs, () => void this.#look(), { unref: true });
  }

  async #look(): Promise<void> {
    const { worker, isWorkerCounted, onExceeded } = this.#options;
    const nowMs = this.#clock.now().monotonicMs;
    await this.#find(nowMs);
    const own = usageOf(worker);
    if (own === null) return;
    let ticks = own.cpuTicks - this.#ticksBefore;
    let rssBytes = isWorkerCounted ? own.rssBytes : 0;
    for (const [index, pid] of this.#pids.entries()) {
      if (isTurnOver(index)) await this.#turn();
      const usage = usageOf(pid);
      ticks += usage?.cpuTicks ?? 0;
      rssBytes += usage?.rssBytes ?? 0;
    }
    const error = await this.#judge(rssBytes, ticks);
    if (this.#isStopped) return;
    if (error !== null) return onExceeded(error);
    const tookMs = this.#clock.now().monotonicMs - nowMs;
    this.#arm(Math.max(LOOK_EVERY_MS, tookMs * REST_FACTOR));
  }

  async #find(nowMs: number): Promise<void> {
    if (nowMs - this.#foundMs < FIND_EVERY_MS) return;
    this.#foundMs = nowMs;
    const { family, worker } = this.#options;
    this.#pids = await findFamilyInTurns(family(), worker, this.#turn);
  }

  async #judge(rssBytes: number, ticks: number): Promise<ErrorInfo | null> {
    const { memoryBytes, cpuMs } = this.#options.limits;
    if (cpuMs !== null && ticks * 1_000 / TICKS_PER_SECOND > cpuMs) {
      const message = `Stopped: it took more processor time than its limit of ${
        formatDuration(cpuMs)
      }`;
      return { name: "CpuLimitError", message };
    }
    // What processes have in common counts once: looked up only when it matters, as it takes far longer.
    if (memoryBytes === null || rssBytes <= memoryBytes) return null;
    if (await this.#memoryBytes() > memoryBytes) {
      const message = `Stopped: it took more memory than its limit of ${formatSize(memoryBytes)}`;
      return { name: "MemoryLimitError", message };
    }
    return null;
  }

  async #memoryBytes(): Promise<number> {
    const { worker, isWorkerCounted } = this.#options;
    let bytes = 0;
    for (const [index, pid] of [...isWorkerCounted ? [worker] : [], ...this.#pids].entries()) {
      if (index % SHARES_AT_ONCE === SHARES_AT_ONCE - 1) await this.#turn();
      bytes += sharedOutBytes(pid) ?? usageOf(pid)?.rssBytes ?? 0;
    }
    return bytes;
  }
}

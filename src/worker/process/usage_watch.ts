import { formatDuration } from "../../core/time/duration.ts";
import type { ErrorInfo } from "../../core/instance.ts";
import type { ProcessLimits } from "../../core/job/job.ts";
import { formatSize } from "../../core/text/size.ts";
import type { Clock } from "../../platform/clock.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import { sharedOutBytes, TICKS_PER_SECOND, usageOf } from "../../platform/process/descendants.ts";
import { Slices } from "../../platform/slices.ts";

/** Interval between usage checks of known processes. */
const CHECK_EVERY_MS = 50;
/** Interval between searches for new processes. */
const FIND_EVERY_MS = 250;

/**
 * Factor from the processor time of a check to the pause after it, so thousands of processes are
 * checked less often. Waiting for a processor does not count: a busy machine needs limits.
 */
const REST_FACTOR = 4;

interface UsageWatchOptions {
  readonly clock: Clock;
  /** Processor time that this process has used, in ms. */
  readonly spentMs: () => number;
  readonly limits: ProcessLimits;
  /** The worker that runs the job code itself; null for a command. */
  readonly worker: number | null;
  /** The process that adopts orphans, if that is not the worker. */
  readonly adopter: number | null;
  /** Find the run's processes, without the worker. */
  readonly find: () => Promise<readonly number[]>;
  readonly onExceeded: (error: ErrorInfo) => void;
}

/** A process as last seen: its processor time, and whether its parent was gone. */
interface SeenProcess {
  readonly ticks: number;
  readonly isOrphan: boolean;
}

/**
 * Watches the memory and processor time of a run's processes. A check takes some ten microseconds
 * per process; memory taken and released between checks goes unnoticed. Linux only.
 */
export class UsageWatch {
  readonly #options: UsageWatchOptions;
  readonly #ticksBefore: number;
  #pids: readonly number[] = [];
  #seen: ReadonlyMap<number, SeenProcess> = new Map();
  /** Processor time of ended processes that no parent has counted. */
  #lostTicks = 0;
  #foundMs = -Infinity;
  readonly #timer: LazyTimer;
  #isStopped = false;

  constructor(options: UsageWatchOptions) {
    this.#options = options;
    const { worker } = options;
    this.#ticksBefore = worker === null ? 0 : usageOf(worker)?.cpuTicks ?? 0;
    this.#timer = new LazyTimer(options.clock, () => void this.#check());
    this.#timer.setIn(CHECK_EVERY_MS);
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer.cancel();
  }

  async #check(): Promise<void> {
    const { clock, spentMs, worker, adopter, find, onExceeded } = this.#options;
    const nowMs = clock.now().monotonicMs;
    const beforeMs = spentMs();
    if (nowMs - this.#foundMs >= FIND_EVERY_MS) {
      this.#foundMs = nowMs;
      this.#pids = await find();
    }
    const own = worker === null ? { cpuTicks: 0, rssBytes: 0 } : usageOf(worker);
    if (own === null) return;
    let ticks = own.cpuTicks - this.#ticksBefore;
    let { rssBytes } = own;
    const slices = new Slices(clock);
    const seen = new Map<number, SeenProcess>();
    for (const pid of this.#pids) {
      await slices.pause();
      const usage = usageOf(pid);
      if (usage === null) continue;
      ticks += usage.cpuTicks;
      rssBytes += usage.rssBytes;
      seen.set(pid, { ticks: usage.cpuTicks, isOrphan: usage.parent === adopter });
    }
    for (const [pid, last] of this.#seen) {
      if (last.isOrphan && !seen.has(pid)) this.#lostTicks += last.ticks;
    }
    this.#seen = seen;
    ticks += this.#lostTicks;
    const error = await this.#errorOf(rssBytes, ticks);
    if (this.#isStopped) return;
    if (error !== null) return onExceeded(error);
    const tookMs = Math.min(clock.now().monotonicMs - nowMs, spentMs() - beforeMs);
    this.#timer.setIn(Math.max(CHECK_EVERY_MS, tookMs * REST_FACTOR));
  }

  async #errorOf(rssBytes: number, ticks: number): Promise<ErrorInfo | null> {
    const { memoryBytes, cpuMs } = this.#options.limits;
    if (cpuMs !== null && ticks * 1_000 / TICKS_PER_SECOND > cpuMs) {
      const limit = formatDuration(cpuMs);
      const message = `Stopped: it took more processor time than its limit of ${limit}`;
      return { name: "CpuLimitError", message };
    }
    // Shared memory counts once. Reading it takes far longer, so it is read only when it may
    // matter.
    if (memoryBytes === null || rssBytes <= memoryBytes) return null;
    if (await this.#memoryBytes() > memoryBytes) {
      const message = `Stopped: it took more memory than its limit of ${formatSize(memoryBytes)}`;
      return { name: "MemoryLimitError", message };
    }
    return null;
  }

  async #memoryBytes(): Promise<number> {
    const { clock, worker } = this.#options;
    const slices = new Slices(clock);
    let bytes = 0;
    for (const pid of [...worker === null ? [] : [worker], ...this.#pids]) {
      await slices.pause();
      bytes += sharedOutBytes(pid) ?? usageOf(pid)?.rssBytes ?? 0;
    }
    return bytes;
  }
}

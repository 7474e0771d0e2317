import type { JobDefinition } from "../../core/job/job.ts";
import { canShareMemory, type SharedMemory } from "../../platform/process/shared_memory.ts";
import { BATCH_MAX, BatchMemory } from "./batch_memory.ts";
import type { ResultMessage } from "../protocol.ts";
import { validateMessage } from "../validate_message.ts";
import { specOf } from "../process/worker_launch.ts";
import type { FollowingRun, WorkerRun } from "../process/worker_run.ts";

/** A shorter time limit counts from the worker's own word that job code begins. */
const TIMEOUT_MS_MIN = 1_000;

/**
 * Whether an attempt of this job may be one of several that a worker is given at once: its code only runs, so that nothing has to
 * be said between its begin and its end.
 */
export function isBatchable(job: JobDefinition, timeoutMs: number): boolean {
  if (job.source.type !== "module" || (timeoutMs > 0 && timeoutMs < TIMEOUT_MS_MIN)) return false;
  const { onComplete, onTerminate, onStateChange, retryDelay } = job.hasHandler;
  if (onComplete || onTerminate || onStateChange || retryDelay) return false;
  const limits = specOf(job)?.limits;
  const isLimited = limits && (limits.memoryBytes !== null || limits.cpuMs !== null);
  return !isLimited && canShareMemory();
}

/** What follows the current run of a worker, as the daemon knows it. */
export class Batch {
  readonly #shared: SharedMemory | null;
  #memory: BatchMemory | null;
  #followers: FollowingRun[] = [];
  /** Of the first follower. */
  #place = 1;

  constructor(memory: SharedMemory | null) {
    this.#shared = memory;
    this.#memory = memory === null ? null : new BatchMemory(memory.buffer);
  }

  /** How many runs it can hold, with the one that the others follow. */
  get max(): number {
    return this.#memory === null ? 1 : BATCH_MAX;
  }

  /** The worker is idle, and is given these after another one. */
  begin(followers: readonly FollowingRun[]): void {
    this.#memory?.reset();
    this.#followers = [...followers];
    this.#place = 1;
  }

  /** Monotonic ms at which job code must have ended while this is the current run: any of those behind it may be executing. */
  deadlineMs(run: WorkerRun): number | null {
    let deadlineMs = run.deadlineMs ?? Infinity;
    for (const follower of this.#followers) {
      deadlineMs = Math.min(deadlineMs, follower.deadlineMs ?? Infinity);
    }
    return Number.isFinite(deadlineMs) ? deadlineMs : null;
  }

  /** The run that the first one's end made the current one; null when nothing follows. */
  next(): FollowingRun | null {
    const next = this.#followers.shift() ?? null;
    if (next !== null) this.#place += 1;
    return next;
  }

  /** Results of runs before the last that were not looked at so far; null for one that cannot be read. */
  results(): readonly (ResultMessage | null)[] {
    if (this.#memory === null || this.#followers.length === 0) return [];
    return this.#memory.read().map((written) => {
      const message = validateMessage(written);
      return typeof message === "object" && message.type === "result" ? message : null;
    });
  }

  /** Take back what has not begun: `run`, when it follows, and all behind it. */
  takeBack(run: WorkerRun): readonly FollowingRun[] {
    const from = Math.max(0, this.#followers.indexOf(run as FollowingRun));
    let kept = this.#followers.length;
    while (kept > from && this.#memory?.takeBack(this.#place + kept - 1)) kept -= 1;
    return this.#followers.splice(kept);
  }

  /** Whether nothing follows the current run. */
  get isEmpty(): boolean {
    return this.#followers.length === 0;
  }

  /** It is over, as the worker is idle or gone: what has begun, and was not seen to end. */
  end(): readonly FollowingRun[] {
    return this.#followers.splice(0);
  }

  /** The worker is gone. */
  free(): void {
    this.#memory = null;
    this.#shared?.free();
  }
}

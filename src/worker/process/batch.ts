import type { JobDefinition } from "../../core/job/job.ts";
import { canShareMemory, type SharedMemory } from "../../platform/process/shared_memory.ts";
import { BATCH_MAX, BatchMemory } from "../batching/batch_memory.ts";
import type { ResultMessage } from "../protocol.ts";
import { validateMessage } from "../validate_message.ts";
import { usageLimits } from "./worker_launch.ts";
import type { FollowingRun, HostedRun } from "./run_host.ts";

/** Attempts with a shorter timeout need the worker to report when job code begins. */
const TIMEOUT_MS_MIN = 1_000;

/**
 * True if a worker may be given an attempt of this job together with others: it reports nothing
 * between the start and the end of its code.
 */
export function isBatchable(job: JobDefinition, timeoutMs: number): boolean {
  if (job.source.type !== "module" || (timeoutMs > 0 && timeoutMs < TIMEOUT_MS_MIN)) return false;
  const { onComplete, onTerminate, onStateChange, retryDelay } = job.hasHandler;
  if (onComplete || onTerminate || onStateChange || retryDelay) return false;
  return usageLimits(job) === null && canShareMemory();
}

/** The runs queued behind the current run of a worker, as known to the daemon. */
export class Batch {
  readonly #shared: SharedMemory | null;
  #memory: BatchMemory | null;
  #followers: FollowingRun[] = [];
  /** Position of the first follower in the batch. */
  #place = 1;

  constructor(memory: SharedMemory | null) {
    this.#shared = memory;
    this.#memory = memory === null ? null : new BatchMemory(memory.buffer);
  }

  /** Most runs in a batch, including the first. */
  get max(): number {
    return this.#memory === null ? 1 : BATCH_MAX;
  }

  /** The idle worker is given a run, with others behind it. */
  begin(followers: readonly FollowingRun[]): void {
    this.#memory?.reset();
    this.#followers = [...followers];
    this.#place = 1;
  }

  /**
   * Monotonic ms by which job code must have ended while `run` is current; null for no limit. Later
   * runs may already be executing, so the earliest deadline counts.
   */
  deadlineMs(run: HostedRun): number | null {
    let deadlineMs = run.deadlineMs ?? Infinity;
    for (const follower of this.#followers) {
      deadlineMs = Math.min(deadlineMs, follower.deadlineMs ?? Infinity);
    }
    return Number.isFinite(deadlineMs) ? deadlineMs : null;
  }

  /** The next run, which became the current one; null if none follows. */
  next(): FollowingRun | null {
    const next = this.#followers.shift() ?? null;
    if (next !== null) this.#place += 1;
    return next;
  }

  /** New results of runs before the last one; null for an unreadable one. */
  results(): readonly (ResultMessage | null)[] {
    if (this.#memory === null || this.#followers.length === 0) return [];
    return this.#memory.read().map((written) => {
      const message = validateMessage(written);
      return typeof message === "object" && message.type === "result" ? message : null;
    });
  }

  /** Take back the unstarted runs behind `run`, and `run` itself if it follows. */
  takeBack(run: HostedRun): readonly FollowingRun[] {
    const from = Math.max(0, this.#followers.indexOf(run as FollowingRun));
    let kept = this.#followers.length;
    while (kept > from && this.#memory?.takeBack(this.#place + kept - 1)) kept -= 1;
    return this.#followers.splice(kept);
  }

  /** True if a run is queued behind the current one, or has begun unseen. */
  has(run: HostedRun): boolean {
    return this.#followers.includes(run as FollowingRun);
  }

  get isEmpty(): boolean {
    return this.#followers.length === 0;
  }

  /** The worker is idle or gone. @returns started runs with an unknown end */
  end(): readonly FollowingRun[] {
    return this.#followers.splice(0);
  }

  /** The worker is gone: release the memory. */
  free(): void {
    this.#memory = null;
    this.#shared?.free();
  }
}

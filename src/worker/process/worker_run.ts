import type { ErrorInfo } from "../../core/instance.ts";
import type { JobDefinition } from "../../core/job/job.ts";
import type { AttemptSink, HandlerCall } from "../executor.ts";
import type { AttemptResult, TaskInstance } from "../protocol.ts";
import type { WorkerEnding } from "./worker_ending.ts";

/** One attempt, or one call of a handler, given to a worker. */
export interface WorkerRun {
  readonly job: JobDefinition;
  readonly instance: TaskInstance;
  /** Null for an attempt. */
  readonly handler: HandlerCall | null;
  readonly deadlineMs: number | null;
  readonly sink: AttemptSink;
  /** Job code begins now. */
  started(): void;
  /** This is its result unless a handler, which runs now, changes it. */
  decided(result: AttemptResult): void;
  /** It exceeded its limits and is being killed. */
  exceeded(error: ErrorInfo): void;
  /** Its worker sent a forged message and is being killed. */
  violated(error: ErrorInfo): void;
  /** The time set by `wakeAt` of the worker has come. */
  wake(): void;
  ended(ending: WorkerEnding): void;
}

/** A run that is queued behind others of its batch, all of one job. */
export interface FollowingRun extends WorkerRun {
  /** Those before it have ended, and it has begun. */
  promoted(): void;
  /** It has not begun, and will not begin in this worker. */
  returned(): void;
}

/** Return runs that will not begin, the last one first: each goes to the front of the queue. */
export function giveBack(runs: readonly FollowingRun[]): void {
  for (const run of runs.toReversed()) run.returned();
}

import type { ErrorInfo } from "../../core/instance.ts";
import type { JobDefinition } from "../../core/job/job.ts";
import type { AbortCause, Attempt, AttemptSink, HandlerCall } from "../executor.ts";
import type { AttemptResult, TaskInstance } from "../protocol.ts";
import type { WorkerEnding } from "./worker_ending.ts";

/** The place of an attempt: a worker, or one command in a supervisor. */
export interface RunHost
  extends Pick<Attempt, "linesRecorded" | "outcomeRecorded" | "canLeave" | "leave" | "freeze"> {
  /** True once its process has reported that it is ready: the run may be executing. */
  readonly hasStarted: boolean;
  /** Number of runs of this job it can take at once. */
  batchMax(job: JobDefinition): number;
  /** Execute a run, then its followers, at most `batchMax - 1`. */
  run(run: HostedRun, followers?: readonly FollowingRun[]): void;
  /** Take back the unstarted runs queued behind `run`, and `run` itself. */
  takeBack(run: HostedRun): void;
  /** Call the run's `wake` at this monotonic time; null for never. */
  wakeAt(run: HostedRun, dueMs: number | null): void;
  /** The run's deadline has changed. @returns true if it is the current run */
  extend(run: HostedRun): boolean;
  /** Send the run its abort signal: for a command SIGTERM. */
  abort(run: HostedRun, cause: AbortCause): void;
  /** Signal the processes of the current run. @param cause why its attempt is aborted, if it is */
  kill(signal: "SIGTERM" | "SIGKILL", cause?: AbortCause): void;
  /** Why nothing can execute a run of it, as far as is known; null if something may. */
  missing(run: HostedRun): string | null;
  /** True if the current run was frozen when it was taken over. */
  readonly isFrozen?: boolean;
  /** Why an earlier daemon aborted the current run; null if it did not. */
  readonly aborted?: AbortCause | null;
}

/** One attempt, or one call of a handler, given to a worker. */
export interface HostedRun {
  readonly job: JobDefinition;
  readonly instance: TaskInstance;
  /** Null for an attempt. */
  readonly handler: HandlerCall | null;
  readonly deadlineMs: number | null;
  /** Epoch ms before which a command must not begin; absent if it may begin at once. */
  readonly startAt?: number | undefined;
  readonly sink: AttemptSink;
  /** Job code begins now, or began `agoMs` ago. */
  started(agoMs?: number): void;
  /** Its result unless a handler, which runs now, changes it. */
  decided(result: AttemptResult): void;
  /** It exceeded its limits and is being killed. */
  exceeded(error: ErrorInfo): void;
  /** Its worker sent a forged message and is being killed. */
  violated(error: ErrorInfo): void;
  /** The time set by `wakeAt` of the worker has come. */
  wake(): void;
  /** Why a daemon had aborted it before its end; null without an abort. */
  wasAborted?(cause: AbortCause | null): void;
  ended(ending: WorkerEnding): void;
}

/** A run that is queued behind others of its batch, all of one job. */
export interface FollowingRun extends HostedRun {
  /** The earlier runs have ended, and it has begun. */
  promoted(): void;
  /** It has not begun, and will not begin in this worker. */
  returned(): void;
}

/** Return unstarted runs, last one first: each goes to the front of the queue. */
export function giveBack(runs: readonly FollowingRun[]): void {
  for (const run of runs.toReversed()) run.returned();
}

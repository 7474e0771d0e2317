import type { ErrorInfo, Instance, LogEntry, Progress } from "../core/instance.ts";
import type { JobDefinition } from "../core/job/job.ts";
import type { JobState } from "../core/state.ts";
import type { Service } from "../platform/service.ts";

/** Why a running attempt is told to stop. */
export type AbortCause = "timeout" | "deadline" | "canceled" | "drain" | "lease";

/** Longest run of one handler, in milliseconds; then it is stopped. */
export const HANDLER_MS_MAX = 10_000;

/** One attempt to execute. */
export interface AttemptTask {
  readonly job: JobDefinition;
  /** As claimed: its fence is the claim's. */
  readonly instance: Instance;
  /** Monotonic ms at which job code must have ended unless {@link Attempt.extend} moves it: the lease less a margin. */
  readonly deadlineMs: number;
  /** Handlers of the instance that are still running: a function in this process begins after them, as its log has theirs first. */
  readonly after?: Promise<void> | null;
}

/** Where a running attempt writes and asks, in order. */
export interface AttemptSink {
  log(entries: readonly LogEntry[]): void;
  /** How far the job is; comes twice a second at most. */
  progress(progress: Progress): void;
  /** A call of the job's `Manager` proxy: method name and arguments as JSON values. */
  call(method: string, args: readonly unknown[]): Promise<unknown>;
}

/** What job code wants in place of the job's retry policy: a wait in milliseconds, no retry, or that it was discarded. */
export type RetryWish = number | "never" | "discarded";

/** What a failed attempt says beside its error. */
interface FailureDetail {
  readonly error: ErrorInfo;
  readonly wish?: RetryWish | undefined;
  /** The job's handlers had no say, as the worker was gone: {@link Executor.handle} asks them in another one. */
  readonly isUnasked?: boolean;
}

/** How an attempt ended. Job code has ended, with its whole process group, when this is known. */
export type AttemptOutcome =
  /** An explicit result message, or a function that returned: the only success. */
  | { readonly type: "ok"; readonly resultsJson: string }
  /** It failed: thrown, exit code, not encodable, exited without a result, or took more than its limits. */
  | ({ readonly type: "error"; readonly reason?: "limit" } & FailureDetail)
  /** It wants to go on later: neither a success nor a failure. */
  | { readonly type: "snooze"; readonly delayMs: number }
  /** It ended because it was aborted; with `isUnstarted`, before it started to run. */
  | ({
    readonly type: "aborted";
    readonly cause: AbortCause;
    readonly isUnstarted?: boolean;
  } & FailureDetail)
  /**
   * It has not started, because the system is out of processes, descriptors or memory: it can be
   * retried at any time.
   */
  | { readonly type: "unstarted"; readonly error: ErrorInfo }
  /** Its worker was killed from outside or could not be started. */
  | ({ readonly type: "lost" } & FailureDetail);

/** A handler of a job that is called outside of an attempt. */
export type HandlerCall =
  | { readonly type: "stateChange"; readonly state: JobState }
  /** The attempt failed with `error`, and its own worker could not be asked. */
  | { readonly type: "terminate"; readonly error: ErrorInfo };

/** One call of a handler. */
export interface HandlerTask {
  readonly job: JobDefinition;
  readonly instance: Instance;
  readonly call: HandlerCall;
  /** Where its output goes, and that it failed. */
  log(entries: readonly LogEntry[]): void;
}

/** A running attempt. */
export interface Attempt {
  /** Never rejects. */
  readonly outcome: Promise<AttemptOutcome>;
  /** The lease was renewed. */
  extend(deadlineMs: number): void;
  /** Abort signal → SIGTERM to the group → `killAfterMs` → SIGKILL; the first cause counts. */
  abort(cause: AbortCause): void;
}

/**
 * Executes attempts. It owns the time limit of an attempt (`instance.timeoutMs`, from the start of job code) and the kill
 * ladder; it knows nothing of stores, retries and schedules.
 */
export interface Executor extends Service {
  /** Start an attempt at once, or soon where many short ones begin in turns; the caller keeps to the capacity. */
  run(task: AttemptTask, sink: AttemptSink): Attempt;
  /** Attempts that were given to it and have not begun, beyond its capacity: it takes them as they come. */
  readonly waiting: number;
  /**
   * Call a handler of the job in a worker, for at most HANDLER_MS_MAX. Never rejects.
   *
   * @returns what it came to: for "terminate" the outcome after `onTerminate` and `retryDelay` had their say; null when it
   * did not end by itself or was not called, which is then in its log
   */
  handle(task: HandlerTask): Promise<AttemptOutcome | null>;
  /** Keep at most `count` workers; surplus ones end when idle. */
  resize(count: number): void;
  stats(): { readonly alive: number; readonly busy: number };
}

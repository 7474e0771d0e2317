import type { ErrorInfo, Instance, LogEntry, Progress, Reason } from "../core/instance.ts";
import type { JobDefinition } from "../core/job.ts";
import type { JobState } from "../core/state.ts";
import type { Service } from "../platform/service.ts";

/** Why a running attempt is told to stop. */
export type AbortCause = "timeout" | "canceled" | "drain" | "lease";

/** One attempt to execute. */
export interface AttemptTask {
  readonly job: JobDefinition;
  /** As claimed: its fence is the claim's. */
  readonly instance: Instance;
  /** Monotonic ms at which job code must have ended unless {@link Attempt.extend} moves it: the lease less a margin. */
  readonly deadlineMs: number;
}

/** Where a running attempt writes and asks, in order. */
export interface AttemptSink {
  log(entries: readonly LogEntry[]): void;
  /** How far the job is; comes twice a second at most. */
  progress(progress: Progress): void;
  /** A call of the job's `Manager` proxy: method name and arguments as JSON values. */
  call(method: string, args: readonly unknown[]): Promise<unknown>;
}

/** How an attempt ended. Job code has ended, with its whole process group, when this is known. */
export type AttemptOutcome =
  /** An explicit result message, or a function that returned: the only success. */
  | { readonly type: "ok"; readonly resultsJson: string }
  /** It failed: thrown, exit code, not encodable, exited without a result. `reason` where it is a further one. */
  | { readonly type: "error"; readonly error: ErrorInfo; readonly reason?: Reason }
  /** It ended after it was told to. */
  | { readonly type: "aborted"; readonly cause: AbortCause; readonly error: ErrorInfo }
  /** Its worker was killed from outside or could not be started. */
  | { readonly type: "lost"; readonly error: ErrorInfo };

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
  /** Start an attempt at once; the caller keeps to the capacity. */
  run(task: AttemptTask, sink: AttemptSink): Attempt;
  /** Call the job's `onStateChange` in a worker; resolves when it ended, whatever it did. */
  notify(
    task: { readonly job: JobDefinition; readonly instance: Instance; readonly state: JobState },
  ): Promise<void>;
  /** Keep at most `count` workers; surplus ones end when idle. */
  resize(count: number): void;
  stats(): { readonly alive: number; readonly busy: number };
}

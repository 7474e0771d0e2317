import type { TickKey } from "../core/time/tick_of_run.ts";
import type { ErrorInfo, Instance, LogEntry, Reason } from "../core/instance.ts";
import type { Instant } from "../platform/clock.ts";
import type { NewInstance } from "./requests.ts";

/** Most unfinished runs of one kind that happen elsewhere. */
export const OPEN_RUNS_MAX = 1_000;

/** Reason of a tick without a reported run. */
export const UNREPORTED = "unreported";

/** The end of a run elsewhere. */
export interface RunEnd {
  /** Epoch ms of its end there. */
  readonly at: number;
  readonly state: "completed" | "terminated" | "timedOut";
  readonly reason: Reason;
  readonly error: ErrorInfo | null;
}

/** A report about one run elsewhere: nobody claims it, and it has no lease. */
export interface RunReport {
  /**
   * The instance to accept if none has this id. With `scheduleId` and `scheduledFor` it is the run
   * of that tick, unless the tick has a run, or is within a range of ticks with one fate.
   */
  readonly instance: NewInstance;
  /** Its host, in place of the node. */
  readonly node: string;
  /** Epoch ms of its start there; null if unknown. It never changes once recorded. */
  readonly startedAt: number | null;
  /** Null while it is running. */
  readonly end: RunEnd | null;
  /** Written unless they are the only change. */
  readonly logs: readonly LogEntry[];
}

/** Runs elsewhere to record, and ticks without a timely report. */
export interface RecordRuns {
  readonly at: Instant;
  readonly runs: readonly RunReport[];
  /** Ticks whose fate becomes "missed" if they are still "expected". */
  readonly missed?: readonly TickKey[];
}

/** The result of recording one run. */
export interface RunResult {
  /** The instance after the operation. */
  readonly instance: Instance;
  /** "repeated": it was known, and nothing was written. */
  readonly status: "begun" | "ended" | "repeated";
}

/** The results of recording runs. */
export interface RunsResult {
  /** In the order of the request. */
  readonly runs: readonly RunResult[];
  /** Ticks whose fate became "missed". */
  readonly missed: readonly TickKey[];
}

import type { TickKey } from "../core/time/tick_of_run.ts";
import type { ErrorInfo, Instance, LogEntry, Reason } from "../core/instance.ts";
import type { Instant } from "../platform/clock.ts";
import type { NewInstance } from "./requests.ts";

/** Most unfinished runs of one kind that happen elsewhere. */
export const OPEN_RUNS_MAX = 1_000;

/** Reason of a tick that nobody reported a run for. */
export const UNREPORTED = "unreported";

/** How a run elsewhere ended. */
export interface RunEnd {
  /** Epoch ms: when it ended there. */
  readonly at: number;
  readonly state: "completed" | "terminated" | "timedOut";
  readonly reason: Reason;
  readonly error: ErrorInfo | null;
}

/** What is known of one run that happens elsewhere: nobody claims it, and it has no lease. */
export interface RunReport {
  /**
   * The instance to accept if there is none with this id. With `scheduleId` and `scheduledFor` it
   * is the run of that tick, unless another run is, or the tick is within a range of ticks with one
   * fate.
   */
  readonly instance: NewInstance;
  /** The host that runs it, which takes the place of the node. */
  readonly node: string;
  /** Epoch ms: when it began there; null if unknown. It does not change once it is recorded. */
  readonly startedAt: number | null;
  /** Null while it is running. */
  readonly end: RunEnd | null;
  /** Written unless nothing else is. */
  readonly logs: readonly LogEntry[];
}

/** Runs elsewhere to record, and ticks that nobody reported a run for in time. */
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
  /** "repeated": it was known before, and nothing was written. */
  readonly status: "begun" | "ended" | "repeated";
}

/** The results of recording runs. */
export interface RunsResult {
  /** In the order of the request. */
  readonly runs: readonly RunResult[];
  /** Those ticks whose fate became "missed". */
  readonly missed: readonly TickKey[];
}

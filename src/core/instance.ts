import type { JobState } from "./state.ts";

/** True if `id` is a whole UUID in lower case, as instances are named. */
export function isUuid(id: string): boolean {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(id);
}

/** Why an instance is in its state; open-ended, these are the ones the product writes. */
export type Reason =
  | "ok"
  | "error"
  | "timeout"
  | "deadline"
  | "discarded"
  | "snoozed"
  | "canceled"
  | "lost"
  | "drained"
  | "released"
  | "redriven"
  | "unserved"
  | "skipped:overlap"
  | "missed"
  | "replaced"
  | (string & Record<never, never>);

/** What an attempt failed with, bounded in size, safe to store and print. */
export interface ErrorInfo {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  /** Exit code of a command. */
  readonly exitCode?: number;
  /** Signal that ended a command or worker. */
  readonly signal?: string;
}

/** How far a running job says it is. */
export interface Progress {
  readonly done: number;
  /** Null when the job does not know. */
  readonly total: number | null;
}

/** Policy that an instance carries from the moment it is accepted, so that every node treats it alike. */
export interface InstancePolicy {
  /** Retries after a failed attempt: 0 none, −1 for ever. */
  readonly retryMax: number;
  /** Takeovers after a lost worker or node before the instance is terminated with reason "lost". */
  readonly crashesMax: number;
  /** Limit of one attempt in milliseconds, 0 for none. */
  readonly timeoutMs: number;
  /** How long a final instance is kept, in milliseconds, after success and after anything else. */
  readonly keepSuccessMs: number;
  readonly keepFailureMs: number;
}

/** One run of a job as the store holds it. Times are epoch milliseconds, UTC; absent is null. */
export interface Instance extends InstancePolicy {
  /** UUID version 7, lower case. */
  readonly id: string;
  readonly kind: string;
  readonly state: JobState;
  readonly reason: Reason | null;
  /** Lower runs first. */
  readonly priority: number;
  /** The queue that the instance waits in; the kind, unless a per-key limit splits it. */
  readonly queueKey: string;
  readonly uniqueKey: string | null;
  /** Until when it holds its unique key also when it has finished, epoch ms; null: while it is unfinished. */
  readonly uniqueUntil: number | null;
  /** JSON text of the array of converted arguments (without the injected ones), encoded once. */
  readonly argumentsJson: string;
  /** JSON text of the array of results, of the completed attempt. */
  readonly resultsJson: string | null;
  readonly error: ErrorInfo | null;
  readonly scheduleId: string | null;
  /** The tick's due time for instances of a recurring schedule. */
  readonly scheduledFor: number | null;
  readonly dueAt: number;
  readonly createdAt: number;
  /** When it last entered Scheduled. */
  readonly scheduledAt: number;
  /** When the last attempt began. */
  readonly processedAt: number | null;
  /** When it became final. */
  readonly settledAt: number | null;
  readonly cancelRequestedAt: number | null;
  /** Attempts begun. */
  readonly attempt: number;
  /** Attempts that failed (error or timeout). */
  readonly failures: number;
  /** Takeovers after a lost worker or node. */
  readonly crashes: number;
  /** Rises with every claim; 0 before the first. */
  readonly fence: number;
  readonly node: string | null;
  readonly retryOf: string | null;
  /** Version of the job's code that the last settled attempt ran. */
  readonly version: string | null;
  /** What the running or last attempt said of its progress. */
  readonly progress: Progress | null;
  /** When it must have ended, with all its waits and attempts, epoch ms. */
  readonly deadlineAt: number | null;
  /** The instance that a dead letter was run again as. */
  readonly redrivenAs: string | null;
}

/** One state transition, as the History API gives it. */
export interface HistoryEntry {
  readonly instanceId: string;
  readonly kind: string;
  readonly state: JobState;
  readonly at: number;
  readonly reason: Reason | null;
  readonly attempt: number;
  readonly fence: number;
  readonly node: string | null;
}

/** How grave a line of an instance's log is. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** Log levels, least grave first. */
export const LOG_LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** One line of an instance's log. */
export interface LogEntry {
  readonly at: number;
  readonly level: LogLevel;
  readonly message: string;
  /** "stdout" | "stderr" for captured output, "job" for `ctx.log`, "system" for the manager's own notes. */
  readonly source: "stdout" | "stderr" | "job" | "system";
}

/** A log entry as the store gives it back. */
export interface StoredLogEntry extends LogEntry {
  readonly instanceId: string;
  readonly kind: string;
  readonly attempt: number;
  readonly fence: number;
  /** 1, 2, 3 … in the order written, through all attempts of the instance. */
  readonly seq: number;
}

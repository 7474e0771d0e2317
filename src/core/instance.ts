import type { Wait } from "./wait.ts";
import type { JobState } from "./state.ts";

/** True if `id` is a whole UUID in lower case, as ids of instances are. */
export function isUuid(id: string): boolean {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(id);
}

/** Why an instance is in its state. Open-ended: these are the product's own reasons. */
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
  | "parked"
  | "canceling"
  | "unwinding"
  | "redriven"
  | "unserved"
  | "skipped:overlap"
  | "missed"
  | "replaced"
  | (string & Record<never, never>);

/** The error of an attempt, bounded in size, safe to store and print. */
export interface ErrorInfo {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  /** Exit code of a command. */
  readonly exitCode?: number;
  /** Signal that ended a command or worker. */
  readonly signal?: string;
}

/** Progress as reported by a running job. */
export interface Progress {
  readonly done: number;
  /** Null if unknown to the job. */
  readonly total: number | null;
  /**
   * Only for a command, without other members: start of its freeze, epoch ms; null once it
   * continues.
   */
  readonly frozenAt?: number | null;
}

/** Resources used by the processes of an attempt; null: unknown. */
export interface AttemptUsage {
  /** Their peak memory at one moment, in bytes. */
  readonly maxRssBytes: number | null;
  /** Processor time, of user and system. */
  readonly cpuMs: number | null;
}

/** Resources that the processes of a running attempt use now. The rest is their use so far. */
export interface LiveUsage extends AttemptUsage {
  readonly rssBytes: number;
  /** Null if unreadable. */
  readonly openFiles: number | null;
  readonly processes: number;
}

/** True for the usage of an attempt that still runs. */
export function isLive(usage: AttemptUsage | LiveUsage): usage is LiveUsage {
  return "rssBytes" in usage;
}

/** Location of a command's process. */
export interface ProcessPlace {
  /** Its first process; null if unknown. */
  readonly pid: number | null;
  /** The process that runs it for the daemon. */
  readonly supervisorPid: number | null;
  /** Time when this daemon took it over from an earlier one, epoch ms; null if it began it. */
  readonly adoptedAt: number | null;
}

/** The known processes of a running attempt. */
export interface RunningProcess {
  readonly place: ProcessPlace | null;
  readonly usage: LiveUsage | null;
}

/** Policy of an instance, fixed on acceptance, so that all nodes agree. */
export interface InstancePolicy {
  /** Retries after a failed attempt: 0 none, −1 without limit. */
  readonly retryMax: number;
  /** Takeovers after a lost worker or node before the instance is terminated with reason "lost". */
  readonly crashesMax: number;
  /** Limit of one attempt in milliseconds, 0 for none. */
  readonly timeoutMs: number;
  /** Retention of a final instance, in milliseconds, after success and otherwise. */
  readonly keepSuccessMs: number;
  readonly keepFailureMs: number;
}

/** One accepted run of a job, as stored. Times are epoch milliseconds, UTC; absent is null. */
export interface Instance extends InstancePolicy {
  /** UUID version 7, lower case. */
  readonly id: string;
  readonly kind: string;
  readonly state: JobState;
  readonly reason: Reason | null;
  /** Lower numbers run first. */
  readonly priority: number;
  /** The queue that the instance waits in; the kind, unless a per-key limit splits it. */
  readonly queueKey: string;
  /** The queue whose slot it keeps from its first attempt to its end; null without `hold`. */
  readonly slotKey: string | null;
  readonly uniqueKey: string | null;
  /** Time when it frees its unique key, even if finished, epoch ms; null: when it finishes. */
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
  /** The instance whose attempt scheduled it. */
  readonly parentId: string | null;
  /**
   * Id of the first instance of its flow: itself, or the one that it descends from by `parentId`.
   * Null if it belongs to none.
   */
  readonly flowId: string | null;
  /** The step of its parent that waits for its outcome. */
  readonly parentStep: string | null;
  /** Its waits while parked; null otherwise. */
  readonly waits: readonly Wait[] | null;
  /** Claims that continued it after a wait; they are no attempts. */
  readonly resumes: number;
  /** Time of its first recorded step, epoch ms; 0 if it has signals alone; null without any. */
  readonly stepsAt: number | null;
  /** Version of the job's code that the last settled attempt ran. */
  readonly version: string | null;
  /** As reported by the running or last attempt. */
  readonly progress: Progress | null;
  /** Usage of the last attempt that ended; null while another runs, or if unknown. */
  readonly usage: AttemptUsage | null;
  /** Time by which it must have ended, including all waits and attempts, epoch ms. */
  readonly deadlineAt: number | null;
  /** The instance that ran this dead letter again. */
  readonly redrivenAs: string | null;
}

/** True if an instance was reported, but never claimed by a node: it has no lease. */
export function isElsewhere({ attempt, fence }: Pick<Instance, "attempt" | "fence">): boolean {
  return attempt > 0 && fence === 0;
}

/** One state transition, as the History API returns it. */
export interface HistoryEntry
  extends Pick<Instance, "kind" | "state" | "reason" | "attempt" | "fence" | "node"> {
  readonly instanceId: string;
  readonly at: number;
}

/** Severity of a log line. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** Log levels, least severe first. */
export const LOG_LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** One line of an instance's log. */
export interface LogEntry {
  readonly at: number;
  readonly level: LogLevel;
  readonly message: string;
  /** Captured output, "job" for `ctx.log`, or "system" for the manager's own notes. */
  readonly source: "stdout" | "stderr" | "job" | "system";
}

/** True for a line that job code printed. */
export function isPrinted({ source }: Pick<LogEntry, "source">): boolean {
  return source === "stdout" || source === "stderr";
}

/** Number of lines that job code printed. */
export function countPrinted(entries: readonly LogEntry[]): number {
  return entries.reduce((count, entry) => isPrinted(entry) ? count + 1 : count, 0);
}

/** A log entry as the store returns it. */
export interface StoredLogEntry extends LogEntry {
  readonly instanceId: string;
  readonly kind: string;
  readonly attempt: number;
  readonly fence: number;
  /** 1, 2, 3 … in the order written, across all attempts of the instance. */
  readonly seq: number;
}

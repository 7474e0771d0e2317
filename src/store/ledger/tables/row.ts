import { JobError } from "../../../core/errors.ts";
import type { Instance, LogEntry, Reason, StoredLogEntry } from "../../../core/instance.ts";
import { JOB_STATES, type JobState } from "../../../core/state.ts";

/** An instance with what only the store knows of it. */
export interface Row {
  /** Place in the order of acceptance: strictly increasing, never used again. */
  readonly seq: number;
  readonly instance: Instance;
  /** Whether a waiting instance was seen due; null when it does not wait, or is held until one before it is final. */
  readonly isReady: boolean | null;
  /** Whether a ready row stands behind the first of its queue: only the first of a queue with a key is claimed. */
  readonly isBehind?: boolean;
  /** When a final instance may be deleted, epoch ms; null before. */
  readonly expireAt: number | null;
}

/** An attempt that ended with the instance scheduled again: what the history cannot read from the row. */
export interface EndedAttempt {
  readonly attempt: number;
  readonly fence: number;
  readonly node: string | null;
  /** When the attempt began. */
  readonly processedAt: number;
  /** When it ended and the instance was scheduled again. */
  readonly scheduledAt: number;
  readonly reason: Reason;
}

/** A log line to write. */
export interface LogRow extends LogEntry {
  readonly attempt: number;
  readonly fence: number;
  readonly seq: number;
}

/** A log line with its place in the store. */
export interface PlacedLog {
  readonly place: number;
  readonly entry: StoredLogEntry;
}

/** Where a ready row stands among those of its kind. */
export interface ReadyKey {
  readonly priority: number;
  readonly dueAt: number;
  readonly seq: number;
}

/** Instances of one kind, counted. */
export interface KindCounts {
  /** By {@link stateIndex}. */
  readonly states: number[];
  /** Waiting and seen due. */
  ready: number;
  /** Waiting for their time. */
  later: number;
  /** Of the ready ones, those that are not first in their queue. */
  behind: number;
}

const INDEX = Object.fromEntries(JOB_STATES.map((state, index) => [state, index])) as Record<
  JobState,
  number
>;

/** Whether a waiting instance is held until one of its schedule before it is final, whatever its due time. */
export function isHeld({ instance, isReady }: Row): boolean {
  return isReady === null && instance.state === "scheduled";
}

/**
 * Returns the row if its state is one of ours. A copy would leave out any other without a word.
 *
 * @throws JobError `unavailable` for a damaged row
 */
export function checkState(row: Row): Row {
  if (JOB_STATES.includes(row.instance.state)) return row;
  throw new JobError("unavailable", `Cannot copy instance "${row.instance.id}": it has no state`, {
    hint: "The store is damaged: keep a copy of it, and see jobctl store backup --salvage",
  });
}

/** Number of a state in stored data: its place in `JOB_STATES`. */
export function stateIndex(state: JobState): number {
  return INDEX[state];
}

/** Negative when `left` is claimed before `right`: by priority, due time, then acceptance. */
export function compareReady(left: ReadyKey, right: ReadyKey): number {
  return left.priority - right.priority || left.dueAt - right.dueAt || left.seq - right.seq;
}

/** Counts of a kind without instances. */
export function emptyCounts(): KindCounts {
  return { states: JOB_STATES.map(() => 0), ready: 0, later: 0, behind: 0 };
}

/** The place of a row among ready ones. */
export function readyKeyOf({ seq, instance }: Row): ReadyKey {
  return { priority: instance.priority, dueAt: instance.dueAt, seq };
}

/** Whether an instance waits in a queue of its own key, not in that of its kind. */
export function isKeyed({ kind, queueKey }: Pick<Instance, "kind" | "queueKey">): boolean {
  return queueKey !== kind;
}

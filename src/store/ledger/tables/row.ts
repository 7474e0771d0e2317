import { JobError } from "../../../core/errors.ts";
import type { Instance, StoredLogEntry } from "../../../core/instance.ts";
import { JOB_STATES, type JobState } from "../../../core/state.ts";

/** An instance, with the store's internal data about it. */
export interface Row {
  /** Place in the order of acceptance: strictly increasing, never reused. */
  readonly seq: number;
  readonly instance: Instance;
  /**
   * True if a waiting instance was seen due, false if not due yet; null if it does not wait, or is
   * held until an earlier one is final.
   */
  readonly isReady: boolean | null;
  /** True for a ready row behind another one of its queue: with a key only the first is claimed. */
  readonly isBehind?: boolean;
  /** Time from which a final instance may be deleted, epoch ms; null for any other. */
  readonly expireAt: number | null;
}

/** A log line to write. */
export type LogRow = Omit<StoredLogEntry, "instanceId" | "kind">;

/** A log line with its place in the store. */
export interface PlacedLog {
  readonly place: number;
  readonly entry: StoredLogEntry;
}

/** The place of a ready row within its kind. */
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
  /** Ready, but not first in their queue. */
  behind: number;
}

const INDEX = Object.fromEntries(JOB_STATES.map((state, index) => [state, index])) as Record<
  JobState,
  number
>;

/** True if a waiting instance is held until earlier ones of its schedule are final, even if due. */
export function isHeld({ instance, isReady }: Row): boolean {
  return isReady === null && instance.state === "scheduled";
}

/**
 * Returns the row if its state is known. A copy would silently omit any other row.
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

/** True if an instance waits in a queue with a key, not in its kind's default queue. */
export function isKeyed({ kind, queueKey }: Pick<Instance, "kind" | "queueKey">): boolean {
  return queueKey !== kind;
}

/** Add a row to the counts by kind, or take it out. */
export function countRow(kinds: Map<string, KindCounts>, row: Row, by: 1 | -1): void {
  const { kind, state } = row.instance;
  let counts = kinds.get(kind);
  if (!counts) kinds.set(kind, counts = emptyCounts());
  counts.states[stateIndex(state)]! += by;
  if (row.isReady === true) counts.ready += by;
  else if (row.isReady === false) counts.later += by;
  if (row.isBehind) counts.behind += by;
}

/** Update the held instances by schedule with a row, if it is held. */
export function countHeld(held: Map<string, number>, row: Row, by: 1 | -1): void {
  const { scheduleId } = row.instance;
  if (scheduleId === null || !isHeld(row)) return;
  const count = (held.get(scheduleId) ?? 0) + by;
  if (count > 0) held.set(scheduleId, count);
  else held.delete(scheduleId);
}

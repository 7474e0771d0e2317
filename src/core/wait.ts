/**
 * The types of waits. "step": a step that failed waits for its next try; "undo": its undo failed
 * for good and waits for a decision; "change": the changed code has to be accepted; "turn": a child
 * waits until fewer of its siblings are under way.
 */
export const WAIT_TYPES = [
  "time",
  "signal",
  "child",
  "children",
  "step",
  "undo",
  "change",
  "turn",
] as const;

/** One thing that a parked instance waits for. */
export interface Wait {
  /** Key of the step record that satisfies it; see {@link STEP_MEMO}. Null for a time alone. */
  readonly key: string | null;
  readonly type: (typeof WAIT_TYPES)[number];
  /** The name that job code gave it; the kind of the children. */
  readonly name: string;
  /** Time at which it ends in any case, epoch ms; null: never. */
  readonly until: number | null;
  /** Of a turn: time from it to the deadline of the child, in milliseconds; absent: none. */
  readonly deadlineMs?: number;
}

/** Start of the keys of memos that record steps; the id of the instance and the step follow. */
export const STEP_MEMO = "step:";

/** Most characters of what a step returned, as JSON. */
export const STEP_CHARS_MAX = 1_048_576;
/** Most characters of the key of a step record. */
export const STEP_KEY_LENGTH_MAX = 400;
/** Most step records of an instance. */
export const STEPS_MAX = 10_000;
/** Most signals that an instance may be sent. */
export const SIGNALS_MAX = 1_000;
/** Most step records of one request. */
export const PUTS_MAX = 500;
/** Most waits of a parked instance. */
export const WAITS_MAX = 1_000;

/** Time for a canceled instance with steps to take back what they did, in milliseconds. */
export const CANCEL_GRACE_MS = 600_000;

/** Wait before the run that takes back what steps did is tried again, in milliseconds. */
export const UNWIND_AGAIN_MS = 5_000;

/** Key of the record that a finished step has an undo. */
export const UNDO_KEY = "undo";
/** Key of the record that all undos have run. */
export const UNDONE_KEY = "undone";
/** Key of the record of the end that an instance has once it has taken back what its steps did. */
export const ENDING_KEY = "ending";

/** Key of the record with which an instance begins a new round, without the steps before it. */
export const CONTINUED_KEY = "continued";

/** The record of a new round. */
export interface Continued {
  /** Number of the round, from 2. */
  readonly round: number;
  /** Its arguments, in place of the instance's. */
  readonly args: readonly unknown[];
  /** Numbers of signals that the round before took, by name. The store numbers the others anew. */
  readonly taken: Readonly<Record<string, number>>;
}

/** Start of the keys of steps in a round. */
export function roundPrefix({ round }: Pick<Continued, "round">): string {
  return round > 1 ? `round-${round}.` : "";
}

/** Name of the signals that decide on an undo that failed for good. */
export const UNDO_SIGNAL = "!undo";
/** Name of the signals that accept changed code; its version follows in the store. */
export const ACCEPT_SIGNAL = "!accept";

/** Due time of a parked instance that no time wakes: the last second of the year 9999. */
export const NEVER_DUE = 253_402_300_799_000;

/** Prefix of the memos with the step records of an instance. */
export function stepPrefix(instanceId: string): string {
  return `${STEP_MEMO}${instanceId}:`;
}

/** Key of the memo of a step record. */
export function stepMemoKey(instanceId: string, key: string): string {
  return stepPrefix(instanceId) + key;
}

/** Key of the record of a signal: the n-th of its name, from 1. */
export function signalKey(name: string, n: number): string {
  return `signal/${name}/${n}`;
}

/** Key of the record that numbers the signals of an instance by name. */
export const SIGNALS_KEY = "signals";

/** Key of the record of a signal's own id, so that the same one counts once. */
export function signalIdKey(id: string): string {
  return `signal@${id}`;
}

/**
 * Key of the outcome of one of several children, from 0: they sort by it. The record of all has the
 * key alone.
 */
export function memberKey(key: string, index: number): string {
  return `${key}/${String(index).padStart(4, "0")}`;
}

/** True for a key of the outcome of one of several children: names in it are encoded. */
export function isMemberKey(key: string): boolean {
  return /^(?:[^:/]*\.)?all:[^/]*\/\d{4}$/.test(key);
}

/** Key of the count of the children that have not ended. */
export function openKey(key: string): string {
  return `${key}/open`;
}

/** Key of the record that all children of a call have been accepted. */
export function madeKey(key: string): string {
  return `${key}/made`;
}

/** True for the key of a record that all children of a call have been accepted. */
export function isMadeKey(key: string): boolean {
  return key.endsWith("/made");
}

/** Key of the record with the ids of some of the children of a call: {@link TURN_IDS} in a row. */
export function turnIdsKey(key: string, index: number): string {
  return `${key}/ids-${Math.floor(index / TURN_IDS)}`;
}

/** True for a key of a record with ids of children. */
export function isTurnIdsKey(key: string): boolean {
  return /\/ids-\d+$/.test(key);
}

/** Ids in one record, each of {@link ID_LENGTH} characters. */
export const TURN_IDS = 100;
/** Characters of an id. */
export const ID_LENGTH = 36;

/** Key of the record that the children of a call take turns. */
export function turnsKey(key: string): string {
  return `turns/${key}`;
}

/** Key of the wait of a child for its turn. */
export const TURN_KEY = "turn";

/** The count of children that have not ended. */
export interface OpenChildren {
  readonly open: number;
  /** All of them. */
  readonly total: number;
  /** Those that failed or were canceled. */
  readonly failed: number;
  /** True to end the wait at the first failure. */
  readonly isFast: boolean;
  /** Failures after which the wait ends; absent: any number, or none if {@link isFast}. */
  readonly failuresMax?: number;
  /** True to record no results. */
  readonly isBare?: true;
  /** Present if the children take turns. */
  readonly turns?: Turns;
}

/** The end of a wait for several children. */
export interface ChildrenEnd {
  /** Those that have not ended, after a failure that ends the wait. */
  readonly open: number;
  /** Id of the last child that ended before it. */
  readonly by: string;
  /** Epoch ms. */
  readonly at: number;
  readonly failed: number;
}

/** The turns of children. */
export interface Turns {
  /** Most children under way at once. */
  readonly max: number;
  /** Place of the next child whose turn it is. */
  readonly next: number;
  /** Children before it that have not ended. */
  readonly running: number;
}

/** The key of all children and the place among them, of a child's `parentStep`; null for one. */
export function groupOf(parentStep: string): string | null {
  const place = parentStep.lastIndexOf("/");
  return place < 0 ? null : parentStep.slice(0, place);
}

/** The record of a step. */
export interface StepPut {
  /** Of at most `STEP_KEY_LENGTH_MAX` characters. */
  readonly key: string;
  /** JSON text of at most `STEP_CHARS_MAX` characters. */
  readonly data: string;
  /** True to keep a record that exists. */
  readonly isNew?: boolean;
}

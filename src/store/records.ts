import type { Instance, StoredLogEntry } from "../core/instance.ts";
import type { MovedTo } from "../core/store_address.ts";
import type { ScheduleRecord, TickFate } from "../core/job/schedule.ts";
import type { Instant } from "../platform/clock.ts";
import type { EndedAttempt } from "./ledger/tables/row.ts";
import type { Committed, Pause } from "./requests.ts";

/** The store's own numbers: a store that they are written to goes on from them, and never below its own. */
export interface HeadRecord {
  readonly type: "head";
  /** The recorded time, epoch ms. */
  readonly at: number;
  readonly epoch: number;
}

/** An instance with what departed from its ordinary history, read at one moment. */
export interface InstanceRecord {
  readonly type: "instance";
  /** Place in the order of acceptance: a positive integer, rising strictly; kept by the store that it is written to. */
  readonly order: number;
  readonly instance: Instance;
  /** Whether it waits until one of its schedule before it is final, whatever its due time. */
  readonly isHeld: boolean;
  /** Oldest first. */
  readonly departures: readonly EndedAttempt[];
}

/** One line of an instance's log. */
export interface LogRecord {
  readonly type: "log";
  /** Place in the order of writing: a positive integer, rising strictly; kept by the store that it is written to. */
  readonly order: number;
  readonly line: StoredLogEntry;
}

/** Starts that a rate counts; they lose their meaning by themselves. */
export interface RateRecord {
  readonly type: "rate";
  readonly kind: string;
  /** The kind itself, or the empty text, where a rate counts the whole kind; as the store has it. */
  readonly queueKey: string;
  readonly perMs: number;
  /** Times, epoch ms, and how many at each, oldest first. */
  readonly starts: readonly (readonly [at: number, count: number])[];
  /** When the last of them no longer counts, epoch ms. */
  readonly expireAt: number;
}

/**
 * One thing that a store holds, the same from every store. What a store can tell from these (indexes, counts, whether a row is
 * ready, when it may be deleted, what a rate holds back) is no record; nor are leases and nodes, which do not outlive a move.
 */
export type StoreRecord =
  | HeadRecord
  | { readonly type: "schedule"; readonly schedule: ScheduleRecord }
  | { readonly type: "pause"; readonly pause: Pause }
  | InstanceRecord
  | { readonly type: "tick"; readonly fate: TickFate }
  | RateRecord
  | LogRecord;

/** What one record is found by. */
export type RecordKey =
  | { readonly type: "head" }
  | { readonly type: "schedule"; readonly id: string }
  /** Null for the pause of all kinds. */
  | { readonly type: "pause"; readonly kind: string | null }
  | { readonly type: "instance"; readonly order: number }
  | { readonly type: "tick"; readonly scheduleId: string; readonly from: number }
  | {
    readonly type: "rate";
    readonly kind: string;
    readonly queueKey: string;
    readonly perMs: number;
  }
  | { readonly type: "log"; readonly order: number };

/**
 * The order in which records are read. Schedules come before instances, and these before fates: a tick that fires while
 * a store is read is then fired again by its cursor, or has its instance, and is never lost. Logs follow their instances.
 */
export const RECORD_TYPES = [
  "head",
  "schedule",
  "pause",
  "instance",
  "tick",
  "rate",
  "log",
] as const satisfies readonly StoreRecord["type"][];

/** Some records, in the order of {@link comparePlaces}. */
export interface RecordPage {
  readonly records: readonly StoreRecord[];
  /** Whether none followed when it was read; a page may be short although more follow. */
  readonly isEnd: boolean;
}

/** Something in a store that cannot be. */
export interface StoreProblem {
  /** What was checked, in a few words: `counts`, `index instance_id`, `instance`, `log`. */
  readonly check: string;
  /** What was found against what is wanted, with the id of what it is about. */
  readonly message: string;
}

/** What stands over a whole store. */
export type StoreMark =
  /** Being filled by a move or a restore: nobody else opens it. `from` names what it is filled from, `by` the run that does so. */
  | { readonly type: "receiving"; readonly from: string; readonly by?: string }
  /** About to move: claims give nothing, and what is new is refused, until the time `until`, epoch ms. */
  | MovedTo & { readonly type: "draining"; readonly until: number }
  /** Moved: every write is refused, and so is an opening. */
  | MovedTo & { readonly type: "moved" };

/** How much room a store takes. */
export interface StoreSize {
  /** Null when the store cannot tell. */
  readonly bytes: number | null;
  /** Of these, those that a compaction would give back. */
  readonly freeBytes: number | null;
}

/** Everything in a store, read and written as it is: how it is moved, saved, put back and checked. */
export interface RecordStore {
  /**
   * Records whose place is after `after` (null: from the first), at most `limit`, in the order of places. Of what is there all the
   * while, nothing is left out and nothing comes twice, whatever others write between two pages.
   */
  readRecords(
    request: { readonly after: RecordKey | null; readonly limit: number },
  ): Promise<RecordPage>;
  /**
   * Write records as they are, each in place of the one with its key; twice is as good as once. A processing instance holds no
   * lease: it is taken back at the next opening or reaping. An instance whose id is held under another order takes its place; a log
   * line without its instance is left out. The head only raises. Answers how many were written.
   */
  writeRecords(
    request: { readonly at: Instant; readonly records: readonly StoreRecord[] },
  ): Promise<Committed<number>>;
  /** Delete records; an instance goes with its departures and log lines. Answers how many there were. */
  removeRecords(
    request: { readonly at: Instant; readonly keys: readonly RecordKey[] },
  ): Promise<Committed<number>>;

  /** What stands over the store; null for nothing. A draining whose time has passed is nothing. */
  getMark(): Promise<StoreMark | null>;
  /**
   * Put a mark over the store, or take it away. Under "draining" a claim gives nothing and enqueue, redrive, advance, backfill and what
   * changes schedules and pauses are `unavailable`, naming where it moves; attempts go on and settle. Under "moved" every write
   * but this one, and those of records and of nodes, is.
   */
  setMark(
    request: { readonly at: Instant; readonly mark: StoreMark | null },
  ): Promise<Committed<StoreMark | null>>;

  /** Look for what cannot be: indexes and counts against rows, rows against themselves. At most `limit` problems. */
  findProblems(request: { readonly limit: number }): Promise<readonly StoreProblem[]>;
  /** Delete what belongs to nothing: log lines and departures without their instance. Answers how many. */
  removeOrphans(
    request: { readonly at: Instant; readonly limit: number },
  ): Promise<Committed<number>>;
  size(): Promise<StoreSize>;
  /** Give back room that nothing uses; what it can. */
  compact(): Promise<void>;
}

/** What a record is found by. */
export function keyOf(record: StoreRecord): RecordKey {
  switch (record.type) {
    case "head":
      return { type: "head" };
    case "schedule":
      return { type: "schedule", id: record.schedule.id };
    case "pause":
      return { type: "pause", kind: record.pause.kind };
    case "instance":
    case "log":
      return { type: record.type, order: record.order };
    case "tick":
      return { type: "tick", scheduleId: record.fate.scheduleId, from: record.fate.from };
    case "rate": {
      const { kind, queueKey, perMs } = record;
      return { type: "rate", kind, queueKey, perMs };
    }
  }
}

/** Negative when `left` is read before `right`: by type, then by key, texts by code point (as UTF-8 bytes) and null first. */
export function comparePlaces(left: RecordKey, right: RecordKey): number {
  const types = RECORD_TYPES.indexOf(left.type) - RECORD_TYPES.indexOf(right.type);
  if (types !== 0) return types;
  const rights = partsOf(right);
  for (const [index, part] of partsOf(left).entries()) {
    const order = compareParts(part, rights[index]!);
    if (order !== 0) return order;
  }
  return 0;
}

/** Negative when `left` comes first by code point, which is the order of UTF-8 bytes. */
export function compareText(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index++) {
    const [a, b] = [left.charCodeAt(index), right.charCodeAt(index)];
    if (a === b) continue;
    // Halves of characters beyond 16 bits come after all that fit.
    const isHalf = (unit: number) => unit >= 0xd800 && unit <= 0xdfff;
    return isHalf(a) === isHalf(b) ? a - b : isHalf(a) ? 1 : -1;
  }
  return left.length - right.length;
}

/**
 * A record as text, the same from every store: JSON with members in the order of their names, without those that are undefined
 * and without the numbers that are the store's own (`order`).
 */
export function canonicalText(record: StoreRecord): string {
  const { order: _, ...rest } = record as StoreRecord & { readonly order?: number };
  return JSON.stringify(sorted(rest));
}

/** Whether a record counts in a hash of content: not the store's own numbers, nor rates, which change by themselves. */
export function isContent(record: StoreRecord): boolean {
  return record.type !== "head" && record.type !== "rate";
}

type Part = string | number | null;

function partsOf(key: RecordKey): readonly Part[] {
  switch (key.type) {
    case "head":
      return [];
    case "schedule":
      return [key.id];
    case "pause":
      return [key.kind];
    case "instance":
    case "log":
      return [key.order];
    case "tick":
      return [key.scheduleId, key.from];
    case "rate":
      return [key.kind, key.queueKey, key.perMs];
  }
}

function compareParts(left: Part, right: Part): number {
  if (typeof left === "number" && typeof right === "number") return left - right;
  if (left === null || right === null) return Number(left !== null) - Number(right !== null);
  return compareText(String(left), String(right));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  members.sort(([left], [right]) => compareText(left, right));
  return Object.fromEntries(members.map(([name, member]) => [name, sorted(member)]));
}

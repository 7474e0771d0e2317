import type { Instance, Reason, StoredLogEntry } from "../core/instance.ts";
import type { MovedTo } from "../core/settings/store_address.ts";
import type { ScheduleRecord, TickFate } from "../core/time/schedule.ts";
import { NEWER_FIELDS } from "./instance_fields.ts";
import type { Memo, Pause, Write } from "./requests.ts";

/** The store's own numbers. A store that receives them continues from them, never below its own. */
export interface HeadRecord {
  readonly type: "head";
  /** The recorded time, epoch ms. */
  readonly at: number;
  readonly epoch: number;
}

/** An attempt that ended with the instance scheduled again; its row no longer contains it. */
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

/** An instance with its ended attempts, read at one moment. */
export interface InstanceRecord {
  readonly type: "instance";
  /** Place in the order of acceptance: a positive, rising integer, kept by the receiving store. */
  readonly order: number;
  readonly instance: Instance;
  /** True if it is held until earlier instances of its schedule are final, whether due or not. */
  readonly isHeld: boolean;
  /** Oldest first. */
  readonly departures: readonly EndedAttempt[];
}

/** One line of an instance's log. */
export interface LogRecord {
  readonly type: "log";
  /** Place in the order of writing: a positive, rising integer, kept by the receiving store. */
  readonly order: number;
  readonly line: StoredLogEntry;
}

/** Starts that a rate limit counts; they expire. */
export interface RateRecord {
  readonly type: "rate";
  readonly kind: string;
  /** The kind or the empty text, as stored, if the rate counts the whole kind. */
  readonly queueKey: string;
  readonly perMs: number;
  /** Times, epoch ms, and the number at each, oldest first. */
  readonly starts: readonly (readonly [at: number, count: number])[];
  /** When the last start stops counting, epoch ms. */
  readonly expireAt: number;
}

/**
 * One item of a store, the same from every store. Records omit data that a store can derive
 * (indexes, counts, whether a row is ready, when it may be deleted, delays by rates), and leases
 * and nodes, which do not outlive a move.
 */
export type StoreRecord =
  | HeadRecord
  | { readonly type: "schedule"; readonly schedule: ScheduleRecord }
  | { readonly type: "pause"; readonly pause: Pause }
  | InstanceRecord
  | { readonly type: "tick"; readonly fate: TickFate }
  | RateRecord
  | { readonly type: "memo"; readonly memo: Memo }
  | LogRecord;

/** Identifies one record. */
export type RecordKey =
  | { readonly type: "head" }
  | { readonly type: "schedule"; readonly id: string }
  /** Null for the pause of all kinds. */
  | { readonly type: "pause"; readonly kind: string | null }
  | { readonly type: "instance"; readonly order: number }
  | { readonly type: "tick"; readonly scheduleId: string; readonly from: number }
  | Pick<RateRecord, "type" | "kind" | "queueKey" | "perMs">
  | { readonly type: "memo"; readonly key: string }
  | { readonly type: "log"; readonly order: number };

/** The members of each type's key, in comparison order. */
const KEY_MEMBERS = {
  head: [],
  schedule: ["id"],
  pause: ["kind"],
  instance: ["order"],
  tick: ["scheduleId", "from"],
  rate: ["kind", "queueKey", "perMs"],
  memo: ["key"],
  log: ["order"],
} as const satisfies {
  readonly [Type in RecordKey["type"]]: readonly Exclude<
    keyof Extract<RecordKey, { readonly type: Type }>,
    "type"
  >[];
};

/**
 * Reading order of records. Schedules come before instances, and instances before fates: a tick
 * that fires while a store is read is either fired again by its cursor or has its instance, and is
 * never lost. Memos come after the instances of their news. Logs follow their instances.
 */
export const RECORD_TYPES = Object.keys(KEY_MEMBERS) as readonly StoreRecord["type"][];

/** Records, in the order of {@link comparePlaces}. */
export interface RecordPage {
  readonly records: readonly StoreRecord[];
  /** True if it was the last when read. A page may be short although more follow. */
  readonly isEnd: boolean;
}

/** An inconsistency in a store. */
export interface StoreProblem {
  /** The check that found it, in a few words: `counts`, `index instance_id`, `instance`, `log`. */
  readonly check: string;
  /** The found and the expected state, with the id concerned. */
  readonly message: string;
}

/** A state of the whole store that restricts its use. */
export type StoreMark =
  /**
   * Being filled by a move or a restore: nobody else may open it. `from` names the source, `by` the
   * filler.
   */
  | { readonly type: "receiving"; readonly from: string; readonly by?: string }
  /** About to move: until `until`, epoch ms, claims return nothing and new work is refused. */
  | MovedTo & { readonly type: "draining"; readonly until: number }
  /** Moved: all writes, and opening it, are refused. */
  | MovedTo & { readonly type: "moved" };

/** The size of a store. */
export interface StoreSize {
  /** Null if the store does not know. */
  readonly bytes: number | null;
  /** The part that compacting would release. */
  readonly freeBytes: number | null;
  /** The size of its write-ahead log; absent or null without one. */
  readonly walBytes?: number | null;
}

/** Everything in a store, read and written unchanged: to move, back up, restore and check it. */
export interface RecordStore {
  /**
   * Records after `after` (null: from the first), at most `limit`, in the order of places. Records
   * that exist throughout are neither missed nor repeated, even if others write between two pages.
   */
  readRecords(
    request: { readonly after: RecordKey | null; readonly limit: number },
  ): Promise<RecordPage>;
  /**
   * Write records unchanged, each replacing the one with its key; repeating it has no effect. A
   * processing instance gets no lease: the next opening or reaping takes it back. An instance whose
   * id exists under another order takes its place; a log line without its instance is skipped. The
   * head only rises. @returns number written
   */
  writeRecords: Write<{ readonly records: readonly StoreRecord[] }, number>;
  /** Delete records; an instance with its ended attempts and log lines. @returns number deleted */
  removeRecords: Write<{ readonly keys: readonly RecordKey[] }, number>;

  /** The store's mark; null for none, or for a drain whose time has passed. */
  getMark(): Promise<StoreMark | null>;
  /**
   * Set the store's mark, or remove it with null. While "draining", claims return nothing, and
   * enqueue, redrive, advance, backfill and changes of schedules and pauses are `unavailable`, with
   * the target's name; running attempts continue and settle. Once "moved", every write is
   * `unavailable`, except this one and writes of records and nodes.
   */
  setMark: Write<{ readonly mark: StoreMark | null }, StoreMark | null>;

  /** Check indexes and counts against rows, and each row alone. Returns up to `limit` problems. */
  findProblems(request: { readonly limit: number }): Promise<readonly StoreProblem[]>;
  /** Delete log lines and ended attempts without an instance. @returns the number deleted */
  removeOrphans: Write<{ readonly limit: number }, number>;
  size(): Promise<StoreSize>;
  /** Release unused space, as far as possible. */
  compact(): Promise<void>;
}

/** The key of a record. */
export function keyOf(record: StoreRecord): RecordKey {
  switch (record.type) {
    case "head":
      return { type: "head" };
    case "schedule":
      return { type: "schedule", id: record.schedule.id };
    case "pause":
      return { type: "pause", kind: record.pause.kind };
    case "memo":
      return { type: "memo", key: record.memo.key };
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

/**
 * Negative when `left` is read before `right`: by type, then by key, with text by code point (as
 * UTF-8 bytes) and null first.
 */
export function comparePlaces(left: RecordKey, right: RecordKey): number {
  const types = RECORD_TYPES.indexOf(left.type) - RECORD_TYPES.indexOf(right.type);
  if (types !== 0) return types;
  const parts = (key: RecordKey) => key as unknown as Readonly<Record<string, Part>>;
  for (const name of KEY_MEMBERS[left.type]) {
    const order = compareParts(parts(left)[name]!, parts(right)[name]!);
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
    // Surrogates, the halves of characters beyond 16 bits, come after all others.
    const isHalf = (unit: number) => unit >= 0xd800 && unit <= 0xdfff;
    return isHalf(a) === isHalf(b) ? a - b : isHalf(a) ? 1 : -1;
  }
  return left.length - right.length;
}

/** The place of a text in the order of {@link compareText}, present or not. */
export function placeOfText(texts: readonly string[], text: string): number {
  let low = 0;
  let high = texts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareText(texts[middle]!, text) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The instance of a record, also of an older backup. */
export function wholeInstance(recorded: Instance): Instance {
  return { ...NEWER_FIELDS, ...recorded };
}

/**
 * A record as text, the same from every store: JSON with members ordered by name, without undefined
 * members and without the store's own numbers (`order`).
 */
export function canonicalText(record: StoreRecord): string {
  const { order: _, ...rest } = record as StoreRecord & { readonly order?: number };
  if (!("instance" in rest)) return JSON.stringify(sorted(rest));
  // Backups of older versions lack them.
  const newer: Readonly<Record<string, unknown>> = NEWER_FIELDS;
  const unusual = Object.entries(rest.instance).filter(([name, value]) => value !== newer[name]);
  return JSON.stringify(sorted({ ...rest, instance: Object.fromEntries(unusual) }));
}

/** True if a record counts in a hash of the content: not the store's numbers and changing rates. */
export function isContent(record: StoreRecord): boolean {
  return record.type !== "head" && record.type !== "rate";
}

type Part = string | number | null;

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

import type { JobError } from "../../../core/errors.ts";
import type { ScheduleRecord, TickFate } from "../../../core/time/schedule.ts";
import type { JobState } from "../../../core/state.ts";
import type { NodeRecord } from "../../nodes.ts";
import type { EndedAttempt, StoreMark, StoreProblem, StoreSize } from "../../records.ts";
import type {
  GapRequest,
  LaterRequest,
  Memo,
  MemoWatch,
  OpenRequest,
  Pause,
  StoreInfo,
  UpcomingInstance,
} from "../../store.ts";
import type { KindCounts, LogRow, PlacedLog, ReadyKey, Row } from "./row.ts";

/** Written by every transaction that changes something. */
export interface Head {
  /** Revision of the last operation. */
  readonly rev: number;
  /** The store's time, epoch ms. */
  readonly at: number;
  /** Seq of the last accepted instance. */
  readonly seq: number;
}

/** The indexes that a scan can read, each ordered by `seq`. */
export type Index =
  | { readonly type: "all" }
  /** May include rows with other ids. */
  | { readonly type: "idPrefix"; readonly idPrefix: string }
  | { readonly type: "kindState"; readonly kind: string; readonly state: JobState }
  | { readonly type: "schedule"; readonly scheduleId: string }
  /** Unfinished instances of one schedule. */
  | { readonly type: "openSchedule"; readonly scheduleId: string }
  | { readonly type: "uniqueKey"; readonly uniqueKey: string }
  | { readonly type: "retryOf"; readonly retryOf: string }
  | { readonly type: "parent"; readonly parentId: string }
  | { readonly type: "flow"; readonly flowId: string };

/** A part of an index: `from` ≤ seq ≤ `to`. */
export interface Range {
  readonly from: number;
  readonly to: number;
  readonly isReverse: boolean;
  readonly limit: number;
  /** Reading stops once the payloads have this many characters; absent: no such limit. */
  readonly charsMax?: number;
}

/** An index whose rows can be counted: of a state by seq, or not due yet by due time. */
export type CountedIndex =
  | { readonly type: "kindState"; readonly kind: string; readonly state: JobState }
  | { readonly type: "later"; readonly kind: string };

/** Rows counted in spans. */
export interface Tally {
  /** One for each span. */
  readonly counts: readonly number[];
  readonly isEstimate: boolean;
  /** The number of rows read, its cost. */
  readonly readCount: number;
}

/** The log lines to read, by place in the store or by time. */
export interface LogRange {
  /** Lines of one instance, in the order written; null: lines of all instances. */
  readonly instanceSeq: number | null;
  /**
   * The order of lines: of all instances by time and then place, or as written, from the oldest or
   * back from the newest. "back": of one instance back from a place.
   */
  readonly order: "time" | "written" | "newest" | "back";
  /**
   * Place, and time in that order, of the line before the first; absent: from the first. Ignored
   * for the newest. In the order "back", the place after the first line.
   */
  readonly afterPlace?: number;
  readonly afterAt?: number;
  /** In the order of time, lines before this one, epoch ms; absent: all. */
  readonly beforeAt?: number;
  readonly limit: number;
  /** Reading stops once the lines have this many characters; absent: no such limit. */
  readonly charsMax?: number;
}

/** A row that has just become due. */
export interface PromotedRow extends ReadyKey {
  readonly kind: string;
  readonly queueKey: string;
}

/** A queue within a kind. Instances without a key share the queue named after their kind. */
export interface QueueName {
  readonly kind: string;
  readonly queueKey: string;
}

/** A queue that its rate limit delays: claims get none of its rows until then. */
export interface QueueDelay extends QueueName {
  /** Epoch ms. */
  readonly until: number;
  /** The limits that caused it, as text; other limits end it. */
  readonly stamp: string;
}

/** Starts in a rate's window: times, epoch ms, and the number at each, oldest first. */
export type Starts = readonly (readonly [at: number, count: number])[];

/** The starts that count together. */
export interface RateWindow extends QueueName {
  readonly perMs: number;
}

/** A window with its starts. */
export interface RateStarts extends RateWindow {
  readonly starts: Starts;
  /** When the last start stops counting, epoch ms. */
  readonly expireAt: number;
}

/** Instances and the indexes to find them. */
export interface InstanceTable {
  /** Insert a row: a new one, or one started or finished elsewhere. */
  insert(row: Row): void;
  update(before: Row, after: Row): void;
  /** Delete an instance and its ended attempts. */
  remove(row: Row): void;
  get(id: string): Row | null;
  openByKey(uniqueKey: string): Row | null;
  /** The number of unfinished instances of a kind by the queue whose slot they keep. */
  keptSlots(kind: string): Map<string, number>;
  /** True if the schedule has an unfinished instance. */
  hasOpen(scheduleId: string): boolean;
  scan(index: Index, range: Range): readonly Row[];
  /**
   * Count the rows of an index in spans: span i is from `bounds[i]` to before the next.
   *
   * @param most.rows most rows of the index
   * @param most.read number of rows to read; beyond that, counts are estimated
   */
  tally(
    index: CountedIndex,
    bounds: readonly number[],
    most: { readonly rows: number; readonly read: number },
  ): Tally;
  /**
   * Ids that contain a text, newest first, and now and then, to let other work run, the number of
   * ids compared since.
   */
  idsWith(part: string): Iterable<string | number>;
  /** The seq and creation time of the first row at or after `seq`. */
  createdFrom(seq: number): { readonly seq: number; readonly createdAt: number } | null;
  /** Final rows past their retention, the earliest first. */
  expired(wallMs: number, limit: number): readonly Row[];
  /** Waiting rows, held ones included, with `deadlineAt` ≤ `wallMs`, earliest first. */
  pastDeadline(wallMs: number, limit: number): readonly Row[];
  /** The number of held instances by schedule; schedules without any are absent. */
  countHeld(): Map<string, number>;
}

/** Waiting instances in the order of claims. */
export interface WaitingTable {
  /** Unblocked ready rows of a kind in claim order, after `after`. */
  ready(kind: string, limit: number, after?: ReadyKey): readonly Row[];
  firstReady(kind: string): ReadyKey | null;
  /**
   * Make waiting rows with `dueAt` ≤ `wallMs` ready, earliest first. Rows with a queue key go
   * behind the first of their queue.
   */
  promote(wallMs: number, limit: number): readonly PromotedRow[];
  /** The first ready row of a queue with a key: the offered one, or the first one behind it. */
  firstOfQueue(queue: QueueName, isBehind: boolean): Row | null;
  /** Unready rows due in a span, by due time: of a kind, or of all. */
  later(
    kind: string | null,
    span: Omit<LaterRequest, "kinds">,
  ): readonly Row[];
  /** The first unready rows by their due time: of a kind, or of all. */
  soonest(kind: string | null, limit: number): readonly UpcomingInstance[];
  /** The earliest due time of unready rows: of a kind, or of all. */
  firstLater(kind: string | null): number | null;
}

/** The kinds with their instances counted. */
export interface KindTable {
  read(): Map<string, KindCounts>;
  save(kind: string, counts: KindCounts): void;
}

/** Delays of queues, and the starts that rate limits count. */
export interface LimitTable {
  delayOf(queue: QueueName): QueueDelay | null;
  saveDelay(delay: QueueDelay): void;
  removeDelay(queue: QueueName): void;
  /** Delays whose time is over, earliest first. */
  endedDelays(wallMs: number, limit: number): readonly QueueDelay[];
  /** When the first delay ends: of a kind, or of all. */
  firstDelay(kind: string | null): number | null;
  /** End the delays of a kind with another stamp, or all delays. @returns their number */
  endDelays(kind: string | null, stamp: string | null): number;
  /**
   * Starts of a window. If the queue has no starts for this span, it returns its longest window's:
   * its rate had another span before.
   */
  starts(window: RateWindow): Starts;
  /** @param expireAt when the last start stops counting, epoch ms */
  saveStarts(window: RateWindow, starts: Starts, expireAt: number): void;
  /** Windows by kind, queue (by code point) and span, after one. */
  windows(after: RateWindow | null, limit: number): readonly RateStarts[];
  /** @returns true if there was one */
  removeWindow(window: RateWindow): boolean;
  /** Delete windows that expired before `before`. @returns their number */
  removeExpired(before: number, limit: number): number;
}

/** Attempts that ended with their instance scheduled again. */
export interface EndedAttemptTable {
  add(row: Row, ended: EndedAttempt): void;
  /** Attempts of an instance, from attempt `fromAttempt` on. */
  list(seq: number, fromAttempt: number, limit: number): readonly EndedAttempt[];
  byFence(seq: number, fence: number): EndedAttempt | null;
}

/** Log lines. */
export interface LogTable {
  add(row: Row, lines: readonly LogRow[]): void;
  /** Write a line at a free place; later lines come after it. */
  write(row: Row, place: number, line: LogRow): void;
  /** Number of the last line of an instance; 0 for none. */
  lastSeq(seq: number): number;
  read(range: LogRange): readonly PlacedLog[];
  /** Delete the first lines of an instance. @returns their number */
  removeOf(seq: number, limit: number): number;
  /** @returns number deleted */
  remove(places: readonly number[]): number;
}

/** Schedules by id and by their next tick. */
export interface ScheduleTable {
  get(id: string): ScheduleRecord | null;
  save(record: ScheduleRecord): void;
  remove(id: string): void;
  count(): number;
  /** Items after `afterId`, in the given direction. */
  list(
    range: {
      readonly afterId: string | null;
      readonly isReverse: boolean;
      readonly limit: number;
    },
  ): readonly ScheduleRecord[];
  /** Schedules whose next tick is due, earliest first, without the first `skip`. */
  due(
    wallMs: number,
    page: { readonly limit: number; readonly skip?: number },
  ): readonly ScheduleRecord[];
  /** The earliest next tick; null for none. */
  firstAt(): number | null;
}

/** Fates of ticks. */
export interface TickTable {
  add(fate: TickFate): void;
  remove(scheduleId: string, from: number): void;
  /** Fates of a schedule with `from` in the range. */
  list(scheduleId: string, range: Range): readonly TickFate[];
  /** Fates of all schedules by schedule (by code point) and time, after one. */
  all(
    after: { readonly scheduleId: string; readonly from: number } | null,
    limit: number,
  ): readonly TickFate[];
  /** Ticks without a run, latest first; see `isGap`. */
  gaps(request: GapRequest): readonly TickFate[];
  /** Delete fates recorded before `before`, epoch ms. @returns their number */
  removeRecorded(before: number, limit: number): number;
}

/** Pauses by kind. */
export interface PauseTable {
  all(): readonly Pause[];
  save(pause: Pause): void;
  remove(kind: string | null): void;
}

/** Memos to list: keys that begin with `prefix`, after `after`. */
export interface MemoRange {
  readonly prefix: string;
  readonly after: string | null;
  readonly limit: number;
}

/** Memos by key (by code point). */
export interface MemoTable {
  get(key: string): Memo | null;
  list(range: MemoRange): readonly Memo[];
  save(memo: Memo): void;
  remove(key: string): void;
  /** The watches of all memos whose watch is not "failures", by key. */
  watches(): ReadonlyMap<string, MemoWatch>;
}

/** The store as a whole: its mark, its size, and checks of its content. */
export interface MaintenanceTable {
  readMark(): StoreMark | null;
  saveMark(mark: StoreMark | null): void;
  /** Delete log lines and ended attempts without an instance. @returns their number */
  removeOrphans(limit: number): number;
  /** Problems that the medium finds in its data. */
  findProblems(limit: number): readonly StoreProblem[];
  size(): StoreSize;
  /** Release unused space; outside a transaction. */
  compact(): void;
}

/** Written only where several owners share the data; a single owner keeps these in memory. */
export interface SharedTable {
  /** The claim of a row is valid for this long from now. */
  saveLease(row: Row, leaseMs: number): void;
  /** @param record null deletes the node */
  saveNode(id: string, record: NodeRecord | null): void;
}

/**
 * Rows and their indexes by subject; the ledger gives them their meaning. All calls are
 * synchronous. Writes precede a `commit`, and throw JobError when the medium fails.
 */
export interface Tables {
  readonly instances: InstanceTable;
  readonly waiting: WaitingTable;
  readonly kinds: KindTable;
  readonly limits: LimitTable;
  readonly endedAttempts: EndedAttemptTable;
  readonly logs: LogTable;
  readonly schedules: ScheduleTable;
  readonly ticks: TickTable;
  readonly pauses: PauseTable;
  readonly memos: MemoTable;
  readonly maintenance: MaintenanceTable;
  /** Absent for a single owner. */
  readonly shared?: SharedTable;

  commit(head: Head): void;
  rollback(): void;
  /** The head as last committed. */
  readHead(): Head;
  /** Set the epoch to this higher one. */
  raiseEpoch(epoch: number): void;
  /** Called while nothing runs: release memory that only speeds up reading. */
  rest?(): void;
}

/** Tables that one process owns. */
export interface OwnedTables extends Tables, Pick<StoreInfo, "isDurable" | "type" | "location"> {
  open(request: OpenRequest): Pick<StoreInfo, "storeId" | "epoch" | "format"> & Head;
  close(): void;
  /** Why nothing may be written now; null if allowed, absent if always allowed. */
  readonly problem?: JobError | null | undefined;
  /** Begin a transaction. @returns false when the medium is busy for the moment */
  begin(): boolean;
}

import type { ScheduleRecord, TickFate } from "../../../core/job/schedule.ts";
import type { JobState } from "../../../core/state.ts";
import type { NodeRecord } from "../../nodes.ts";
import type { StoreMark, StoreProblem, StoreSize } from "../../records.ts";
import type { OpenRequest, Pause, StoreInfo } from "../../store.ts";
import type { EndedAttempt, KindCounts, LogRow, PlacedLog, ReadyKey, Row } from "./row.ts";

/** What is written with every transaction that wrote something. */
export interface Head {
  /** Of the last operation. */
  readonly rev: number;
  /** The store's time, epoch ms. */
  readonly at: number;
  /** Of the last accepted instance. */
  readonly seq: number;
}

/** The indexes that a scan can read, each ordered by `seq`. */
export type Index =
  | { readonly type: "all" }
  /** May hold rows with other ids too. */
  | { readonly type: "idPrefix"; readonly idPrefix: string }
  | { readonly type: "kindState"; readonly kind: string; readonly state: JobState }
  | { readonly type: "schedule"; readonly scheduleId: string }
  /** Unfinished instances of one schedule. */
  | { readonly type: "openSchedule"; readonly scheduleId: string }
  | { readonly type: "uniqueKey"; readonly uniqueKey: string }
  | { readonly type: "retryOf"; readonly retryOf: string };

/** A part of an index: `from` ≤ seq ≤ `to`. */
export interface Range {
  readonly from: number;
  readonly to: number;
  readonly isReverse: boolean;
  readonly limit: number;
  /** Rows are read until their payloads have this many characters; absent for no such limit. */
  readonly charsMax?: number;
}

/** Which log lines, by place in the store or by time. */
export interface LogRange {
  /** The instance's seq: lines in the order written; null: lines of all. */
  readonly instanceSeq: number | null;
  /** Of lines of all: by time and then place, or in the order written, from the oldest or back from the newest. */
  readonly order: "time" | "written" | "newest";
  /** Time and place of the line before the first; times count only in that order, and nothing does for the newest. */
  readonly afterAt: number;
  readonly afterPlace: number;
  /** Lines before this time, epoch ms. */
  readonly beforeAt: number;
  readonly limit: number;
  /** Lines are read until they have this many characters; absent for no such limit. */
  readonly charsMax?: number;
}

/** A row that became ready by the passing of time. */
export interface PromotedRow extends ReadyKey {
  readonly kind: string;
  readonly queueKey: string;
}

/** A queue within a kind; its key is the kind for all that have none. */
export interface QueueName {
  readonly kind: string;
  readonly queueKey: string;
}

/** A queue that a rate holds back: none of its rows is offered to a claim. */
export interface Hold extends QueueName {
  /** Epoch ms. */
  readonly until: number;
  /** The limits that hold it, as text: others let it go. */
  readonly stamp: string;
}

/** Starts of a queue within a span: times, epoch ms, and how many at each, oldest first. */
export type Starts = readonly (readonly [at: number, count: number])[];

/** Which starts are counted together. */
export interface RateWindow extends QueueName {
  readonly perMs: number;
}

/** A window with its starts. */
export interface RateStarts extends RateWindow {
  readonly starts: Starts;
  /** When the last of them no longer counts, epoch ms. */
  readonly expireAt: number;
}

/**
 * Rows and their indexes, all calls synchronous; what they mean is the ledger's matter. Calls that write stand between
 * `begin` and `commit`. They throw JobError when the medium fails.
 */
export interface Tables {
  readonly isDurable: boolean;
  readonly type: string;
  readonly location: string;

  open(request: OpenRequest): Pick<StoreInfo, "storeId" | "epoch" | "format"> & Head;
  close(): void;
  /** False when the medium is busy for the moment. */
  begin(): boolean;
  commit(head: Head): void;
  rollback(): void;
  /** The head as last committed. */
  readHead(): Head;
  /** Where several owners share the data: write how long a claim holds from now on, or forget a node with null. */
  saveLease?(row: Row, leaseMs: number): void;
  saveNode?(id: string, record: NodeRecord | null): void;

  insert(row: Row): void;
  /** Write a row that is not there with all it has: one that was begun or ended elsewhere. */
  put(row: Row): void;
  update(before: Row, after: Row): void;
  /** Delete an instance with its departures. */
  remove(row: Row): void;
  get(id: string): Row | null;
  openByKey(uniqueKey: string): Row | null;
  hasOpen(scheduleId: string): boolean;
  scan(index: Index, range: Range): readonly Row[];
  /** The first row at or after `seq`: where it is and when it was created. */
  createdFrom(seq: number): { readonly seq: number; readonly createdAt: number } | null;

  /** Waiting rows of a kind that were seen due and stand behind none, in claim order, those after `after`. */
  ready(kind: string, limit: number, after?: ReadyKey): readonly Row[];
  firstReady(kind: string): ReadyKey | null;
  /** Mark waiting rows with `dueAt` ≤ `wallMs` as ready, earliest first; those with a queue key as behind. */
  promote(wallMs: number, limit: number): readonly PromotedRow[];
  /** The first ready row of a queue with a key: of those that stand behind, or the one that does not. */
  firstOfQueue(queue: QueueName, isBehind: boolean): Row | null;
  /** The earliest due time of rows that are not ready: of a kind, or of all. */
  firstLater(kind: string | null): number | null;

  hold(queue: QueueName): Hold | null;
  saveHold(hold: Hold): void;
  removeHold(queue: QueueName): void;
  /** Holds that ended, earliest first. */
  endedHolds(wallMs: number, limit: number): readonly Hold[];
  /** When the first hold ends: of a kind, or of all. */
  firstHold(kind: string | null): number | null;
  /** End the holds of a kind whose stamp is another, or all of them; answers how many. */
  endHolds(kind: string | null, stamp: string | null): number;
  /** Those of the longest window of the queue when there are none of its own: another span was counted so far. */
  starts(window: RateWindow): Starts;
  /** @param expireAt when the last of them no longer counts, epoch ms */
  saveStarts(window: RateWindow, starts: Starts, expireAt: number): void;
  /** Windows by kind, queue (by code point) and span, after one. */
  rates(after: RateWindow | null, limit: number): readonly RateStarts[];
  /** Whether there was one. */
  removeRate(window: RateWindow): boolean;
  /** Forget starts that expired before `before`; answers how many windows. */
  removeStarts(before: number, limit: number): number;

  addDeparture(row: Row, departure: EndedAttempt): void;
  /** From attempt `fromAttempt` on. */
  departures(seq: number, fromAttempt: number, limit: number): readonly EndedAttempt[];
  departureOf(seq: number, fence: number): EndedAttempt | null;

  addLogs(row: Row, logs: readonly LogRow[]): void;
  /** Write a line at a place where none is; later lines come after it. */
  writeLog(row: Row, place: number, line: LogRow): void;
  /** Number of the last line of an instance; 0 for none. */
  lastLogSeq(seq: number): number;
  logs(range: LogRange): readonly PlacedLog[];
  /** Delete the first lines of an instance; answers how many. */
  removeLogsOf(seq: number, limit: number): number;
  removeLogs(places: readonly number[]): number;

  expired(wallMs: number, limit: number): readonly Row[];
  /** Waiting rows, held ones too, with `deadlineAt` ≤ `wallMs`, earliest first. */
  pastDeadline(wallMs: number, limit: number): readonly Row[];

  getSchedule(id: string): ScheduleRecord | null;
  saveSchedule(record: ScheduleRecord): void;
  removeSchedule(id: string): void;
  countSchedules(): number;
  /** With id after `afterId` in the direction asked. */
  schedules(
    range: {
      readonly afterId: string | null;
      readonly isReverse: boolean;
      readonly limit: number;
    },
  ): readonly ScheduleRecord[];
  /** Earliest first, without the first `skip`. */
  dueSchedules(
    wallMs: number,
    page: { readonly limit: number; readonly skip?: number },
  ): readonly ScheduleRecord[];
  firstSchedule(): number | null;

  /** How many held instances each schedule has. */
  readHeld(): Map<string, number>;

  /** Fates of all schedules by schedule (by code point) and time, after one. */
  allTicks(
    after: { readonly scheduleId: string; readonly from: number } | null,
    limit: number,
  ): readonly TickFate[];
  removeTick(scheduleId: string, from: number): void;
  addTick(fate: TickFate): void;
  /** Fates with `from` in [from, to]. */
  ticks(scheduleId: string, range: Range): readonly TickFate[];
  /** Delete fates recorded before `before`, epoch ms. */
  removeTicks(before: number, limit: number): number;

  readCounts(): Map<string, KindCounts>;
  saveCounts(kind: string, counts: KindCounts): void;
  readMark(): StoreMark | null;
  saveMark(mark: StoreMark | null): void;
  /** The epoch becomes this, which is higher. */
  raiseEpoch(epoch: number): void;
  /** Delete lines and departures without an instance; answers how many. */
  removeOrphans(limit: number): number;
  /** What the medium finds wrong with itself. */
  findProblems(limit: number): readonly StoreProblem[];
  size(): StoreSize;
  /** Give back room that nothing uses; outside a transaction. */
  compact(): void;
  /** Nothing runs: give back memory that only makes reading faster. */
  rest?(): void;

  readPauses(): readonly Pause[];
  savePause(pause: Pause): void;
  removePause(kind: string | null): void;
}

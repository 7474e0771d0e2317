import type { ScheduleRecord, TickFate } from "../../core/job/schedule.ts";
import type { StoreMark, StoreProblem, StoreSize } from "../records.ts";
import type { OpenRequest, Pause } from "../store.ts";
import { STORE_FORMAT } from "../store.ts";
import { newStoreId } from "../store_id.ts";
import {
  type EndedAttempt,
  type KindCounts,
  type LogRow,
  type PlacedLog,
  type ReadyKey,
  type Row,
} from "../ledger/tables/row.ts";
import type {
  Head,
  Hold,
  Index,
  LogRange,
  PromotedRow,
  QueueName,
  Range,
  RateStarts,
  RateWindow,
  Starts,
  Tables,
} from "../ledger/tables/tables.ts";
import { MemoryLimits, type WindowStarts } from "./limits.ts";
import { type HeldLog, MemoryLogs } from "./logs.ts";
import { MemoryRows } from "./instances.ts";
import { MemorySchedules } from "./schedules.ts";
import { MemoryTicks } from "./ticks.ts";

/** Tables in this process's memory. Nothing fails, so nothing is ever rolled back. */
export class MemoryTables implements Tables {
  readonly type: string = "memory";
  readonly location: string = "memory:";
  readonly isDurable: boolean = false;
  #head: Head = { rev: 0, at: 0, seq: 0 };
  #storeId: string | null = null;
  #epoch = 0;
  #mark: StoreMark | null = null;
  #rows = new MemoryRows();
  #logs = new MemoryLogs();
  #limits = new MemoryLimits();
  readonly #departures = new Map<number, EndedAttempt[]>();
  #schedules = new MemorySchedules();
  #ticks = new MemoryTicks();
  readonly #counts = new Map<string, KindCounts>();
  readonly #pauses = new Map<string | null, Pause>();

  open(request: OpenRequest) {
    this.#storeId ??= newStoreId(request);
    this.#epoch += 1;
    return { storeId: this.#storeId, epoch: this.#epoch, format: STORE_FORMAT, ...this.#head };
  }

  close(): void {}

  /** Forget every row. */
  clear(): void {
    this.#head = { rev: 0, at: 0, seq: 0 };
    this.#rows = new MemoryRows();
    this.#logs = new MemoryLogs();
    this.#limits = new MemoryLimits();
    this.#schedules = new MemorySchedules();
    this.#departures.clear();
    this.#ticks = new MemoryTicks();
    this.#counts.clear();
    this.#pauses.clear();
    this.#mark = null;
  }

  begin(): boolean {
    return true;
  }

  commit(head: Head): void {
    this.#head = head;
  }

  rollback(): void {}

  readHead(): Head {
    return this.#head;
  }

  insert(row: Row): void {
    this.#rows.add(row);
  }

  put(row: Row): void {
    this.insert(row);
  }

  update(before: Row, after: Row): void {
    this.#rows.replace(before, after);
  }

  remove(row: Row): void {
    this.#rows.remove(row);
    this.#departures.delete(row.seq);
  }

  get(id: string): Row | null {
    return this.#rows.get(id);
  }

  openByKey(uniqueKey: string): Row | null {
    return this.#rows.openByKey(uniqueKey);
  }

  hasOpen(scheduleId: string): boolean {
    return this.#rows.scan({ type: "openSchedule", scheduleId }, FIRST).length > 0;
  }

  scan(index: Index, range: Range): readonly Row[] {
    return this.#rows.scan(index, range);
  }

  createdFrom(seq: number): { readonly seq: number; readonly createdAt: number } | null {
    const [row] = this.#rows.scan({ type: "all" }, { ...FIRST, from: seq });
    return row ? { seq: row.seq, createdAt: row.instance.createdAt } : null;
  }

  ready(kind: string, limit: number, after?: ReadyKey): readonly Row[] {
    return this.#rows.ready(kind, limit, after);
  }

  firstOfQueue(queue: QueueName, isBehind: boolean): Row | null {
    return this.#rows.firstOfQueue(queue, isBehind);
  }

  firstReady(kind: string): ReadyKey | null {
    return this.#rows.firstReady(kind);
  }

  promote(wallMs: number, limit: number): readonly PromotedRow[] {
    return this.#rows.promote(wallMs, limit);
  }

  firstLater(kind: string | null): number | null {
    return this.#rows.firstLater(kind);
  }

  hold(queue: QueueName): Hold | null {
    return this.#limits.hold(queue);
  }

  saveHold(hold: Hold): void {
    this.#limits.saveHold(hold);
  }

  removeHold(queue: QueueName): void {
    this.#limits.removeHold(queue);
  }

  endedHolds(wallMs: number, limit: number): readonly Hold[] {
    return this.#limits.endedHolds(wallMs, limit);
  }

  firstHold(kind: string | null): number | null {
    return this.#limits.firstHold(kind);
  }

  endHolds(kind: string | null, stamp: string | null): number {
    const ended = this.#limits.holdsBut(kind, stamp);
    for (const hold of ended) this.saveHold({ ...hold, until: 0 });
    return ended.length;
  }

  starts(window: RateWindow): Starts {
    return this.#limits.starts(window);
  }

  saveStarts(window: RateWindow, starts: Starts, expireAt: number): void {
    this.#limits.saveStarts(window, starts, expireAt);
  }

  /** The starts of one window with when they no longer count; null for none. */
  windowOf(window: RateWindow): WindowStarts | null {
    return this.#limits.windowOf(window);
  }

  removeWindow(window: RateWindow): void {
    this.#limits.removeWindow(window);
  }

  rates(after: RateWindow | null, limit: number): readonly RateStarts[] {
    return this.#limits.rates(after, limit);
  }

  removeRate(window: RateWindow): boolean {
    const isThere = this.windowOf(window) !== null;
    this.removeWindow(window);
    return isThere;
  }

  removeStarts(before: number, limit: number): number {
    const expired = this.#limits.expiredWindows(before, limit);
    for (const window of expired) this.removeWindow(window);
    return expired.length;
  }

  addDeparture(row: Row, departure: EndedAttempt): void {
    const departures = this.#departures.get(row.seq);
    if (departures) departures.push(departure);
    else this.#departures.set(row.seq, [departure]);
  }

  /** Take back the last departure of a row. */
  removeDeparture(seq: number): void {
    const departures = this.#departures.get(seq);
    departures?.pop();
    if (departures?.length === 0) this.#departures.delete(seq);
  }

  departures(seq: number, fromAttempt: number, limit: number): readonly EndedAttempt[] {
    // Attempts are 1, 2, 3 … and each but the last departs.
    return this.#departures.get(seq)?.slice(fromAttempt - 1, fromAttempt - 1 + limit) ?? [];
  }

  departureOf(seq: number, fence: number): EndedAttempt | null {
    return this.#departures.get(seq)?.findLast((one) => one.fence === fence) ?? null;
  }

  addLogs(row: Row, logs: readonly LogRow[]): void {
    this.#logs.add(row, logs);
  }

  writeLog({ seq, instance }: Row, place: number, line: LogRow): void {
    const entry = { instanceId: instance.id, kind: instance.kind, ...line };
    this.putLog({ place, entry, instanceSeq: seq });
    this.lastPlace = Math.max(this.lastPlace, place);
  }

  lastLogSeq(seq: number): number {
    return this.#logs.lastSeq(seq);
  }

  /** The line at a place, with the seq of its instance. */
  logAt(place: number): HeldLog | null {
    return this.#logs.at(place);
  }

  /** Put a line where it was, or where another owner put it. */
  putLog(line: HeldLog): void {
    this.#logs.put(line);
  }

  /** Place of the line that was written last. */
  get lastPlace(): number {
    return this.#logs.lastPlace;
  }

  set lastPlace(place: number) {
    this.#logs.lastPlace = place;
  }

  logs(range: LogRange): readonly PlacedLog[] {
    return this.#logs.read(range);
  }

  removeLogsOf(seq: number, limit: number): number {
    return this.#logs.removeOf(seq, limit);
  }

  removeLogs(places: readonly number[]): number {
    return this.#logs.remove(places);
  }

  expired(wallMs: number, limit: number): readonly Row[] {
    return this.#rows.expired(wallMs, limit);
  }

  pastDeadline(wallMs: number, limit: number): readonly Row[] {
    return this.#rows.pastDeadline(wallMs, limit);
  }

  getSchedule(id: string): ScheduleRecord | null {
    return this.#schedules.get(id);
  }

  saveSchedule(record: ScheduleRecord): void {
    this.#schedules.save(record);
  }

  removeSchedule(id: string): void {
    this.#schedules.remove(id);
  }

  countSchedules(): number {
    return this.#schedules.size;
  }

  schedules(range: Parameters<Tables["schedules"]>[0]): readonly ScheduleRecord[] {
    return this.#schedules.list(range);
  }

  dueSchedules(...[wallMs, page]: Parameters<Tables["dueSchedules"]>): readonly ScheduleRecord[] {
    return this.#schedules.due(wallMs, page);
  }

  firstSchedule(): number | null {
    return this.#schedules.firstAt();
  }

  readHeld(): Map<string, number> {
    return this.#rows.held();
  }

  allTicks(
    after: { readonly scheduleId: string; readonly from: number } | null,
    limit: number,
  ): readonly TickFate[] {
    return this.#ticks.all(after, limit);
  }

  removeTick(scheduleId: string, from: number): void {
    this.#ticks.remove(scheduleId, from);
  }

  addTick(fate: TickFate): void {
    this.#ticks.add(fate);
  }

  ticks(scheduleId: string, range: Range): readonly TickFate[] {
    return this.#ticks.read(scheduleId, range);
  }

  removeTicks(before: number, limit: number): number {
    const old = this.#ticks.recordedBefore(before, limit);
    for (const { scheduleId, from } of old) this.removeTick(scheduleId, from);
    return old.length;
  }

  readCounts(): Map<string, KindCounts> {
    return new Map(this.#counts);
  }

  saveCounts(kind: string, counts: KindCounts): void {
    this.#counts.set(kind, counts);
  }

  readMark(): StoreMark | null {
    return this.#mark;
  }

  saveMark(mark: StoreMark | null): void {
    this.#mark = mark;
  }

  raiseEpoch(epoch: number): void {
    this.#epoch = epoch;
  }

  removeOrphans(limit: number): number {
    const hasRow = (seq: number) => this.createdFrom(seq)?.seq === seq;
    return this.removeLogs(this.#logs.orphans(hasRow, limit));
  }

  findProblems(): readonly StoreProblem[] {
    return [];
  }

  size(): StoreSize {
    return { bytes: null, freeBytes: null };
  }

  compact(): void {}

  readPauses(): readonly Pause[] {
    return [...this.#pauses.values()];
  }

  savePause(pause: Pause): void {
    this.#pauses.set(pause.kind, pause);
  }

  removePause(kind: string | null): void {
    this.#pauses.delete(kind);
  }
}

const FIRST: Range = { from: 0, to: Number.MAX_SAFE_INTEGER, isReverse: false, limit: 1 };

import type { ScheduleRecord, TickFate } from "../../core/schedule.ts";
import type { OpenRequest, Pause } from "../store.ts";
import { STORE_FORMAT } from "../store.ts";
import { newStoreId } from "../store_id.ts";
import {
  type Departure,
  type KindCounts,
  type LogRow,
  type PlacedLog,
  type ReadyKey,
  type Row,
} from "../ledger/row.ts";
import type {
  Head,
  Hold,
  LogStretch,
  PromotedRow,
  QueueName,
  RateWindow,
  Starts,
  Stretch,
  Tables,
  Track,
} from "../ledger/tables.ts";
import { MemoryLimits, type WindowStarts } from "./memory_limits.ts";
import { type HeldLog, MemoryLogs } from "./memory_logs.ts";
import { MemoryRows } from "./memory_rows.ts";
import { SortedKeys } from "./sorted_keys.ts";

/** Tables in this process's memory. Nothing fails, so nothing is ever rolled back. */
export class MemoryTables implements Tables {
  readonly type = "memory";
  readonly location = "memory:";
  readonly isDurable = false;
  #head: Head = { rev: 0, at: 0, seq: 0 };
  #storeId: string | null = null;
  #epoch = 0;
  readonly #rows = new MemoryRows();
  readonly #logs = new MemoryLogs();
  readonly #limits = new MemoryLimits();
  readonly #departures = new Map<number, Departure[]>();
  readonly #schedules = new Map<string, ScheduleRecord>();
  readonly #scheduleIds: string[] = [];
  readonly #scheduleTimes = new SortedKeys();
  readonly #scheduleNumbers = new Map<string, number>();
  readonly #scheduleByNumber = new Map<number, string>();
  #scheduleNumber = 0;
  readonly #ticks = new Map<string, { fates: Map<number, TickFate>; times: SortedKeys }>();
  readonly #counts = new Map<string, KindCounts>();
  readonly #pauses = new Map<string | null, Pause>();

  open(request: OpenRequest) {
    this.#storeId ??= newStoreId(request);
    this.#epoch += 1;
    return { storeId: this.#storeId, epoch: this.#epoch, format: STORE_FORMAT, ...this.#head };
  }

  close(): void {}

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

  scan(track: Track, stretch: Stretch): readonly Row[] {
    return this.#rows.scan(track, stretch);
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

  removeStarts(before: number, limit: number): number {
    const expired = this.#limits.expiredWindows(before, limit);
    for (const window of expired) this.removeWindow(window);
    return expired.length;
  }

  addDeparture(row: Row, departure: Departure): void {
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

  departures(seq: number, fromAttempt: number, limit: number): readonly Departure[] {
    // Attempts are 1, 2, 3 … and each but the last departs.
    return this.#departures.get(seq)?.slice(fromAttempt - 1, fromAttempt - 1 + limit) ?? [];
  }

  departureOf(seq: number, fence: number): Departure | null {
    return this.#departures.get(seq)?.findLast((one) => one.fence === fence) ?? null;
  }

  addLogs(row: Row, logs: readonly LogRow[]): void {
    this.#logs.add(row, logs);
  }

  lastLogSeq(seq: number, fence: number): number {
    return this.#logs.lastSeq(seq, fence);
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

  logs(stretch: LogStretch): readonly PlacedLog[] {
    return this.#logs.read(stretch);
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
    return this.#schedules.get(id) ?? null;
  }

  saveSchedule(record: ScheduleRecord): void {
    const before = this.#schedules.get(record.id);
    let number = this.#scheduleNumbers.get(record.id);
    if (number === undefined) {
      number = ++this.#scheduleNumber;
      this.#scheduleNumbers.set(record.id, number);
      this.#scheduleByNumber.set(number, record.id);
      this.#scheduleIds.splice(this.#placeOfId(record.id), 0, record.id);
    }
    if (before?.nextAt != null) this.#scheduleTimes.delete([before.nextAt, 0, number]);
    if (record.nextAt !== null) this.#scheduleTimes.add([record.nextAt, 0, number]);
    this.#schedules.set(record.id, record);
  }

  removeSchedule(id: string): void {
    const record = this.#schedules.get(id);
    if (!record) return;
    const number = this.#scheduleNumbers.get(id)!;
    if (record.nextAt !== null) this.#scheduleTimes.delete([record.nextAt, 0, number]);
    this.#scheduleNumbers.delete(id);
    this.#scheduleByNumber.delete(number);
    this.#scheduleIds.splice(this.#placeOfId(id), 1);
    this.#schedules.delete(id);
  }

  countSchedules(): number {
    return this.#schedules.size;
  }

  schedules(
    { afterId, isReverse, limit }: {
      readonly afterId: string | null;
      readonly isReverse: boolean;
      readonly limit: number;
    },
  ): readonly ScheduleRecord[] {
    const ids = this.#scheduleIds;
    let found: readonly string[];
    if (isReverse) {
      const end = afterId === null ? ids.length : this.#placeOfId(afterId);
      found = ids.slice(Math.max(0, end - limit), end).reverse();
    } else {
      let start = afterId === null ? 0 : this.#placeOfId(afterId);
      if (afterId !== null && ids[start] === afterId) start += 1;
      found = ids.slice(start, start + limit);
    }
    return found.map((id) => this.#schedules.get(id)!);
  }

  dueSchedules(
    wallMs: number,
    { limit, skip = 0 }: { readonly limit: number; readonly skip?: number },
  ): readonly ScheduleRecord[] {
    const due: ScheduleRecord[] = [];
    let left = skip;
    for (const [nextAt, , number] of this.#scheduleTimes.walk(LOWEST, false)) {
      if (nextAt > wallMs || due.length === limit) break;
      if (left-- > 0) continue;
      due.push(this.#schedules.get(this.#scheduleByNumber.get(number)!)!);
    }
    return due;
  }

  firstSchedule(): number | null {
    return this.#scheduleTimes.first()?.[0] ?? null;
  }

  readHeld(): Map<string, number> {
    return this.#rows.held();
  }

  removeTick(scheduleId: string, from: number): void {
    const ticks = this.#ticks.get(scheduleId);
    if (ticks?.fates.delete(from)) ticks.times.delete([from, 0, 0]);
  }

  addTick(fate: TickFate): void {
    let ticks = this.#ticks.get(fate.scheduleId);
    if (!ticks) {
      ticks = { fates: new Map(), times: new SortedKeys() };
      this.#ticks.set(fate.scheduleId, ticks);
    }
    ticks.fates.set(fate.from, fate);
    ticks.times.add([fate.from, 0, 0]);
  }

  ticks(
    scheduleId: string,
    { from, to, isReverse, limit }: Stretch,
  ): readonly TickFate[] {
    const ticks = this.#ticks.get(scheduleId);
    const found: TickFate[] = [];
    for (const [at] of ticks?.times.walk([isReverse ? to : from, 0, 0], isReverse) ?? []) {
      if (found.length === limit || (isReverse ? at < from : at > to)) break;
      found.push(ticks!.fates.get(at)!);
    }
    return found;
  }

  removeTicks(before: number, limit: number): number {
    let count = 0;
    for (const [scheduleId, { fates, times }] of this.#ticks) {
      // Fates of a schedule are recorded in the order of their ticks.
      while (count < limit) {
        const first = times.first();
        if (!first || fates.get(first[0])!.at >= before) break;
        this.removeTick(scheduleId, first[0]);
        count += 1;
      }
      if (fates.size === 0) this.#ticks.delete(scheduleId);
    }
    return count;
  }

  readCounts(): Map<string, KindCounts> {
    return new Map(this.#counts);
  }

  saveCounts(kind: string, counts: KindCounts): void {
    this.#counts.set(kind, counts);
  }

  readPauses(): readonly Pause[] {
    return [...this.#pauses.values()];
  }

  savePause(pause: Pause): void {
    this.#pauses.set(pause.kind, pause);
  }

  removePause(kind: string | null): void {
    this.#pauses.delete(kind);
  }

  #placeOfId(id: string): number {
    let low = 0;
    let high = this.#scheduleIds.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#scheduleIds[middle]! < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const LOWEST = [-Infinity, -Infinity, -Infinity] as const;
const FIRST: Stretch = { from: 0, to: Number.MAX_SAFE_INTEGER, isReverse: false, limit: 1 };

import { resolve } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import type { ScheduleRecord, TickFate } from "../../core/job/schedule.ts";
import type {
  EndedAttempt,
  KindCounts,
  LogRow,
  PlacedLog,
  ReadyKey,
  Row,
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
import { type OpenRequest, type Pause, STORE_FORMAT } from "../store.ts";
import type { StoreMark } from "../records.ts";
import * as care from "./maintenance.ts";
import { greatestId, insertRow, putRow, readRow, readRows, updateRow } from "./instances.ts";
import { Kinds } from "./kinds.ts";
import { openInMemory, openReadOnly } from "./open_database.ts";
import { OwnedDatabase, type SqliteOptions } from "./owned_database.ts";
import * as departures from "./departures.ts";
import * as schedules from "./schedules.ts";
import * as limits from "./limits.ts";
import * as logs from "./logs.ts";
import { isBusy, toStoreError } from "./error.ts";
import { Statements, type Value } from "./statements.ts";
import { sourceOf } from "./index_sources.ts";
import * as waiting from "./waiting.ts";

/** Tables in one SQLite file that this process owns. */
export class SqliteTables implements Tables {
  readonly type = "sqlite";
  readonly location: string;
  readonly isDurable: boolean;
  #db: DatabaseSync | null = null;
  #owned: OwnedDatabase | null = null;
  #statements!: Statements;
  #kinds!: Kinds;
  /** No id in the file is greater: ids that daemons make increase, so a new one need not be looked for. Null if unknown. */
  #idMax: string | null = null;
  readonly #isFile: boolean;
  /** True if a release of the pages in memory is pending. */
  #isReleasePlanned = false;
  readonly #options: SqliteOptions;

  /** @param path of the file, or ":memory:" */
  constructor(path: string, options: SqliteOptions = {}) {
    this.#options = options;
    this.#isFile = path !== ":memory:";
    this.isDurable = this.#isFile && options.fsync !== "normal";
    this.location = this.#isFile ? resolve(path) : path;
  }

  open(request: OpenRequest) {
    if (!this.#isFile) this.#db ??= openInMemory();
    else {
      this.#owned = new OwnedDatabase(this.location, request.node, this.#options);
      this.#db = this.#owned.db;
    }
    this.#statements = new Statements(this.#db!, this.location, () => this.#used());
    this.#kinds = new Kinds(this.#statements);
    this.#idMax = greatestId(this.#statements);
    if (!this.#isFile) this.#statements.run("UPDATE meta SET epoch = epoch + 1");
    const { store_id, epoch } = this.#statements.get("SELECT store_id, epoch FROM meta")!;
    return {
      storeId: store_id as string,
      epoch: epoch as number,
      format: STORE_FORMAT,
      ...this.readHead(),
    };
  }

  /**
   * Open the file read-only alongside its owner, another object of this process.
   *
   * @returns the UUID of its data
   */
  openToRead(): string {
    this.#db = openReadOnly(this.location);
    this.#statements = new Statements(this.#db, this.location);
    this.#kinds = new Kinds(this.#statements);
    return this.#statements.get("SELECT store_id FROM meta")!.store_id as string;
  }

  close(): void {
    // A database in memory would be gone; the object keeps it for another opening.
    if (!this.#isFile || !this.#db) return;
    this.#db.close();
    this.#db = null;
    this.#owned?.release();
    this.#owned = null;
  }

  // Regularly, not only when idle: otherwise a job that runs every second would keep the pages of a past burst.
  #used(): void {
    const { later } = this.#options;
    if (this.#isReleasePlanned || later === undefined) return;
    this.#isReleasePlanned = true;
    later(() => {
      this.#isReleasePlanned = false;
      if (this.#db !== null) this.rest();
    });
  }

  begin(): boolean {
    try {
      this.#db!.exec("BEGIN IMMEDIATE");
      return true;
    } catch (thrown) {
      if (isBusy(thrown)) return false;
      throw toStoreError(thrown, "write to", this.location);
    }
  }

  commit({ rev, at, seq }: Head): void {
    const sql = "UPDATE meta SET rev = ?, at = ?, seq = ?, commits = commits + 1";
    this.#statements.run(sql, rev, at, seq);
    try {
      this.#db!.exec("COMMIT");
    } catch (thrown) {
      throw toStoreError(thrown, "write to", this.location);
    }
    this.#owned?.noteCommit(at);
  }

  rollback(): void {
    this.#statements.forget();
    try {
      this.#db!.exec("ROLLBACK");
    } catch {
      // SQLite took the transaction back itself, as it does when the disk is full.
    }
  }

  readHead(): Head {
    const { rev, at, seq } = this.#statements.get("SELECT rev, at, seq FROM meta")!;
    return { rev: rev as number, at: at as number, seq: seq as number };
  }

  insert(row: Row): void {
    this.#noteId(row);
    insertRow(this.#statements, this.#kinds, row);
  }

  put(row: Row): void {
    this.#noteId(row);
    putRow(this.#statements, this.#kinds, row);
  }

  update(before: Row, after: Row): void {
    updateRow(this.#statements, before, after);
  }

  remove(row: Row): void {
    this.#statements.run("DELETE FROM departure WHERE instance = ?", row.seq);
    this.#statements.run("DELETE FROM instance WHERE seq = ?", row.seq);
  }

  get(id: string): Row | null {
    if (this.#idMax !== null && id > this.#idMax) return null;
    return this.#one("SELECT * FROM instance WHERE id = ?", id);
  }

  openByKey(uniqueKey: string): Row | null {
    return this.#one(
      `SELECT * FROM instance INDEXED BY instance_open_key
       WHERE unique_key = ? AND unique_key IS NOT NULL AND state < 3`,
      uniqueKey,
    );
  }

  hasOpen(scheduleId: string): boolean {
    const found = this.#statements.get(
      `SELECT 1 FROM instance INDEXED BY instance_open_schedule
       WHERE schedule_id = ? AND schedule_id IS NOT NULL AND state < 3 LIMIT 1`,
      scheduleId,
    );
    return found !== undefined;
  }

  scan(index: Index, { from, to, isReverse, limit, charsMax }: Range): readonly Row[] {
    const [source, ...values] = sourceOf(this.#kinds, index);
    const order = isReverse ? "DESC" : "ASC";
    const sql =
      `SELECT * FROM instance ${source} seq BETWEEN ? AND ? ORDER BY seq ${order} LIMIT ?`;
    const all = [...values, from, to, limit];
    if (charsMax === undefined) return this.#rows(sql, ...all);
    return readRows(this.#statements, this.#kinds, { sql, values: all, charsMax });
  }

  createdFrom(seq: number): { readonly seq: number; readonly createdAt: number } | null {
    const found = this.#statements.get(
      "SELECT seq, created_at FROM instance WHERE seq >= ? ORDER BY seq LIMIT 1",
      seq,
    );
    return found ? { seq: found.seq as number, createdAt: found.created_at as number } : null;
  }

  ready(kind: string, limit: number, after?: ReadyKey): readonly Row[] {
    return waiting.readyRows(this.#statements, this.#kinds, { kind, limit, after });
  }

  firstReady(kind: string): ReadyKey | null {
    return waiting.firstReady(this.#statements, this.#kinds, kind);
  }

  promote(wallMs: number, limit: number): readonly PromotedRow[] {
    return waiting.promote(this.#statements, this.#kinds, { wallMs, limit });
  }

  firstLater(kind: string | null): number | null {
    return waiting.firstLater(this.#statements, this.#kinds, kind);
  }

  firstOfQueue(queue: QueueName, isBehind: boolean): Row | null {
    return waiting.firstOfQueue(this.#statements, this.#kinds, queue, isBehind);
  }

  hold(queue: QueueName): Hold | null {
    return limits.getHold(this.#statements, queue);
  }

  saveHold(hold: Hold): void {
    limits.saveHold(this.#statements, hold);
  }

  removeHold(queue: QueueName): void {
    limits.removeHold(this.#statements, queue);
  }

  endedHolds(wallMs: number, limit: number): readonly Hold[] {
    return limits.endedHolds(this.#statements, wallMs, limit);
  }

  firstHold(kind: string | null): number | null {
    return limits.firstHold(this.#statements, kind);
  }

  endHolds(kind: string | null, stamp: string | null): number {
    return limits.endHolds(this.#statements, kind, stamp);
  }

  starts(window: RateWindow): Starts {
    return limits.getStarts(this.#statements, window);
  }

  saveStarts(window: RateWindow, starts: Starts, expireAt: number): void {
    limits.saveStarts(this.#statements, window, starts, expireAt);
  }

  rates(...given: Parameters<Tables["rates"]>): readonly RateStarts[] {
    return limits.readRates(this.#statements, ...given);
  }

  removeRate(window: RateWindow): boolean {
    return limits.removeRate(this.#statements, window);
  }

  removeStarts(before: number, limit: number): number {
    return limits.removeStarts(this.#statements, before, limit);
  }

  addDeparture(row: Row, departure: EndedAttempt): void {
    departures.addDeparture(this.#statements, row.seq, departure);
  }

  departures(seq: number, fromAttempt: number, limit: number): readonly EndedAttempt[] {
    return departures.readDepartures(this.#statements, { seq, fromAttempt, limit });
  }

  departureOf(seq: number, fence: number): EndedAttempt | null {
    return departures.departureOf(this.#statements, seq, fence);
  }

  addLogs(row: Row, lines: readonly LogRow[]): void {
    logs.addLogs(this.#statements, row.seq, lines);
  }

  writeLog(row: Row, place: number, line: LogRow): void {
    logs.putLog(this.#statements, row.seq, place, line);
  }

  lastLogSeq(seq: number): number {
    return logs.lastLogSeq(this.#statements, seq);
  }

  logs(range: LogRange): readonly PlacedLog[] {
    return logs.readLogs(this.#statements, this.#kinds, range);
  }

  removeLogsOf(seq: number, limit: number): number {
    return logs.removeLogsOf(this.#statements, seq, limit);
  }

  removeLogs(places: readonly number[]): number {
    return logs.removeLogs(this.#statements, places);
  }

  expired(wallMs: number, limit: number): readonly Row[] {
    return this.#rows(
      `SELECT * FROM instance INDEXED BY instance_expire
       WHERE expire_at IS NOT NULL AND expire_at <= ? ORDER BY expire_at LIMIT ?`,
      wallMs,
      limit,
    );
  }

  pastDeadline(wallMs: number, limit: number): readonly Row[] {
    return this.#rows(
      `SELECT * FROM instance INDEXED BY instance_deadline
       WHERE deadline_at IS NOT NULL AND state = 1 AND deadline_at <= ?
       ORDER BY deadline_at LIMIT ?`,
      wallMs,
      limit,
    );
  }

  getSchedule(id: string): ScheduleRecord | null {
    return schedules.getSchedule(this.#statements, id);
  }

  saveSchedule(record: ScheduleRecord): void {
    schedules.saveSchedule(this.#statements, record);
  }

  removeSchedule(id: string): void {
    this.#statements.run("DELETE FROM schedule WHERE id = ?", id);
  }

  countSchedules(): number {
    return this.#statements.get("SELECT count(*) AS count FROM schedule")!.count as number;
  }

  schedules(range: Parameters<Tables["schedules"]>[0]): readonly ScheduleRecord[] {
    return schedules.listSchedules(this.#statements, range);
  }

  dueSchedules(...given: Parameters<Tables["dueSchedules"]>): readonly ScheduleRecord[] {
    return schedules.dueSchedules(this.#statements, ...given);
  }

  firstSchedule(): number | null {
    return schedules.firstSchedule(this.#statements);
  }

  readHeld(): Map<string, number> {
    return schedules.readHeld(this.#statements);
  }

  allTicks(...[after, limit]: Parameters<Tables["allTicks"]>): readonly TickFate[] {
    return schedules.allTicks(this.#statements, after, limit);
  }

  removeTick(scheduleId: string, from: number): void {
    schedules.removeTick(this.#statements, scheduleId, from);
  }

  addTick(fate: TickFate): void {
    schedules.addTick(this.#statements, fate);
  }

  ticks(scheduleId: string, range: Range): readonly TickFate[] {
    return schedules.listTicks(this.#statements, scheduleId, range);
  }

  removeTicks(before: number, limit: number): number {
    return schedules.removeTicks(this.#statements, before, limit);
  }

  readCounts(): Map<string, KindCounts> {
    return this.#kinds.read();
  }

  saveCounts(kind: string, counts: KindCounts): void {
    this.#kinds.save(kind, counts);
  }

  readonly readMark = () => care.readMark(this.#statements);
  readonly saveMark = (mark: StoreMark | null) => care.saveMark(this.#statements, mark);
  readonly raiseEpoch = (epoch: number) => care.raiseEpoch(this.#statements, epoch);
  readonly removeOrphans = (limit: number) => care.removeOrphans(this.#statements, limit);
  readonly findProblems = (limit: number) => care.findProblems(this.#statements, limit);
  readonly size = () => care.sizeOf(this.#statements);
  readonly compact = () => care.compact(this.#db!, this.location);
  readonly rest = () => care.shrinkMemory(this.#db!);

  readPauses(): readonly Pause[] {
    return schedules.readPauses(this.#statements);
  }

  savePause(pause: Pause): void {
    schedules.savePause(this.#statements, pause);
  }

  removePause(kind: string | null): void {
    schedules.removePause(this.#statements, kind);
  }

  #noteId({ instance: { id } }: Row): void {
    if (this.#idMax !== null && id > this.#idMax) this.#idMax = id;
  }

  #one(sql: string, ...values: Value[]): Row | null {
    const fields = this.#statements.get(sql, ...values);
    return fields ? readRow(this.#kinds, fields) : null;
  }

  #rows(sql: string, ...values: Value[]): Row[] {
    return this.#statements.all(sql, ...values).map((fields) => readRow(this.#kinds, fields));
  }
}

import type { ScheduleRecord, TickFate } from "../../core/job/schedule.ts";
import { MemoryTables } from "../memory/tables.ts";
import type { HeldLog } from "../memory/logs.ts";
import {
  type EndedAttempt,
  isHeld,
  type KindCounts,
  type LogRow,
  type Row,
} from "../ledger/tables/row.ts";
import type {
  Head,
  Hold,
  PromotedRow,
  QueueName,
  Range,
  RateWindow,
  Starts,
} from "../ledger/tables/tables.ts";
import type { NodeRecord } from "../nodes.ts";
import type { StoreMark } from "../records.ts";
import type { Pause } from "../store.ts";
import type { ClockWatch } from "./clock_watch.ts";
import * as keys from "./keys.ts";
import type { MediumChanges, MediumPair, ReplicaMedium } from "./medium.ts";
import { RowCounts } from "./row_counts.ts";
import { type Extra, lengthOf, VALUE_LENGTH, writeInstance, writeLog } from "./row_values.ts";

const ALL_ROWS = Number.MAX_SAFE_INTEGER;

/**
 * A replica of the rows of a medium. What an owner's operations change can be taken back, and is told as changes of the medium;
 * what others committed is written while {@link isApplying}. Indexes (what is ready, behind another, held back by a rate) are each
 * replica's own and no changes.
 */
export class ReplicaTables extends MemoryTables {
  override readonly type: string;
  override readonly location: string;
  override readonly isDurable: boolean;
  /** Told with what this node says of itself. */
  clocks: ClockWatch | null = null;
  /** Whether what is written comes from the medium. */
  isApplying = false;
  #characters = 0;
  readonly #undo: (() => void)[] = [];
  readonly #rows = new Map<number, Row | null>();
  readonly #logs = new Map<number, HeldLog | null>();
  readonly #values = new Map<string, unknown>();
  readonly #counts = new RowCounts();
  /** Of each processing row, by seq. */
  readonly #leases = new Map<number, number>();
  /** Rows whose claim was renewed. */
  readonly #renewed = new Set<number>();
  readonly #extras = new Map<string, Extra>();

  constructor({ type, location, isDurable }: ReplicaMedium) {
    super();
    this.type = type;
    this.location = location;
    this.isDurable = isDurable;
  }

  /** How many rows of the medium the group changes. */
  get changeCount(): number {
    return this.#rows.size + this.#logs.size + this.#values.size;
  }

  /** About how many characters these have. */
  get characterCount(): number {
    return this.#characters;
  }

  /** What the group changes, but the head. */
  changes(): MediumChanges {
    const puts: MediumPair[] = [];
    const deletes: string[] = [];
    for (const [seq, row] of this.#rows) {
      const key = keys.instanceKey(seq);
      if (row) puts.push([key, this.#valueOf(key, row)]);
      else deletes.push(key);
    }
    for (const [place, line] of this.#logs) {
      if (line) puts.push([keys.logKey(place), writeLog(line)]);
      else deletes.push(keys.logKey(place));
    }
    for (const [key, value] of this.#values) {
      if (value === null) deletes.push(key);
      else puts.push([key, JSON.stringify({ ...this.#extras.get(key), ...value as Extra })]);
    }
    return { puts, deletes };
  }

  override commit(head: Head): void {
    super.commit(head);
    this.#forgetGroup();
  }

  override rollback(): void {
    for (let index = this.#undo.length - 1; index >= 0; index--) this.#undo[index]!();
    this.#forgetGroup();
  }

  override clear(): void {
    super.clear();
    this.#forgetGroup();
    for (const one of [this.#counts, this.#leases, this.#renewed, this.#extras]) {
      one.clear();
    }
  }

  /** Keep what a newer version wrote into a value, to write it again with each change. */
  keepExtra(key: string, extra: Extra | null): void {
    if (extra) this.#extras.set(key, extra);
    else this.#extras.delete(key);
  }

  /** How long the claim of a row holds; null when it is not claimed. */
  noteLease(seq: number, leaseMs: number | null): void {
    if (leaseMs === null) this.#leases.delete(seq);
    else this.#leases.set(seq, leaseMs);
  }

  /** Whether there is a row of the renewal of a claim. */
  noteRenewal(seq: number, isThere: boolean): void {
    if (isThere) this.#renewed.add(seq);
    else this.#renewed.delete(seq);
  }

  /** The row with a seq. */
  rowAt(seq: number): Row | null {
    const range: Range = { from: seq, to: seq, isReverse: false, limit: 1 };
    return super.scan({ type: "all" }, range)[0] ?? null;
  }

  override insert(row: Row): void {
    super.insert(row);
    this.#counts.add(row, 1);
    this.#changed(row.seq, row, () => {
      super.remove(row);
      this.#counts.add(row, -1);
    });
  }

  override update(before: Row, after: Row): void {
    this.#replace(before, after);
    const undo = () => this.#replace(after, before);
    // A row that only moved in the indexes is the same row for others.
    const isSame = before.instance === after.instance && isHeld(before) === isHeld(after);
    if (isSame) this.#undone(undo);
    else this.#changed(after.seq, after, undo);
    if (before.instance.state === "processing" && after.instance.state !== "processing") {
      this.#endLease(after.seq);
    }
  }

  override remove(row: Row): void {
    const departures = super.departures(row.seq, 1, ALL_ROWS);
    super.remove(row);
    this.#counts.add(row, -1);
    this.#endLease(row.seq);
    for (const { attempt } of departures) {
      this.#saved(keys.departureKey(row.seq, attempt), null, () => {});
    }
    this.#changed(row.seq, null, () => {
      super.insert(row);
      this.#counts.add(row, 1);
      for (const one of departures) super.addDeparture(row, one);
    });
  }

  override promote(wallMs: number, limit: number): readonly PromotedRow[] {
    const promoted = super.promote(wallMs, limit);
    for (const one of promoted) this.#counts.addPromoted(one, 1);
    this.#undone(() => {
      for (const one of promoted) {
        const after = this.rowAt(one.seq)!;
        const { isBehind: _, ...before } = after;
        super.update(after, { ...before, isReady: false });
        this.#counts.addPromoted(one, -1);
      }
    });
    return promoted;
  }

  override saveHold(hold: Hold): void {
    const before = super.hold(hold);
    super.saveHold(hold);
    this.#undone(() => before ? super.saveHold(before) : super.removeHold(hold));
  }

  override removeHold(queue: QueueName): void {
    const before = super.hold(queue);
    super.removeHold(queue);
    if (before) this.#undone(() => super.saveHold(before));
  }

  override saveStarts(window: RateWindow, starts: Starts, expireAt: number): void {
    const before = super.windowOf(window);
    super.saveStarts(window, starts, expireAt);
    this.#saved(keys.windowKey(window), { starts, expireAt }, () => {
      if (before) super.saveStarts(window, before.starts, before.expireAt);
      else super.removeWindow(window);
    });
  }

  override removeWindow(window: RateWindow): void {
    const before = super.windowOf(window);
    if (!before) return;
    super.removeWindow(window);
    this.#saved(keys.windowKey(window), null, () => {
      super.saveStarts(window, before.starts, before.expireAt);
    });
  }

  override addDeparture(row: Row, departure: EndedAttempt): void {
    super.addDeparture(row, departure);
    const key = keys.departureKey(row.seq, departure.attempt);
    this.#saved(key, departure, () => super.removeDeparture(row.seq));
  }

  override addLogs(row: Row, logs: readonly LogRow[]): void {
    const before = this.lastPlace;
    super.addLogs(row, logs);
    const places = logs.map((_, index) => before + index + 1);
    for (const place of places) this.#logs.set(place, super.logAt(place));
    for (const { message } of logs) this.#characters += VALUE_LENGTH + message.length;
    this.#undone(() => {
      super.removeLogs(places);
      this.lastPlace = before;
    });
  }

  override writeLog(row: Row, place: number, line: LogRow): void {
    const before = this.lastPlace;
    super.writeLog(row, place, line);
    this.#logs.set(place, super.logAt(place));
    this.#characters += VALUE_LENGTH + line.message.length;
    this.#undone(() => {
      super.removeLogs([place]);
      this.lastPlace = before;
    });
  }

  override saveMark(mark: StoreMark | null): void {
    const before = super.readMark();
    super.saveMark(mark);
    this.#saved(keys.MARK, mark, () => super.saveMark(before));
  }

  override removeLogsOf(seq: number, limit: number): number {
    const lines = super.logs({
      ...{ instanceSeq: seq, order: "written", limit },
      ...{ afterAt: 0, afterPlace: 0, beforeAt: 0 },
    });
    return this.removeLogs(lines.map(({ place }) => place));
  }

  override removeLogs(places: readonly number[]): number {
    const lines = places.map((place) => super.logAt(place)).filter((line) => line !== null);
    super.removeLogs(places);
    if (this.isApplying) return lines.length;
    for (const { place } of lines) this.#logs.set(place, null);
    this.#undone(() => {
      for (const line of lines) super.putLog(line);
    });
    return lines.length;
  }

  override saveSchedule(record: ScheduleRecord): void {
    const before = super.getSchedule(record.id);
    super.saveSchedule(record);
    this.#saved(keys.scheduleKey(record.id), record, () => {
      if (before) super.saveSchedule(before);
      else super.removeSchedule(record.id);
    });
  }

  override removeSchedule(id: string): void {
    const before = super.getSchedule(id);
    if (!before) return;
    super.removeSchedule(id);
    this.#saved(keys.scheduleKey(id), null, () => super.saveSchedule(before));
  }

  override addTick(fate: TickFate): void {
    super.addTick(fate);
    const { scheduleId, from } = fate;
    this.#saved(keys.tickKey(scheduleId, from), fate, () => super.removeTick(scheduleId, from));
  }

  override removeTick(scheduleId: string, from: number): void {
    const [before] = super.ticks(scheduleId, { from, to: from, isReverse: false, limit: 1 });
    if (!before) return;
    super.removeTick(scheduleId, from);
    this.#saved(keys.tickKey(scheduleId, from), null, () => super.addTick(before));
  }

  override savePause(pause: Pause): void {
    const before = this.#pauseOf(pause.kind);
    super.savePause(pause);
    this.#saved(keys.pauseKey(pause.kind), pause, () => {
      if (before) super.savePause(before);
      else super.removePause(pause.kind);
    });
  }

  override removePause(kind: string | null): void {
    const before = this.#pauseOf(kind);
    if (!before) return;
    super.removePause(kind);
    this.#saved(keys.pauseKey(kind), null, () => super.savePause(before));
  }

  /** What is told with the row of a claim when that is made, and by a row of its own when it is renewed. */
  saveLease({ seq, instance }: Row, leaseMs: number): void {
    const before = this.#leases.get(seq) ?? null;
    this.noteLease(seq, leaseMs);
    this.#undone(() => this.noteLease(seq, before));
    if (before === null) return;
    const isThere = this.#renewed.has(seq);
    this.noteRenewal(seq, true);
    this.#saved(
      keys.leaseKey(seq),
      { leaseMs, fence: instance.fence },
      () => this.noteRenewal(seq, isThere),
    );
  }

  saveNode(id: string, record: NodeRecord | null): void {
    this.#saved(keys.nodeKey(id), record, () => {});
    const report = record?.leftAt === null ? this.clocks?.reportOf(id) : null;
    if (report || (this.clocks && record?.leftAt !== null)) {
      this.#saved(keys.clockKey(id), report, () => {});
    }
  }

  override readCounts(): Map<string, KindCounts> {
    return this.#counts.read();
  }

  /** Counts follow from the rows. */
  override saveCounts(): void {}

  override readHeld(): Map<string, number> {
    return this.#counts.readHeld();
  }

  #pauseOf(kind: string | null): Pause | undefined {
    return super.readPauses().find((one) => one.kind === kind);
  }

  #valueOf(key: string, row: Row): string {
    const leaseMs = row.instance.state === "processing" ? this.#leases.get(row.seq) ?? null : null;
    const extra = this.#extras.get(key) ?? null;
    return writeInstance(row, { isHeld: isHeld(row), leaseMs, extra });
  }

  #replace(before: Row, after: Row): void {
    super.update(before, after);
    if (
      before.isReady === after.isReady && before.isBehind === after.isBehind &&
      before.instance.state === after.instance.state
    ) return;
    this.#counts.add(before, -1);
    this.#counts.add(after, 1);
  }

  /** A row is no longer claimed. */
  #endLease(seq: number): void {
    const before = this.#leases.get(seq) ?? null;
    if (before === null) return;
    this.noteLease(seq, null);
    this.#undone(() => this.noteLease(seq, before));
    if (!this.#renewed.has(seq)) return;
    this.noteRenewal(seq, false);
    this.#saved(keys.leaseKey(seq), null, () => this.noteRenewal(seq, true));
  }

  #changed(seq: number, row: Row | null, undo: () => void): void {
    if (this.isApplying) return;
    this.#rows.set(seq, row);
    if (row) this.#characters += lengthOf(row);
    this.#undo.push(undo);
  }

  #saved(key: string, value: unknown, undo: () => void): void {
    if (this.isApplying) return;
    this.#values.set(key, value);
    this.#characters += VALUE_LENGTH;
    this.#undo.push(undo);
  }

  #undone(undo: () => void): void {
    if (!this.isApplying) this.#undo.push(undo);
  }

  #forgetGroup(): void {
    this.#characters = 0;
    this.#undo.length = 0;
    this.#rows.clear();
    this.#logs.clear();
    this.#values.clear();
  }
}

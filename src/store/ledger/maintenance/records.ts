import type { StoredLogEntry } from "../../../core/instance.ts";
import { isFinal } from "../../../core/state.ts";
import { inOrder, pageOfRecords } from "../reading/record_page.ts";
import type {
  InstanceRecord,
  LogRecord,
  RecordKey,
  RecordPage,
  StoreRecord,
} from "../../records.ts";
import { checkBatch, checkLimit } from "../checks.ts";
import { checkState, isHeld, type LogRow, type PlacedLog, type Row } from "../tables/row.ts";
import { expireAt } from "../rules.ts";
import { endedAttemptsOf } from "../reading/history.ts";
import type { LedgerState, Moment } from "../state.ts";
import type { RateWindow } from "../tables/tables.ts";

/** Log lines read at a time when an instance takes another place. */
const LINES = 1_000;

type Type = StoreRecord["type"];

/** Records after a place, in the order of places. */
export function readRecords(
  state: LedgerState,
  request: { readonly after: RecordKey | null; readonly limit: number },
): Promise<RecordPage> {
  return pageOfRecords(
    request,
    (type, after, limit) => READERS[type](state, after as never, limit),
  );
}

/** Write records, replacing any with the same keys. @returns their number */
export function writeRecords(
  state: LedgerState,
  _moment: Moment,
  { records }: { readonly records: readonly StoreRecord[] },
): number {
  checkBatch(records.length, "write");
  let count = 0;
  for (const record of records) if (writeRecord(state, record)) count += 1;
  state.isDirty = true;
  return count;
}

/** Delete records. @returns their number */
export function removeRecords(
  state: LedgerState,
  _moment: Moment,
  { keys }: { readonly keys: readonly RecordKey[] },
): number {
  checkBatch(keys.length, "remove");
  let count = 0;
  for (const key of keys) if (removeRecord(state, key)) count += 1;
  state.isDirty = true;
  return count;
}

/** Delete log lines and ended attempts without an instance. @returns their number */
export function removeOrphans(
  state: LedgerState,
  _moment: Moment,
  { limit }: { readonly limit: number },
): number {
  checkLimit(limit, "delete orphans");
  const count = state.tables.maintenance.removeOrphans(limit);
  if (count > 0) state.isDirty = true;
  return count;
}

const READERS: {
  readonly [T in Type]: (
    state: LedgerState,
    after: Extract<RecordKey, { readonly type: T }> | null,
    limit: number,
  ) => readonly StoreRecord[];
} = {
  head: ({ at, epoch }, after) => after ? [] : [{ type: "head", at, epoch }],
  schedule: ({ tables }, after, limit) =>
    tables.schedules.list({ afterId: after?.id ?? null, isReverse: false, limit })
      .map((schedule) => ({ type: "schedule", schedule })),
  pause: ({ pauses }, after, limit) =>
    inOrder([...pauses.values()].map((pause) => ({ type: "pause", pause })), after, limit),
  instance: (state, after, limit) => {
    const range = { to: Number.MAX_SAFE_INTEGER, isReverse: false, limit };
    return state.tables.instances.scan({ type: "all" }, { ...range, from: (after?.order ?? 0) + 1 })
      .map((row) => toRecord(state, row));
  },
  tick: ({ tables }, after, limit) =>
    tables.ticks.all(after, limit).map((fate) => ({ type: "tick", fate })),
  rate: ({ tables }, after, limit) =>
    tables.limits.windows(after, limit).map((rate) => ({ type: "rate", ...rate })),
  memo: ({ tables }, after, limit) =>
    tables.memos.list({ prefix: "", after: after?.key ?? null, limit })
      .map((memo) => ({ type: "memo", memo })),
  log: ({ tables }, after, limit) => {
    const range = { instanceSeq: null, order: "written", afterPlace: after?.order ?? 0 } as const;
    return tables.logs.read({ ...range, limit }).map(toLogRecord);
  },
};

function toRecord(state: LedgerState, row: Row): InstanceRecord {
  checkState(row);
  return {
    type: "instance",
    order: row.seq,
    instance: row.instance,
    isHeld: isHeld(row),
    departures: endedAttemptsOf(state, row),
  };
}

function toLogRecord({ place, entry }: PlacedLog): LogRecord {
  // Copied member by member: a line in memory has more members.
  const { instanceId, kind, attempt, fence, seq, at, level, source, message } = entry;
  const line = { instanceId, kind, attempt, fence, seq, at, level, source, message };
  return { type: "log", order: place, line };
}

function writeRecord(state: LedgerState, record: StoreRecord): boolean {
  const { tables } = state;
  switch (record.type) {
    case "head":
      state.at = Math.max(state.at, record.at);
      state.raiseEpoch(record.epoch);
      return true;
    case "schedule":
      if (!tables.schedules.get(record.schedule.id)) state.scheduleCount += 1;
      tables.schedules.save(record.schedule);
      return true;
    case "pause":
      tables.pauses.save(record.pause);
      state.pauses.set(record.pause.kind, record.pause);
      return true;
    case "instance":
      writeInstance(state, record);
      return true;
    case "tick":
      tables.ticks.remove(record.fate.scheduleId, record.fate.from);
      tables.ticks.add(record.fate);
      return true;
    case "rate":
      tables.limits.saveStarts(record, record.starts, record.expireAt);
      state.rates.clear();
      return true;
    case "memo":
      state.saveMemo(record.memo);
      return true;
    case "log":
      return writeLog(state, record);
  }
}

function writeInstance(state: LedgerState, record: InstanceRecord): void {
  const { tables } = state;
  const { order, instance, departures } = record;
  const existing = tables.instances.get(instance.id);
  const other = rowAt(state, order);
  const lines = existing && existing.seq !== order ? linesOf(state, existing) : [];
  if (other && other.instance.id !== instance.id) removeRow(state, other);
  if (existing) {
    if (lines.length > 0) tables.logs.remove(lines.map(({ place }) => place));
    state.take(existing);
  }
  // A waiting row becomes ready again at its time, like after any wait.
  const isWaiting = instance.state === "scheduled" && !record.isHeld;
  const row: Row = {
    seq: order,
    instance,
    isReady: isWaiting ? false : null,
    expireAt: isFinal(instance.state) ? expireAt(instance) : null,
  };
  state.insert(row);
  for (const ended of departures) state.addEnded(row, ended);
  for (const { place, entry } of lines) tables.logs.write(row, place, toLogRow(entry));
}

/** The lines of a row that moves; they move with it. */
function linesOf(state: LedgerState, row: Row): readonly PlacedLog[] {
  const lines: PlacedLog[] = [];
  const range = { instanceSeq: row.seq, order: "written", limit: LINES } as const;
  for (;;) {
    const found = state.tables.logs.read({ ...range, afterPlace: lines.at(-1)?.place ?? 0 });
    lines.push(...found);
    if (found.length < LINES) return lines;
  }
}

function writeLog(state: LedgerState, { order, line }: LogRecord): boolean {
  const row = state.tables.instances.get(line.instanceId);
  if (!row) return false;
  state.tables.logs.remove([order]);
  state.tables.logs.write(row, order, toLogRow(line));
  return true;
}

function toLogRow({ attempt, fence, seq, at, level, source, message }: StoredLogEntry): LogRow {
  return { attempt, fence, seq, at, level, source, message };
}

function removeRecord(state: LedgerState, key: RecordKey): boolean {
  const { tables } = state;
  switch (key.type) {
    case "head":
      return false;
    case "schedule": {
      const exists = tables.schedules.get(key.id) !== null;
      if (exists) state.scheduleCount -= 1;
      tables.schedules.remove(key.id);
      return exists;
    }
    case "pause":
      tables.pauses.remove(key.kind);
      return state.pauses.delete(key.kind);
    case "instance": {
      const row = rowAt(state, key.order);
      if (row) removeRow(state, row);
      return row !== null;
    }
    case "tick": {
      const range = { from: key.from, to: key.from, isReverse: false, limit: 1 };
      const exists = tables.ticks.list(key.scheduleId, range).length > 0;
      tables.ticks.remove(key.scheduleId, key.from);
      return exists;
    }
    case "rate":
      state.rates.clear();
      return tables.limits.removeWindow(key as RateWindow);
    case "memo": {
      const exists = tables.memos.get(key.key) !== null;
      state.removeMemo(key.key);
      return exists;
    }
    case "log":
      return tables.logs.remove([key.order]) > 0;
  }
}

/** A line without its instance could never be read. */
function removeRow(state: LedgerState, row: Row): void {
  while (state.tables.logs.removeOf(row.seq, LINES) === LINES);
  state.take(row);
}

function rowAt(state: LedgerState, seq: number): Row | null {
  const range = { from: seq, to: seq, isReverse: false, limit: 1 };
  return state.tables.instances.scan({ type: "all" }, range)[0] ?? null;
}

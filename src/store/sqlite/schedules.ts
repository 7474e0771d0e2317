import type { ScheduleRecord, TickFate } from "../../core/job/schedule.ts";
import type { Range, Tables } from "../ledger/tables/tables.ts";
import type { Pause } from "../store.ts";
import type { Fields, Statements } from "./statements.ts";

/** The schedule of an id; null when there is none. */
export function getSchedule(statements: Statements, id: string): ScheduleRecord | null {
  const found = statements.get("SELECT * FROM schedule WHERE id = ?", id);
  return found ? readSchedule(found) : null;
}

/** Write a schedule over the one of its id. */
export function saveSchedule(statements: Statements, record: ScheduleRecord): void {
  const { id, cursor, nextAt, ...rest } = record;
  statements.run(
    "INSERT OR REPLACE INTO schedule (id, cursor, next_at, record) VALUES (?, ?, ?, ?)",
    ...[id, cursor, nextAt, JSON.stringify(rest)],
  );
}

/** Schedules by id, after the one given in the direction asked. */
export function listSchedules(
  statements: Statements,
  { afterId, isReverse, limit }: Parameters<Tables["schedules"]>[0],
): readonly ScheduleRecord[] {
  const [sign, order] = isReverse ? ["<", "DESC"] : [">", "ASC"];
  const found = afterId === null
    ? statements.all(`SELECT * FROM schedule ORDER BY id ${order} LIMIT ?`, limit)
    : statements.all(
      `SELECT * FROM schedule WHERE id ${sign} ? ORDER BY id ${order} LIMIT ?`,
      ...[afterId, limit],
    );
  return found.map(readSchedule);
}

/** Schedules whose next tick has come, earliest first. */
export function dueSchedules(
  statements: Statements,
  wallMs: number,
  { limit, skip = 0 }: Parameters<Tables["dueSchedules"]>[1],
): readonly ScheduleRecord[] {
  return statements.all(
    `SELECT * FROM schedule INDEXED BY schedule_next
     WHERE next_at IS NOT NULL AND next_at <= ? ORDER BY next_at, id LIMIT ? OFFSET ?`,
    ...[wallMs, limit, skip],
  ).map(readSchedule);
}

/** The earliest next tick; null when there is none. */
export function firstSchedule(statements: Statements): number | null {
  const found = statements.get(
    `SELECT next_at FROM schedule INDEXED BY schedule_next
     WHERE next_at IS NOT NULL ORDER BY next_at LIMIT 1`,
  );
  return found ? found.next_at as number : null;
}

/** How many instances each schedule holds back until one before them is final. */
export function readHeld(statements: Statements): Map<string, number> {
  const found = statements.all(
    `SELECT schedule_id, count(*) AS count FROM instance INDEXED BY instance_open_schedule
     WHERE schedule_id IS NOT NULL AND state < 3 AND state = 1 AND ready IS NULL
     GROUP BY schedule_id`,
  );
  return new Map(found.map((row) => [row.schedule_id as string, row.count as number]));
}

/** Forget the fate that begins with a tick. */
export function removeTick(statements: Statements, scheduleId: string, from: number): void {
  statements.run("DELETE FROM tick WHERE schedule_id = ? AND from_at = ?", scheduleId, from);
}

/** Write the fate of a tick, or of a range of them. */
export function addTick(statements: Statements, fate: TickFate): void {
  const { scheduleId, from, to, count, reason, instanceId, at } = fate;
  statements.run(
    `INSERT INTO tick (schedule_id, from_at, to_at, count, fate, reason, instance_id, at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    ...[scheduleId, from, to, count, fate.fate, reason, instanceId, at],
  );
}

/** Fates of a schedule by due time. */
export function listTicks(
  statements: Statements,
  scheduleId: string,
  { from, to, isReverse, limit }: Range,
): readonly TickFate[] {
  return statements.all(
    `SELECT * FROM tick WHERE schedule_id = ? AND from_at BETWEEN ? AND ?
     ORDER BY from_at ${isReverse ? "DESC" : "ASC"} LIMIT ?`,
    ...[scheduleId, from, to, limit],
  ).map(readTick);
}

/** Fates of all schedules by schedule and time, after one. */
export function allTicks(
  statements: Statements,
  after: { readonly scheduleId: string; readonly from: number } | null,
  limit: number,
): readonly TickFate[] {
  const found = after === null
    ? statements.all("SELECT * FROM tick ORDER BY schedule_id, from_at LIMIT ?", limit)
    : statements.all(
      `SELECT * FROM tick WHERE (schedule_id, from_at) > (?, ?)
       ORDER BY schedule_id, from_at LIMIT ?`,
      ...[after.scheduleId, after.from, limit],
    );
  return found.map(readTick);
}

function readTick(fields: Fields): TickFate {
  return {
    scheduleId: fields.schedule_id as string,
    from: fields.from_at as number,
    to: fields.to_at as number,
    count: fields.count as number,
    fate: fields.fate as TickFate["fate"],
    reason: fields.reason as string | null,
    instanceId: fields.instance_id as string | null,
    at: fields.at as number,
  };
}

/** Delete fates recorded before a time; answers how many. */
export function removeTicks(statements: Statements, before: number, limit: number): number {
  return statements.run(
    `DELETE FROM tick WHERE (schedule_id, from_at) IN (
       SELECT schedule_id, from_at FROM tick INDEXED BY tick_at WHERE at < ? LIMIT ?)`,
    ...[before, limit],
  );
}

/** Every pause; an empty kind in the table stands for all. */
export function readPauses(statements: Statements): readonly Pause[] {
  return statements.all("SELECT * FROM pause").map((fields) => ({
    kind: fields.kind === "" ? null : fields.kind as string,
    until: fields.until as number | null,
    reason: fields.reason as string,
    at: fields.at as number,
  }));
}

/** Write a pause over the one of its kind. */
export function savePause(statements: Statements, { kind, until, reason, at }: Pause): void {
  statements.run(
    "INSERT OR REPLACE INTO pause (kind, until, reason, at) VALUES (?, ?, ?, ?)",
    ...[kind ?? "", until, reason, at],
  );
}

/** Forget the pause of a kind, or of all. */
export function removePause(statements: Statements, kind: string | null): void {
  statements.run("DELETE FROM pause WHERE kind = ?", kind ?? "");
}

function readSchedule(fields: Fields): ScheduleRecord {
  const rest = JSON.parse(fields.record as string) as Omit<
    ScheduleRecord,
    "id" | "cursor" | "nextAt"
  >;
  return {
    id: fields.id as string,
    cursor: fields.cursor as number,
    nextAt: fields.next_at as number | null,
    ...rest,
  };
}

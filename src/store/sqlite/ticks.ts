import type { TickFate } from "../../core/time/schedule.ts";
import { SqliteTable } from "./kinds.ts";
import type { Range, TickTable } from "../ledger/tables/tables.ts";
import type { GapRequest } from "../store.ts";

const SELECT = `SELECT schedule_id AS scheduleId, from_at AS "from", to_at AS "to", count, fate,
  reason, instance_id AS instanceId, at FROM tick`;

/** The table `tick`. */
export class SqliteTicks extends SqliteTable implements TickTable {
  add(fate: TickFate): void {
    const { scheduleId, from, to, count, reason, instanceId, at } = fate;
    this.statements.run(
      `INSERT INTO tick (schedule_id, from_at, to_at, count, fate, reason, instance_id, at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      [scheduleId, from, to, count, fate.fate, reason, instanceId, at],
    );
  }

  remove(scheduleId: string, from: number): void {
    this.statements.run("DELETE FROM tick WHERE schedule_id = ? AND from_at = ?", [
      scheduleId,
      from,
    ]);
  }

  list(scheduleId: string, { from, to, isReverse, limit }: Range): readonly TickFate[] {
    return this.select(
      `${SELECT} WHERE schedule_id = ? AND from_at BETWEEN ? AND ?
       ORDER BY from_at ${isReverse ? "DESC" : "ASC"} LIMIT ?`,
      [scheduleId, from, to, limit],
    );
  }

  all(
    after: { readonly scheduleId: string; readonly from: number } | null,
    limit: number,
  ): readonly TickFate[] {
    return this.select(
      `${SELECT} WHERE (schedule_id, from_at) > (?, ?) ORDER BY schedule_id, from_at LIMIT ?`,
      [after?.scheduleId ?? "", after?.from ?? 0, limit],
    );
  }

  gaps({ after, before, skip = 0, limit }: GapRequest): readonly TickFate[] {
    return this.select(
      `${SELECT} INDEXED BY tick_gap WHERE fate NOT IN ('fired', 'expected')
       AND from_at >= ? AND from_at < ? ORDER BY from_at DESC LIMIT ? OFFSET ?`,
      [after, before, limit, skip],
    );
  }

  removeRecorded(before: number, limit: number): number {
    return this.statements.run(
      `DELETE FROM tick WHERE (schedule_id, from_at) IN (
         SELECT schedule_id, from_at FROM tick INDEXED BY tick_at WHERE at < ? LIMIT ?)`,
      [before, limit],
    );
  }
}

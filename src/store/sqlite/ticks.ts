import type { TickFate } from "../../core/job/schedule.ts";
import type { Range, TickTable } from "../ledger/tables/tables.ts";
import type { Fields } from "./statements.ts";
import { SqliteTable } from "./table.ts";

/** The table `tick`. */
export class SqliteTicks extends SqliteTable implements TickTable {
  add(fate: TickFate): void {
    const { scheduleId, from, to, count, reason, instanceId, at } = fate;
    this.statements.run(
      `INSERT INTO tick (schedule_id, from_at, to_at, count, fate, reason, instance_id, at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[scheduleId, from, to, count, fate.fate, reason, instanceId, at],
    );
  }

  remove(scheduleId: string, from: number): void {
    this.statements.run(
      "DELETE FROM tick WHERE schedule_id = ? AND from_at = ?",
      scheduleId,
      from,
    );
  }

  list(scheduleId: string, { from, to, isReverse, limit }: Range): readonly TickFate[] {
    return this.statements.all(
      `SELECT * FROM tick WHERE schedule_id = ? AND from_at BETWEEN ? AND ?
       ORDER BY from_at ${isReverse ? "DESC" : "ASC"} LIMIT ?`,
      ...[scheduleId, from, to, limit],
    ).map(readTick);
  }

  all(
    after: { readonly scheduleId: string; readonly from: number } | null,
    limit: number,
  ): readonly TickFate[] {
    const found = after === null
      ? this.statements.all("SELECT * FROM tick ORDER BY schedule_id, from_at LIMIT ?", limit)
      : this.statements.all(
        `SELECT * FROM tick WHERE (schedule_id, from_at) > (?, ?)
         ORDER BY schedule_id, from_at LIMIT ?`,
        ...[after.scheduleId, after.from, limit],
      );
    return found.map(readTick);
  }

  removeRecorded(before: number, limit: number): number {
    return this.statements.run(
      `DELETE FROM tick WHERE (schedule_id, from_at) IN (
         SELECT schedule_id, from_at FROM tick INDEXED BY tick_at WHERE at < ? LIMIT ?)`,
      ...[before, limit],
    );
  }
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

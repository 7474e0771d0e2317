import type { ScheduleRecord } from "../../core/time/schedule.ts";
import type { PauseTable, ScheduleTable } from "../ledger/tables/tables.ts";
import type { Pause } from "../store.ts";
import { SqliteTable } from "./kinds.ts";
import { readStored } from "./error.ts";
import type { Fields } from "./statements.ts";

/** The table `schedule`. */
export class SqliteSchedules extends SqliteTable implements ScheduleTable {
  get(id: string): ScheduleRecord | null {
    const found = this.statements.get("SELECT * FROM schedule WHERE id = ?", [id]);
    return found ? readSchedule(found) : null;
  }

  save(record: ScheduleRecord): void {
    const { id, cursor, nextAt, ...rest } = record;
    this.statements.run(
      "INSERT OR REPLACE INTO schedule (id, cursor, next_at, record) VALUES (?, ?, ?, ?)",
      [id, cursor, nextAt, JSON.stringify(rest)],
    );
  }

  remove(id: string): void {
    this.statements.run("DELETE FROM schedule WHERE id = ?", [id]);
  }

  count(): number {
    return this.statements.get("SELECT count(*) AS count FROM schedule")!.count as number;
  }

  list(
    { afterId, isReverse, limit }: Parameters<ScheduleTable["list"]>[0],
  ): readonly ScheduleRecord[] {
    const [sign, order] = isReverse ? ["<", "DESC"] : [">", "ASC"];
    const found = afterId === null
      ? this.statements.all(`SELECT * FROM schedule ORDER BY id ${order} LIMIT ?`, [limit])
      : this.statements.all(
        `SELECT * FROM schedule WHERE id ${sign} ? ORDER BY id ${order} LIMIT ?`,
        [afterId, limit],
      );
    return found.map(readSchedule);
  }

  due(
    wallMs: number,
    { limit, skip = 0 }: Parameters<ScheduleTable["due"]>[1],
  ): readonly ScheduleRecord[] {
    return this.statements.all(
      `SELECT * FROM schedule INDEXED BY schedule_next
       WHERE next_at IS NOT NULL AND next_at <= ? ORDER BY next_at, id LIMIT ? OFFSET ?`,
      [wallMs, limit, skip],
    ).map(readSchedule);
  }

  firstAt(): number | null {
    const found = this.statements.get(
      `SELECT next_at FROM schedule INDEXED BY schedule_next
       WHERE next_at IS NOT NULL ORDER BY next_at LIMIT 1`,
    );
    return found ? found.next_at as number : null;
  }
}

/** The table `pause`, where an empty kind means all kinds. */
export class SqlitePauses extends SqliteTable implements PauseTable {
  all(): readonly Pause[] {
    return this.select("SELECT nullif(kind, '') AS kind, until, reason, at FROM pause");
  }

  save({ kind, until, reason, at }: Pause): void {
    this.statements.run(
      "INSERT OR REPLACE INTO pause (kind, until, reason, at) VALUES (?, ?, ?, ?)",
      [kind ?? "", until, reason, at],
    );
  }

  remove(kind: string | null): void {
    this.statements.run("DELETE FROM pause WHERE kind = ?", [kind ?? ""]);
  }
}

function readSchedule(fields: Fields): ScheduleRecord {
  const id = fields.id as string;
  const record = fields.record as string;
  const rest = readStored<Omit<ScheduleRecord, "id" | "cursor" | "nextAt">>(record, [
    "schedule",
    id,
  ]);
  return {
    id,
    cursor: fields.cursor as number,
    nextAt: fields.next_at as number | null,
    ...rest,
  };
}

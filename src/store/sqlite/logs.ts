import type { LogLevel, StoredLogEntry } from "../../core/instance.ts";
import type { LogRow, PlacedLog, Row } from "../ledger/tables/row.ts";
import type { LogRange, LogTable } from "../ledger/tables/tables.ts";
import { SqliteTable } from "./kinds.ts";
import type { Fields, Values } from "./statements.ts";

const SELECT = `SELECT log.*, instance.id, instance.kind FROM log
  JOIN instance ON instance.seq = log.instance`;

/** The table `log`. */
export class SqliteLogs extends SqliteTable implements LogTable {
  add(row: Row, lines: readonly LogRow[]): void {
    for (const line of lines) this.write(row, null, line);
  }

  /** @param place null for the next one */
  write(row: Row, place: number | null, line: LogRow): void {
    const { attempt, fence, seq, at, level, source, message } = line;
    this.statements.run(
      `INSERT INTO log (place, instance, attempt, fence, seq, at, level, source, message)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      [place, row.seq, attempt, fence, seq, at, level, source, message],
    );
  }

  lastSeq(instanceSeq: number): number {
    const found = this.statements.get(
      "SELECT seq FROM log WHERE instance = ? ORDER BY place DESC LIMIT 1",
      [instanceSeq],
    );
    return found?.seq as number | undefined ?? 0;
  }

  read(range: LogRange): readonly PlacedLog[] {
    return this.#find(range).map((fields) => ({
      place: fields.place as number,
      entry: readLine(fields, {
        instanceId: fields.id as string,
        kind: this.kinds.nameOf(fields.kind as number),
      }),
    }));
  }

  removeOf(instanceSeq: number, limit: number): number {
    return this.statements.run(
      "DELETE FROM log WHERE place IN (SELECT place FROM log WHERE instance = ? LIMIT ?)",
      [instanceSeq, limit],
    );
  }

  remove(places: readonly number[]): number {
    return places.reduce(
      (count, place) => count + this.statements.run("DELETE FROM log WHERE place = ?", [place]),
      0,
    );
  }

  #find(range: LogRange): readonly Fields[] {
    const { instanceSeq, order, afterPlace = 0, limit, charsMax = Infinity } = range;
    const { afterAt = -Infinity, beforeAt = Infinity } = range;
    let chars = 0;
    const isEnough = ({ message }: Fields) => (chars += (message as string).length) >= charsMax;
    const read = (rest: string, values: Values) =>
      this.statements.some(`${SELECT} ${rest} LIMIT ?`, isEnough, [...values, limit]);
    if (instanceSeq !== null) {
      const [sign, direction] = order === "back" ? ["<", "DESC"] : [">", "ASC"];
      return read(
        `WHERE log.instance = ? AND log.place ${sign} ? ORDER BY log.place ${direction}`,
        [instanceSeq, afterPlace],
      );
    }
    switch (order) {
      case "time":
        return read(
          "WHERE (log.at, log.place) > (?, ?) AND log.at < ? ORDER BY log.at, log.place",
          [afterAt, afterPlace, beforeAt],
        );
      case "written":
        return read("WHERE log.place > ? ORDER BY log.place", [afterPlace]);
      case "back":
      case "newest":
        return read("ORDER BY log.place DESC", []);
    }
  }
}

/** The log line of a row of `log`. */
export function readLine(
  fields: Fields,
  owner: Pick<StoredLogEntry, "instanceId" | "kind">,
): StoredLogEntry {
  return {
    ...owner,
    attempt: fields.attempt as number,
    fence: fields.fence as number,
    seq: fields.seq as number,
    at: fields.at as number,
    level: fields.level as LogLevel,
    source: fields.source as StoredLogEntry["source"],
    message: fields.message as string,
  };
}

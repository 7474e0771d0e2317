import type { LogLevel, StoredLogEntry } from "../../core/instance.ts";
import type { LogRow, PlacedLog } from "../ledger/tables/row.ts";
import type { LogRange } from "../ledger/tables/tables.ts";
import type { Kinds } from "./kinds.ts";
import type { Fields, Statements } from "./statements.ts";

const SELECT = `SELECT log.*, instance.id, instance.kind FROM log
  JOIN instance ON instance.seq = log.instance`;

/** Write log lines of an instance. */
export function addLogs(statements: Statements, instanceSeq: number, lines: readonly LogRow[]) {
  for (const { attempt, fence, seq, at, level, source, message } of lines) {
    statements.run(
      `INSERT INTO log (instance, attempt, fence, seq, at, level, source, message)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[instanceSeq, attempt, fence, seq, at, level, source, message],
    );
  }
}

/** Write one line at a place where none is. */
export function putLog(
  statements: Statements,
  instanceSeq: number,
  place: number,
  { attempt, fence, seq, at, level, source, message }: LogRow,
): void {
  statements.run(
    `INSERT INTO log (place, instance, attempt, fence, seq, at, level, source, message)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ...[place, instanceSeq, attempt, fence, seq, at, level, source, message],
  );
}

/** Log lines of one instance in the order written, or of all in the order asked. */
export function readLogs(
  statements: Statements,
  kinds: Kinds,
  range: LogRange,
): readonly PlacedLog[] {
  return findLogs(statements, range).map((fields) => ({
    place: fields.place as number,
    entry: readLine(fields, {
      instanceId: fields.id as string,
      kind: kinds.nameOf(fields.kind as number),
    }),
  }));
}

/** A line of an instance's log from its row. */
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

/** Number of the last line of an instance; 0 for none. */
export function lastLogSeq(statements: Statements, instanceSeq: number): number {
  const found = statements.get(
    "SELECT seq FROM log WHERE instance = ? ORDER BY place DESC LIMIT 1",
    instanceSeq,
  );
  return found?.seq as number | undefined ?? 0;
}

function findLogs(
  statements: Statements,
  { instanceSeq, order, afterAt, afterPlace, beforeAt, limit, charsMax = Infinity }: LogRange,
): readonly Fields[] {
  let chars = 0;
  const read = (sql: string, ...values: readonly number[]) =>
    statements.some(
      sql,
      ({ message }) => (chars += (message as string).length) >= charsMax,
      ...values,
    );
  if (instanceSeq !== null) {
    return read(
      `${SELECT} WHERE log.instance = ? AND log.place > ? ORDER BY log.place LIMIT ?`,
      ...[instanceSeq, afterPlace, limit],
    );
  }
  switch (order) {
    case "time":
      return read(
        `${SELECT} WHERE (log.at, log.place) > (?, ?) AND log.at < ?
         ORDER BY log.at, log.place LIMIT ?`,
        ...[afterAt, afterPlace, beforeAt, limit],
      );
    case "written":
      return read(
        `${SELECT} WHERE log.place > ? ORDER BY log.place LIMIT ?`,
        ...[afterPlace, limit],
      );
    case "newest":
      return read(`${SELECT} ORDER BY log.place DESC LIMIT ?`, limit);
  }
}

/** Delete the first lines of an instance; answers how many. */
export function removeLogsOf(statements: Statements, instanceSeq: number, limit: number): number {
  return statements.run(
    "DELETE FROM log WHERE place IN (SELECT place FROM log WHERE instance = ? LIMIT ?)",
    instanceSeq,
    limit,
  );
}

/** Delete lines by place; answers how many there were. */
export function removeLogs(statements: Statements, places: readonly number[]): number {
  return places.reduce(
    (count, place) => count + statements.run("DELETE FROM log WHERE place = ?", place),
    0,
  );
}

import type { Hold, QueueName, RateStarts, RateWindow, Starts } from "../ledger/tables/tables.ts";
import type { Fields, Statements } from "./statements.ts";

/** The hold of a queue. */
export function getHold(statements: Statements, { kind, queueKey }: QueueName): Hold | null {
  const found = statements.get(
    "SELECT * FROM hold WHERE kind = ? AND queue_key = ?",
    ...[kind, queueKey],
  );
  return found ? readHold(found) : null;
}

/** Write the hold of a queue. */
export function saveHold(statements: Statements, { kind, queueKey, until, stamp }: Hold): void {
  statements.run(
    "INSERT OR REPLACE INTO hold (kind, queue_key, until, stamp) VALUES (?, ?, ?, ?)",
    ...[kind, queueKey, until, stamp],
  );
}

/** Delete the hold of a queue. */
export function removeHold(statements: Statements, { kind, queueKey }: QueueName): void {
  statements.run("DELETE FROM hold WHERE kind = ? AND queue_key = ?", kind, queueKey);
}

/** Holds that ended, earliest first. */
export function endedHolds(
  statements: Statements,
  wallMs: number,
  limit: number,
): readonly Hold[] {
  return statements.all("SELECT * FROM hold WHERE until <= ? ORDER BY until LIMIT ?", wallMs, limit)
    .map(readHold);
}

/** When the first hold ends: of a kind, or of all. */
export function firstHold(statements: Statements, kind: string | null): number | null {
  const found = kind === null
    ? statements.get("SELECT until FROM hold ORDER BY until LIMIT 1")
    : statements.get("SELECT until FROM hold WHERE kind = ? ORDER BY until LIMIT 1", kind);
  return found ? found.until as number : null;
}

/** End the holds of a kind whose stamp is another, or all of them. */
export function endHolds(
  statements: Statements,
  kind: string | null,
  stamp: string | null,
): number {
  return kind === null
    ? statements.run("UPDATE hold SET until = 0 WHERE until > 0 AND stamp IS NOT ?", stamp)
    : statements.run(
      "UPDATE hold SET until = 0 WHERE kind = ? AND until > 0 AND stamp IS NOT ?",
      ...[kind, stamp],
    );
}

/** The starts of a window, or of the longest of its queue when another span was counted so far. */
export function getStarts(statements: Statements, window: RateWindow): Starts {
  const found = statements.get(
    `SELECT starts FROM rate WHERE kind = ? AND queue_key = ?
     ORDER BY per_ms = ? DESC, per_ms DESC LIMIT 1`,
    ...[window.kind, window.queueKey, window.perMs],
  );
  return found ? JSON.parse(found.starts as string) as Starts : [];
}

/** Write the starts of a window. */
export function saveStarts(
  statements: Statements,
  { kind, queueKey, perMs }: RateWindow,
  starts: Starts,
  expireAt: number,
): void {
  statements.run(
    `INSERT OR REPLACE INTO rate (kind, queue_key, per_ms, starts, expire_at)
     VALUES (?, ?, ?, ?, ?)`,
    ...[kind, queueKey, perMs, JSON.stringify(starts), expireAt],
  );
}

/** Windows by kind, queue and span, after one. */
export function readRates(
  statements: Statements,
  after: RateWindow | null,
  limit: number,
): readonly RateStarts[] {
  return statements.all(
    "SELECT * FROM rate WHERE (kind, queue_key, per_ms) > (?, ?, ?) ORDER BY kind, queue_key, per_ms LIMIT ?",
    ...[after?.kind ?? "", after?.queueKey ?? "", after?.perMs ?? 0, limit],
  ).map((fields) => ({
    kind: fields.kind as string,
    queueKey: fields.queue_key as string,
    perMs: fields.per_ms as number,
    starts: JSON.parse(fields.starts as string) as Starts,
    expireAt: fields.expire_at as number,
  }));
}

/** Forget one window; whether there was one. */
export function removeRate(statements: Statements, window: RateWindow): boolean {
  return statements.run(
    "DELETE FROM rate WHERE kind = ? AND queue_key = ? AND per_ms = ?",
    ...[window.kind, window.queueKey, window.perMs],
  ) > 0;
}

/** Forget windows that expired; answers how many. */
export function removeStarts(statements: Statements, before: number, limit: number): number {
  return statements.run(
    `DELETE FROM rate WHERE (kind, queue_key, per_ms) IN
       (SELECT kind, queue_key, per_ms FROM rate WHERE expire_at <= ? LIMIT ?)`,
    before,
    limit,
  );
}

function readHold(fields: Fields): Hold {
  return {
    kind: fields.kind as string,
    queueKey: fields.queue_key as string,
    until: fields.until as number,
    stamp: fields.stamp as string,
  };
}

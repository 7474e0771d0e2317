import { SqliteTable } from "./kinds.ts";
import type {
  LimitTable,
  QueueDelay,
  QueueName,
  RateStarts,
  RateWindow,
  Starts,
} from "../ledger/tables/tables.ts";

const DELAYS = "SELECT kind, queue_key AS queueKey, until, stamp FROM hold";

/** The tables `hold`, for delays of queues, and `rate`. */
export class SqliteLimits extends SqliteTable implements LimitTable {
  delayOf({ kind, queueKey }: QueueName): QueueDelay | null {
    const sql = `${DELAYS} WHERE kind = ? AND queue_key = ?`;
    return this.select<QueueDelay>(sql, [kind, queueKey])[0] ?? null;
  }

  saveDelay({ kind, queueKey, until, stamp }: QueueDelay): void {
    this.statements.run(
      "INSERT OR REPLACE INTO hold (kind, queue_key, until, stamp) VALUES (?, ?, ?, ?)",
      [kind, queueKey, until, stamp],
    );
  }

  removeDelay({ kind, queueKey }: QueueName): void {
    this.statements.run("DELETE FROM hold WHERE kind = ? AND queue_key = ?", [kind, queueKey]);
  }

  endedDelays(wallMs: number, limit: number): readonly QueueDelay[] {
    return this.select(`${DELAYS} WHERE until <= ? ORDER BY until LIMIT ?`, [wallMs, limit]);
  }

  firstDelay(kind: string | null): number | null {
    const found = kind === null
      ? this.statements.get("SELECT until FROM hold ORDER BY until LIMIT 1")
      : this.statements.get("SELECT until FROM hold WHERE kind = ? ORDER BY until LIMIT 1", [kind]);
    return found ? found.until as number : null;
  }

  endDelays(kind: string | null, stamp: string | null): number {
    return kind === null
      ? this.statements.run("UPDATE hold SET until = 0 WHERE until > 0 AND stamp IS NOT ?", [stamp])
      : this.statements.run(
        "UPDATE hold SET until = 0 WHERE kind = ? AND until > 0 AND stamp IS NOT ?",
        [kind, stamp],
      );
  }

  starts(window: RateWindow): Starts {
    const found = this.statements.get(
      `SELECT starts FROM rate WHERE kind = ? AND queue_key = ?
       ORDER BY per_ms = ? DESC, per_ms DESC LIMIT 1`,
      [window.kind, window.queueKey, window.perMs],
    );
    return found ? JSON.parse(found.starts as string) as Starts : [];
  }

  saveStarts({ kind, queueKey, perMs }: RateWindow, starts: Starts, expireAt: number): void {
    this.statements.run(
      `INSERT OR REPLACE INTO rate (kind, queue_key, per_ms, starts, expire_at)
       VALUES (?, ?, ?, ?, ?)`,
      [kind, queueKey, perMs, JSON.stringify(starts), expireAt],
    );
  }

  windows(after: RateWindow | null, limit: number): readonly RateStarts[] {
    return this.select<Omit<RateStarts, "starts"> & { readonly starts: string }>(
      `SELECT kind, queue_key AS queueKey, per_ms AS perMs, starts, expire_at AS expireAt FROM rate
       WHERE (kind, queue_key, per_ms) > (?, ?, ?) ORDER BY kind, queue_key, per_ms LIMIT ?`,
      [after?.kind ?? "", after?.queueKey ?? "", after?.perMs ?? 0, limit],
    ).map((found) => ({ ...found, starts: JSON.parse(found.starts) as Starts }));
  }

  removeWindow({ kind, queueKey, perMs }: RateWindow): boolean {
    return this.statements.run("DELETE FROM rate WHERE kind = ? AND queue_key = ? AND per_ms = ?", [
      kind,
      queueKey,
      perMs,
    ]) > 0;
  }

  removeExpired(before: number, limit: number): number {
    return this.statements.run(
      `DELETE FROM rate WHERE (kind, queue_key, per_ms) IN
         (SELECT kind, queue_key, per_ms FROM rate WHERE expire_at <= ? LIMIT ?)`,
      [before, limit],
    );
  }
}

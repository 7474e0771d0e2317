import type { Row } from "../ledger/tables/row.ts";
import type { EndedAttempt } from "../records.ts";
import { SqliteTable } from "./kinds.ts";
import type { EndedAttemptTable } from "../ledger/tables/tables.ts";

const SELECT = `SELECT attempt, fence, node, processed_at AS processedAt,
  scheduled_at AS scheduledAt, reason FROM departure`;

/** The table `departure`: attempts that ended with their instance scheduled again. */
export class SqliteEndedAttempts extends SqliteTable implements EndedAttemptTable {
  add({ seq }: Row, ended: EndedAttempt): void {
    const { attempt, fence, node, processedAt, scheduledAt, reason } = ended;
    this.statements.run(
      `INSERT INTO departure (instance, attempt, fence, node, processed_at, scheduled_at, reason)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
      [seq, attempt, fence, node, processedAt, scheduledAt, reason],
    );
  }

  list(seq: number, fromAttempt: number, limit: number): readonly EndedAttempt[] {
    return this.select(`${SELECT} WHERE instance = ? AND attempt >= ? ORDER BY attempt LIMIT ?`, [
      seq,
      fromAttempt,
      limit,
    ]);
  }

  byFence(seq: number, fence: number): EndedAttempt | null {
    // Fences rise with attempts, and the latest attempts are the likely ones.
    const [found] = this.select<EndedAttempt>(
      `${SELECT} WHERE instance = ? AND fence = ? ORDER BY attempt DESC LIMIT 1`,
      [seq, fence],
    );
    return found ?? null;
  }
}

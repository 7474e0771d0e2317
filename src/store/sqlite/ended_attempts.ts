import type { EndedAttempt, Row } from "../ledger/tables/row.ts";
import type { EndedAttemptTable } from "../ledger/tables/tables.ts";
import type { Fields } from "./statements.ts";
import { SqliteTable } from "./table.ts";

const COLUMNS = "attempt, fence, node, processed_at, scheduled_at, reason";

/** The table `departure`: attempts that ended with their instance scheduled again. */
export class SqliteEndedAttempts extends SqliteTable implements EndedAttemptTable {
  add({ seq }: Row, ended: EndedAttempt): void {
    const { attempt, fence, node, processedAt, scheduledAt, reason } = ended;
    this.statements.run(
      `INSERT INTO departure (instance, ${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)`,
      ...[seq, attempt, fence, node, processedAt, scheduledAt, reason],
    );
  }

  list(seq: number, fromAttempt: number, limit: number): readonly EndedAttempt[] {
    return this.statements.all(
      `SELECT ${COLUMNS} FROM departure WHERE instance = ? AND attempt >= ?
       ORDER BY attempt LIMIT ?`,
      ...[seq, fromAttempt, limit],
    ).map(readEnded);
  }

  byFence(seq: number, fence: number): EndedAttempt | null {
    // Fences rise with attempts, and the latest attempts are the likely ones.
    const found = this.statements.get(
      `SELECT ${COLUMNS} FROM departure WHERE instance = ? AND fence = ?
       ORDER BY attempt DESC LIMIT 1`,
      ...[seq, fence],
    );
    return found ? readEnded(found) : null;
  }
}

function readEnded(fields: Fields): EndedAttempt {
  return {
    attempt: fields.attempt as number,
    fence: fields.fence as number,
    node: fields.node as string | null,
    processedAt: fields.processed_at as number,
    scheduledAt: fields.scheduled_at as number,
    reason: fields.reason as string,
  };
}

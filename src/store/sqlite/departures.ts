import type { EndedAttempt } from "../ledger/tables/row.ts";
import type { Fields, Statements } from "./statements.ts";

const COLUMNS = "attempt, fence, node, processed_at, scheduled_at, reason";

/** Write an attempt that ended with its instance scheduled again. */
export function addDeparture(statements: Statements, seq: number, departure: EndedAttempt): void {
  const { attempt, fence, node, processedAt, scheduledAt, reason } = departure;
  statements.run(
    `INSERT INTO departure (instance, ${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)`,
    ...[seq, attempt, fence, node, processedAt, scheduledAt, reason],
  );
}

/** Departures of an instance from one attempt on. */
export function readDepartures(
  statements: Statements,
  { seq, fromAttempt, limit }: {
    readonly seq: number;
    readonly fromAttempt: number;
    readonly limit: number;
  },
): readonly EndedAttempt[] {
  return statements.all(
    `SELECT ${COLUMNS} FROM departure WHERE instance = ? AND attempt >= ?
     ORDER BY attempt LIMIT ?`,
    ...[seq, fromAttempt, limit],
  ).map(read);
}

/** The departure of one fence. */
export function departureOf(
  statements: Statements,
  seq: number,
  fence: number,
): EndedAttempt | null {
  // The latest are the likely ones; fences rise with attempts.
  const found = statements.get(
    `SELECT ${COLUMNS} FROM departure WHERE instance = ? AND fence = ?
     ORDER BY attempt DESC LIMIT 1`,
    ...[seq, fence],
  );
  return found ? read(found) : null;
}

function read(fields: Fields): EndedAttempt {
  return {
    attempt: fields.attempt as number,
    fence: fields.fence as number,
    node: fields.node as string | null,
    processedAt: fields.processed_at as number,
    scheduledAt: fields.scheduled_at as number,
    reason: fields.reason as string,
  };
}

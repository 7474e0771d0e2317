import type { ReadyKey, Row } from "../ledger/tables/row.ts";
import type { PromotedRow, QueueName } from "../ledger/tables/tables.ts";
import { readRow } from "./instances.ts";
import type { Kinds } from "./kinds.ts";
import type { Fields, Statements } from "./statements.ts";

/** Rows of a kind that are offered to claims, in claim order, those after `after`. */
export function readyRows(
  statements: Statements,
  kinds: Kinds,
  request: {
    readonly kind: string;
    readonly limit: number;
    readonly after: ReadyKey | undefined;
  },
): readonly Row[] {
  const { limit, after } = request;
  const kind = kinds.knownId(request.kind);
  const source = "SELECT * FROM instance INDEXED BY instance_ready WHERE kind = ? AND ready = 1";
  const order = "ORDER BY priority, due_at, seq LIMIT ?";
  const found = after === undefined
    ? statements.all(`${source} ${order}`, kind, limit)
    : statements.all(
      `${source} AND (priority, due_at, seq) > (?, ?, ?) ${order}`,
      ...[kind, after.priority, after.dueAt, after.seq, limit],
    );
  return found.map((fields) => readRow(kinds, fields));
}

/** The place of the first row of a kind that is offered to claims. */
export function firstReady(statements: Statements, kinds: Kinds, kind: string): ReadyKey | null {
  const found = statements.get(
    `SELECT priority, due_at, seq FROM instance INDEXED BY instance_ready
     WHERE kind = ? AND ready = 1 ORDER BY priority, due_at, seq LIMIT 1`,
    kinds.knownId(kind),
  );
  return found ? readyKey(found) : null;
}

/** The first ready row of a queue with a key: of those that stand behind, or the one that is offered. */
export function firstOfQueue(
  statements: Statements,
  kinds: Kinds,
  { kind, queueKey }: QueueName,
  isBehind: boolean,
): Row | null {
  const found = statements.get(
    `SELECT * FROM instance INDEXED BY instance_queue
     WHERE kind = ? AND queue_key = ? AND queue_key IS NOT NULL AND ready = ? AND ready > 0
     ORDER BY priority, due_at, seq LIMIT 1`,
    ...[kinds.knownId(kind), queueKey, isBehind ? 2 : 1],
  );
  return found ? readRow(kinds, found) : null;
}

/** Mark waiting rows that are due as ready, earliest first; those with a queue key as behind. */
export function promote(
  statements: Statements,
  kinds: Kinds,
  { wallMs, limit }: { readonly wallMs: number; readonly limit: number },
): readonly PromotedRow[] {
  return statements.all(
    `UPDATE instance SET ready = iif(queue_key IS NULL, 1, 2) WHERE seq IN (
       SELECT seq FROM instance INDEXED BY instance_later
       WHERE ready = 0 AND due_at <= ? ORDER BY due_at LIMIT ?)
     RETURNING kind, queue_key, priority, due_at, seq`,
    wallMs,
    limit,
  ).map((fields) => {
    const kind = kinds.nameOf(fields.kind as number);
    return { kind, queueKey: fields.queue_key as string | null ?? kind, ...readyKey(fields) };
  });
}

/** The earliest due time of rows that are not ready: of a kind, or of all. */
export function firstLater(
  statements: Statements,
  kinds: Kinds,
  kind: string | null,
): number | null {
  const found = kind === null
    ? statements.get(
      `SELECT due_at FROM instance INDEXED BY instance_later WHERE ready = 0
       ORDER BY due_at LIMIT 1`,
    )
    : statements.get(
      `SELECT due_at FROM instance INDEXED BY instance_later_kind WHERE kind = ? AND ready = 0
       ORDER BY due_at LIMIT 1`,
      kinds.knownId(kind),
    );
  return found ? found.due_at as number : null;
}

function readyKey(fields: Fields): ReadyKey {
  return {
    priority: fields.priority as number,
    dueAt: fields.due_at as number,
    seq: fields.seq as number,
  };
}

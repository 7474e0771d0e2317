import type { ReadyKey, Row } from "../ledger/tables/row.ts";
import type { PromotedRow, QueueName, WaitingTable } from "../ledger/tables/tables.ts";
import type { LaterRequest, UpcomingInstance } from "../store.ts";
import { readRow } from "./instances.ts";
import { SqliteTable } from "./kinds.ts";
import type { Fields, Values } from "./statements.ts";

/** The waiting rows of the table `instance`. */
export class SqliteWaiting extends SqliteTable implements WaitingTable {
  ready(kind: string, limit: number, after?: ReadyKey): readonly Row[] {
    const id = this.kinds.knownId(kind);
    const source = "SELECT * FROM instance INDEXED BY instance_ready WHERE kind = ? AND ready = 1";
    const order = "ORDER BY priority, due_at, seq LIMIT ?";
    const found = after === undefined
      ? this.statements.all(`${source} ${order}`, [id, limit])
      : this.statements.all(`${source} AND (priority, due_at, seq) > (?, ?, ?) ${order}`, [
        id,
        after.priority,
        after.dueAt,
        after.seq,
        limit,
      ]);
    return found.map((fields) => readRow(this.kinds, fields));
  }

  firstReady(kind: string): ReadyKey | null {
    const found = this.statements.get(
      `SELECT priority, due_at, seq FROM instance INDEXED BY instance_ready
       WHERE kind = ? AND ready = 1 ORDER BY priority, due_at, seq LIMIT 1`,
      [this.kinds.knownId(kind)],
    );
    return found ? readyKey(found) : null;
  }

  firstOfQueue({ kind, queueKey }: QueueName, isBehind: boolean): Row | null {
    const found = this.statements.get(
      `SELECT * FROM instance INDEXED BY instance_queue
       WHERE kind = ? AND queue_key = ? AND queue_key IS NOT NULL AND ready = ? AND ready > 0
       ORDER BY priority, due_at, seq LIMIT 1`,
      [this.kinds.knownId(kind), queueKey, isBehind ? 2 : 1],
    );
    return found ? readRow(this.kinds, found) : null;
  }

  promote(wallMs: number, limit: number): readonly PromotedRow[] {
    return this.statements.all(
      `UPDATE instance SET ready = iif(queue_key IS NULL, 1, 2) WHERE seq IN (
         SELECT seq FROM instance INDEXED BY instance_later
         WHERE ready = 0 AND due_at <= ? ORDER BY due_at LIMIT ?)
       RETURNING kind, queue_key, priority, due_at, seq`,
      [wallMs, limit],
    ).map((fields) => {
      const kind = this.kinds.nameOf(fields.kind as number);
      return { kind, queueKey: fields.queue_key as string | null ?? kind, ...readyKey(fields) };
    });
  }

  later(
    kind: string | null,
    { after, before, limit }: Omit<LaterRequest, "kinds">,
  ): readonly Row[] {
    const [source, values] = this.#laterOf(kind);
    const found = this.statements.all(
      `SELECT * ${source} AND due_at >= ? AND due_at < ? ORDER BY due_at, seq LIMIT ?`,
      [...values, after, before, limit],
    );
    return found.map((fields) => readRow(this.kinds, fields));
  }

  soonest(kind: string | null, limit: number): readonly UpcomingInstance[] {
    const [source, values] = this.#laterOf(kind);
    const sql = `SELECT id, kind, due_at ${source} ORDER BY due_at LIMIT ?`;
    const found = this.statements.all(sql, [...values, limit]);
    return found.map((fields) => ({
      id: fields.id as string,
      kind: this.kinds.nameOf(fields.kind as number),
      dueAt: fields.due_at as number,
    }));
  }

  firstLater(kind: string | null): number | null {
    const [source, values] = this.#laterOf(kind);
    const found = this.statements.get(`SELECT due_at ${source} ORDER BY due_at LIMIT 1`, values);
    return found ? found.due_at as number : null;
  }

  /** The condition for the waiting instances of a kind, or of all, with its values. */
  #laterOf(kind: string | null): readonly [source: string, values: Values] {
    if (kind === null) return ["FROM instance INDEXED BY instance_later WHERE ready = 0", []];
    const source = "FROM instance INDEXED BY instance_later_kind WHERE kind = ? AND ready = 0";
    return [source, [this.kinds.knownId(kind)]];
  }
}

function readyKey(fields: Fields): ReadyKey {
  return {
    priority: fields.priority as number,
    dueAt: fields.due_at as number,
    seq: fields.seq as number,
  };
}

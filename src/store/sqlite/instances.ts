import { isFinal } from "../../core/state.ts";
import { instanceChars } from "../../core/payload_chars.ts";
import { type Row, stateIndex } from "../ledger/tables/row.ts";
import type { CountedIndex, Index, InstanceTable, Range, Tally } from "../ledger/tables/tables.ts";
import {
  INSERT,
  insertValues,
  packExtra,
  readInstance,
  REST,
  restValues,
} from "./gen/instance_row.ts";
import type { Fields, Statements, Value, Values } from "./statements.ts";
import { type Kinds, SqliteTable } from "./kinds.ts";

// SQLite rewrites the indexes of every column in a statement, so each names only changed ones.
const CLAIM = `UPDATE instance SET state = 2, ready = NULL, reason = NULL, processed_at = ?,
  attempt = ?, fence = ?, node = ? WHERE seq = ?`;
const END = `UPDATE instance SET state = ?, reason = ?, settled_at = ?, expire_at = ?,
  cancel_at = ?, failures = ?, crashes = ?, results = ?, error = ?, version = ?, extra = ?
  WHERE seq = ?`;
const END_WAITING = `UPDATE instance SET state = ?, ready = NULL, reason = ?, settled_at = ?,
  expire_at = ?, cancel_at = ?, error = ? WHERE seq = ?`;
const AGAIN = `UPDATE instance SET state = 1, ready = ?, reason = ?, due_at = ?, scheduled_at = ?,
  node = NULL, failures = ?, crashes = ?, error = ?, version = ? WHERE seq = ?`;
const UNCLAIM = `UPDATE instance SET attempt = ?, processed_at = ? WHERE seq = ?`;
const MARK = `UPDATE instance SET cancel_at = ?, reason = ? WHERE seq = ?`;
const UNWIND = `UPDATE instance SET cancel_at = ?, deadline_at = ? WHERE seq = ?`;
const MOVE = `UPDATE instance SET ready = ? WHERE seq = ?`;
const JOIN = `UPDATE instance SET flow_id = ? WHERE seq = ?`;
const QUEUE = `UPDATE instance SET queue_key = ? WHERE seq = ?`;
const PACK = `UPDATE instance SET extra = ? WHERE seq = ?`;

// Only the index of ids is read, not the rows.
const SLICE_START = `SELECT id FROM instance INDEXED BY instance_id WHERE id < ?
  ORDER BY id DESC LIMIT 1 OFFSET ?`;
const IDS_WITH = `SELECT id FROM instance INDEXED BY instance_id WHERE id >= ? AND id < ?
  AND instr(id, ?) > 0`;
/** Ids compared with a part before other work runs: some 0.7 ms. */
const SLICE_IDS = 5_000;

/** An index with fewer rows in all spans is read once, not once for each span. */
const FEW_ROWS = 64;
/** Samples for estimating a large count, fewer if little may be read. */
const SAMPLES_MAX = 16;
const SAMPLES_MIN = 3;
/** Rows of a sample, roughly. */
const SAMPLE_ROWS = 64;
/** Fixed cost of counting a range, in rows. */
const RANGE_ROWS = 20;

/** The table `instance`. */
export class SqliteInstances extends SqliteTable implements InstanceTable {
  /** The greatest id in the file: a new, higher id need not be looked up. Null if unknown. */
  #idMax: string | null = null;

  /** Read the greatest id. Only the file's owner does this: it sees every insert. */
  readIdMax(): void {
    const id = this.statements.get("SELECT max(id) AS id FROM instance")!.id as string | null;
    // SQLite orders by code point, JavaScript by UTF-16: they agree on ASCII text.
    this.#idMax = /\P{ASCII}/u.test(id ?? "") ? null : id ?? "";
  }

  insert(row: Row): void {
    const { instance: i, seq } = row;
    if (this.#idMax !== null && i.id > this.#idMax) this.#idMax = i.id;
    const kind = this.kinds.idOf(i.kind);
    this.statements.insert(INSERT, insertValues(i, { seq, ready: readyOf(row), kind }));
    // Among new instances only held ones have a reason.
    if (i.fence === 0 && i.state === "scheduled" && i.reason === null) return;
    this.statements.run(REST, restValues(i, seq, row.expireAt));
  }

  update(before: Row, after: Row): void {
    const statements = this.statements;
    const { instance: i, seq } = after;
    if (i.flowId !== before.instance.flowId) {
      statements.run(JOIN, [i.flowId, seq]);
      return;
    }
    const errorJson = i.error === null ? null : JSON.stringify(i.error);
    const extra = packExtra(i);
    const isEnd = isFinal(i.state) && before.isReady === null;
    if (isFinal(i.state)) {
      const state = stateIndex(i.state);
      const ended: Value[] = [i.reason, i.settledAt, after.expireAt, i.cancelRequestedAt];
      if (isEnd) {
        const outcome = [i.failures, i.crashes, i.resultsJson, errorJson, i.version];
        statements.run(END, [state, ...ended, ...outcome, extra, seq]);
      } else statements.run(END_WAITING, [state, ...ended, errorJson, seq]);
    } else if (i === before.instance) {
      statements.run(MOVE, [readyOf(after), seq]);
      return;
    } else if (i.state === "scheduled") {
      const ready = readyOf(after);
      const times = [i.dueAt, i.scheduledAt];
      const counted = [i.failures, i.crashes];
      statements.run(AGAIN, [ready, i.reason, ...times, ...counted, errorJson, i.version, seq]);
    } else if (before.instance.state === "scheduled") {
      statements.run(CLAIM, [i.processedAt, i.attempt, i.fence, i.node, seq]);
    } else {
      statements.run(MARK, [i.cancelRequestedAt, i.reason, seq]);
    }
    if (i.deadlineAt !== before.instance.deadlineAt) {
      statements.run(UNWIND, [i.cancelRequestedAt, i.deadlineAt, seq]);
    }
    if (i.queueKey !== before.instance.queueKey) {
      statements.run(QUEUE, [i.queueKey === i.kind ? null : i.queueKey, seq]);
    }
    if (i.attempt < before.instance.attempt) {
      statements.run(UNCLAIM, [i.attempt, i.processedAt, seq]);
    }
    if (!isEnd && extra !== packExtra(before.instance)) statements.run(PACK, [extra, seq]);
  }

  remove(row: Row): void {
    this.statements.run("DELETE FROM departure WHERE instance = ?", [row.seq]);
    this.statements.run("DELETE FROM instance WHERE seq = ?", [row.seq]);
  }

  get(id: string): Row | null {
    if (this.#idMax !== null && id > this.#idMax) return null;
    return this.#one("SELECT * FROM instance WHERE id = ?", [id]);
  }

  openByKey(uniqueKey: string): Row | null {
    return this.#one(
      `SELECT * FROM instance INDEXED BY instance_open_key
       WHERE unique_key = ? AND unique_key IS NOT NULL AND state < 3`,
      [uniqueKey],
    );
  }

  keptSlots(kind: string): Map<string, number> {
    const found = this.statements.all(
      `SELECT json_extract(extra, '$.slotKey') AS slot, count(*) AS count FROM instance
       WHERE kind = ? AND state IN (1, 2) AND json_extract(extra, '$.slotKey') IS NOT NULL
       GROUP BY slot`,
      [this.kinds.knownId(kind)],
    );
    return new Map(found.map((row) => [row.slot as string, row.count as number]));
  }

  hasOpen(scheduleId: string): boolean {
    const found = this.statements.get(
      `SELECT 1 FROM instance INDEXED BY instance_open_schedule
       WHERE schedule_id = ? AND schedule_id IS NOT NULL AND state < 3 LIMIT 1`,
      [scheduleId],
    );
    return found !== undefined;
  }

  scan(index: Index, { from, to, isReverse, limit, charsMax }: Range): readonly Row[] {
    const [source, ...values] = sourceOf(this.kinds, index);
    const order = isReverse ? "DESC" : "ASC";
    const sql =
      `SELECT * FROM instance ${source} seq BETWEEN ? AND ? ORDER BY seq ${order} LIMIT ?`;
    const all = [...values, from, to, limit];
    if (charsMax === undefined) return this.#rows(sql, all);
    const rows: Row[] = [];
    let chars = 0;
    this.statements.some(sql, (fields) => {
      const row = readRow(this.kinds, fields);
      rows.push(row);
      chars += instanceChars(row.instance);
      return chars >= charsMax;
    }, all);
    return rows;
  }

  tally(index: CountedIndex, bounds: readonly number[], most: Parameters<typeof tally>[2]): Tally {
    return tally(partOf(this.kinds, index), bounds, most, this.statements);
  }

  *idsWith(part: string): Generator<string | number> {
    const { statements } = this;
    let before = "\u{10ffff}";
    for (;;) {
      const first = statements.get(SLICE_START, [before, SLICE_IDS - 1])?.id as string | undefined;
      for (const { id } of statements.all(IDS_WITH, [first ?? "", before, part])) {
        yield id as string;
      }
      if (first === undefined) return;
      before = first;
      yield SLICE_IDS;
    }
  }

  createdFrom(seq: number): { readonly seq: number; readonly createdAt: number } | null {
    const found = this.statements.get(
      "SELECT seq, created_at FROM instance WHERE seq >= ? ORDER BY seq LIMIT 1",
      [seq],
    );
    return found ? { seq: found.seq as number, createdAt: found.created_at as number } : null;
  }

  expired(wallMs: number, limit: number): readonly Row[] {
    return this.#rows(
      `SELECT * FROM instance INDEXED BY instance_expire
       WHERE expire_at IS NOT NULL AND expire_at <= ? ORDER BY expire_at LIMIT ?`,
      [wallMs, limit],
    );
  }

  pastDeadline(wallMs: number, limit: number): readonly Row[] {
    return this.#rows(
      `SELECT * FROM instance INDEXED BY instance_deadline
       WHERE deadline_at IS NOT NULL AND state = 1 AND deadline_at <= ?
       ORDER BY deadline_at LIMIT ?`,
      [wallMs, limit],
    );
  }

  countHeld(): Map<string, number> {
    const found = this.statements.all(
      `SELECT schedule_id, count(*) AS count FROM instance INDEXED BY instance_open_schedule
       WHERE schedule_id IS NOT NULL AND state < 3 AND state = 1 AND ready IS NULL
       GROUP BY schedule_id`,
    );
    return new Map(found.map((row) => [row.schedule_id as string, row.count as number]));
  }

  #one(sql: string, values: Values): Row | null {
    const fields = this.statements.get(sql, values);
    return fields ? readRow(this.kinds, fields) : null;
  }

  #rows(sql: string, values: Values): Row[] {
    return this.statements.all(sql, values).map((fields) => readRow(this.kinds, fields));
  }
}

function readyOf({ isReady, isBehind }: Row): number | null {
  if (isReady === true) return isBehind ? 2 : 1;
  return isReady === null ? null : 0;
}

/** A row from the columns of table `instance`. */
export function readRow(kinds: Kinds, fields: Fields): Row {
  const ready = fields.ready as number | null;
  const row: Row = {
    seq: fields.seq as number,
    isReady: ready === null ? null : ready > 0,
    expireAt: fields.expire_at as number | null,
    instance: readInstance(fields, kinds.nameOf(fields.kind as number)),
  };
  return ready === 2 ? { ...row, isBehind: true } : row;
}

/** The index of SQLite to read, with the condition and values that select its part. */
function sourceOf(kinds: Kinds, index: Index): [string, ...Value[]] {
  switch (index.type) {
    case "all":
      return ["WHERE"];
    case "idPrefix":
      return [
        "INDEXED BY instance_id WHERE id >= ? AND id < ? AND",
        index.idPrefix,
        `${index.idPrefix}\u{10ffff}`,
      ];
    case "kindState": {
      const source = "INDEXED BY instance_kind_state WHERE kind = ? AND state = ? AND";
      return [source, kinds.knownId(index.kind), stateIndex(index.state)];
    }
    case "schedule":
      return sparse("schedule_id", "instance_schedule", index.scheduleId);
    case "openSchedule":
      return [
        `INDEXED BY instance_open_schedule
         WHERE schedule_id = ? AND schedule_id IS NOT NULL AND state < 3 AND`,
        index.scheduleId,
      ];
    case "uniqueKey":
      return sparse("unique_key", "instance_unique_key", index.uniqueKey);
    case "retryOf":
      return sparse("retry_of", "instance_retry_of", index.retryOf);
    case "parent":
      return sparse("parent_id", "instance_parent", index.parentId);
    case "flow":
      return sparse("flow_id", "instance_flow", index.flowId);
  }
}

/** The part of an index that a tally counts. */
function partOf(kinds: Kinds, index: CountedIndex): CountedPart {
  const kind = kinds.knownId(index.kind);
  return index.type === "later"
    ? {
      place: "due_at",
      source: "INDEXED BY instance_later_kind WHERE kind = ? AND ready = 0",
      values: [kind],
    }
    : {
      place: "seq",
      source: "INDEXED BY instance_kind_state WHERE kind = ? AND state = ?",
      values: [kind, stateIndex(index.state)],
    };
}

// SQLite uses a partial index only if the condition repeats that the value exists.
function sparse(column: string, index: string, value: string): [string, string] {
  return [`INDEXED BY ${index} WHERE ${column} = ? AND ${column} IS NOT NULL AND`, value];
}

/** The part of an index to count, and the column that orders it. */
interface CountedPart {
  readonly place: "seq" | "due_at";
  /** The index and its conditions, with their values. */
  readonly source: string;
  readonly values: readonly Value[];
}

/**
 * Count the rows of a part of an index in spans. SQLite counts by reading, about 15 million rows a
 * second. So the rows of a span are counted up to its share of the reads; beyond that, the count is
 * estimated from samples at equal distances.
 */
function tally(
  part: CountedPart,
  bounds: readonly number[],
  most: { readonly rows: number; readonly read: number },
  statements: Statements,
): Tally {
  const { place, source, values } = part;
  const few = statements.all(
    `SELECT ${place} AS place FROM instance ${source} AND ${place} >= ? AND ${place} < ?
     ORDER BY ${place} LIMIT ?`,
    [...values, bounds[0]!, bounds.at(-1)!, FEW_ROWS + 1],
  );
  if (few.length <= FEW_ROWS) {
    const counts = countPlaces(few.map((row) => row.place as number), bounds);
    return { counts, isEstimate: false, readCount: few.length + 1 };
  }
  const spans = bounds.slice(1).map((to, span) => [bounds[span]!, to] as const);
  // Half of the share shows whether a span is large, the other half is for its samples.
  const half = Math.max(FEW_ROWS, Math.ceil(most.read / spans.length / 2));
  const counts = countRanges(part, spans, half + 1, statements);
  const large = [...counts.keys()].filter((span) => counts[span]! > half);
  const perSpan = Math.min(SAMPLES_MAX, Math.max(SAMPLES_MIN, Math.floor(half / SAMPLE_ROWS)));
  const samples = large.flatMap((span) => samplesOf(part, spans[span]!, half, perSpan, most.rows));
  const sampled = samples.length > 0 ? countRanges(part, samples, half, statements) : [];
  for (const [index, span] of large.entries()) {
    const [from, to] = spans[span]!;
    const own = samples.slice(index * perSpan, (index + 1) * perSpan);
    const width = own.reduce((sum, [low, high]) => sum + high - low, 0);
    const rows = sumOf(sampled.slice(index * perSpan, (index + 1) * perSpan));
    const estimate = Math.round(rows / width * (to - from));
    counts[span] = Math.min(Math.max(estimate, counts[span]!), most.rows);
  }
  const readCount = sumOf(counts.map((count) => Math.min(count, half + 1))) + sumOf(sampled) +
    (spans.length + samples.length) * RANGE_ROWS;
  return { counts, isEstimate: large.length > 0, readCount };
}

/** Parts of a span at equal distances, which together have about `rows` rows. */
function samplesOf(
  { place }: CountedPart,
  [from, to]: readonly [from: number, to: number],
  rows: number,
  count: number,
  rowsMax: number,
): readonly (readonly [from: number, to: number])[] {
  const length = to - from;
  const most = place === "seq" ? Math.min(rowsMax, length) : rowsMax;
  const width = Math.max(1, length / count * Math.min(1, rows / most));
  return Array.from({ length: count }, (_, sample) => {
    const start = Math.round(from + length * (sample + 0.5) / count - width / 2);
    return [start, start + Math.max(1, Math.round(width))];
  });
}

/** Count the rows of ranges in one statement, each up to a limit. */
function countRanges(
  { place, source, values }: CountedPart,
  ranges: readonly (readonly [from: number, to: number])[],
  limit: number,
  statements: Statements,
): number[] {
  const found = statements.all(
    `SELECT (SELECT count(*) FROM (SELECT 1 FROM instance ${source}
       AND ${place} >= range.value ->> 0 AND ${place} < range.value ->> 1 LIMIT ?)) AS count
     FROM json_each(?) AS range ORDER BY range.key`,
    [...values, limit, JSON.stringify(ranges)],
  );
  return found.map(({ count }) => count as number);
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}

function countPlaces(places: readonly number[], bounds: readonly number[]): readonly number[] {
  const counts = Array<number>(bounds.length - 1).fill(0);
  let span = 0;
  for (const place of places) {
    while (place >= bounds[span + 1]!) span += 1;
    counts[span]! += 1;
  }
  return counts;
}

import type { HistoryEntry, Instance } from "../../../core/instance.ts";
import { FINAL_STATES, JOB_STATES } from "../../../core/state.ts";
import { checkBatch, checkLimit } from "../../ledger/checks.ts";
import { pageOfHistory, pageOfInstances, type Range } from "../../ledger/reading/pages.ts";
import type { EndedAttempt } from "../../ledger/tables/row.ts";
import { matches } from "../../ledger/reading/scan.ts";
import { instanceChars, PAGE_CHARS_MAX } from "../../../core/payload_chars.ts";
import type {
  Committed,
  HistoryQuery,
  InstanceQuery,
  Page,
  PageRequest,
  StateCounts,
  StoreStats,
} from "../../store.ts";
import { readRows } from "../codec/instances.ts";
import type { Unpacker } from "../codec/msgpack.ts";
import type { OperationQueue } from "./operation_queue.ts";
import { readEndedAttempt, readFixed, type ReadRow, readRow } from "../codec/rows.ts";

/** Most rows that one call looks at. */
const LOOK_MAX = 2_000;
const LAST = Number.MAX_SAFE_INTEGER;

/** A part of a scan, and where the next one continues; null at the end. */
interface Part<T> {
  readonly rows: readonly T[];
  readonly next: number | null;
}

interface HistoryRow extends ReadRow {
  readonly departures: readonly EndedAttempt[];
}

/** A query in the form of the script. */
export function queryOf(query: InstanceQuery) {
  const { idPrefix, kinds, states, scheduleId, uniqueKey, retryOf, isDead, after, before } = query;
  const dead = isDead
    ? (states ?? JOB_STATES).filter((one) => one === "terminated" || one === "timedOut")
    : states;
  return {
    idPrefix,
    kinds: kinds && [...new Set(kinds)],
    states: dead && [...new Set(dead)].map((one) => JOB_STATES.indexOf(one)),
    scheduleId,
    uniqueKey,
    retryOf,
    isDead,
    after: after === undefined ? undefined : Math.ceil(after),
    before: before === undefined ? undefined : Math.ceil(before),
  };
}

/** Lists instances and their history, and deletes them. */
export class InstanceReads {
  readonly #queue: OperationQueue;

  constructor(queue: OperationQueue) {
    this.#queue = queue;
  }

  /** The instances with these ids that exist. */
  get(ids: readonly string[]): Promise<readonly ReadRow[]> {
    return this.#queue.read({
      family: "find",
      action: "get",
      weight: ids.length,
      args: [ids],
      read: readRows,
    });
  }

  async getOne(id: string): Promise<Instance | null> {
    return (await this.get([id]))[0]?.instance ?? null;
  }

  list(query: InstanceQuery, page: PageRequest): Promise<Page<Instance>> {
    return pageOfInstances(
      page,
      (range, limit) =>
        query.ids
          ? this.#ofIds(query, range)
          : this.#collect(query, range, { limit, charsMax: PAGE_CHARS_MAX }),
    );
  }

  history(query: HistoryQuery, page: PageRequest): Promise<Page<HistoryEntry>> {
    const rowsFrom = (seq: number) => this.#historyRows(query, seq, page.limit);
    return pageOfHistory(query, page, rowsFrom, ({ departures }) => departures);
  }

  /** Rows from a place on in the order of acceptance, with their ended attempts. */
  async whole(first: number, limit: number): Promise<readonly HistoryRow[]> {
    const rows: HistoryRow[] = [];
    let from: number | null = first;
    while (from !== null && rows.length < limit) {
      const bounds = { from, to: LAST, isReverse: false };
      const left = Math.min(limit - rows.length, 1_000);
      const part: Part<HistoryRow> = await this.#scan({}, bounds, left, WHOLE);
      rows.push(...part.rows);
      from = part.next;
    }
    return rows;
  }

  stats(): Promise<StoreStats> {
    return this.#queue.read({
      family: "retention",
      action: "stats",
      read: (from) => {
        const [list, schedules] = from.read() as [readonly (readonly unknown[])[], number];
        const kinds = new Map<string, StateCounts>();
        for (const [kind, ...counts] of list) {
          const [scheduled, processing, completed, terminated, canceled, timedOut] =
            counts as number[];
          const all = { scheduled, processing, completed, terminated, canceled, timedOut };
          if (counts.some((count) => count !== 0)) {
            kinds.set(kind as string, { created: 0, ...all } as StateCounts);
          }
        }
        return { kinds, schedules };
      },
    });
  }

  async correctTimes(
    { ids }: { readonly ids: readonly string[] },
  ): Promise<Committed<readonly string[]>> {
    checkBatch(ids.length, "correct the times of");
    return await this.#queue.write({
      family: "retention",
      action: "correctTimes",
      weight: ids.length,
      args: [ids],
      read: (from) => from.read() as readonly string[],
    });
  }

  async retain({ limit }: { readonly limit: number }): Promise<Committed<readonly string[]>> {
    checkLimit(limit, "delete instances");
    return await this.#queue.write({
      family: "retention",
      action: "retain",
      weight: limit,
      args: [limit],
      read: (from) => from.read() as readonly string[],
    });
  }

  async clear(
    { query, settledBefore, limit }: {
      readonly query: InstanceQuery;
      readonly settledBefore: number;
      readonly limit: number;
    },
  ): Promise<Committed<readonly string[]>> {
    checkLimit(limit, "delete instances");
    const states = FINAL_STATES.filter((one) => query.states?.includes(one) ?? true);
    const isWanted = ({ instance }: ReadRow) => instance.settledAt! < settledBefore;
    const wanted = { ...query, states };
    const bounds = { from: 0, to: LAST, isReverse: false };
    const rows = query.ids
      ? (await this.#ofIds(wanted, bounds)).filter(isWanted).slice(0, limit)
      // Instances created later settled later.
      : await this.#collect(
        { ...wanted, before: before(query, settledBefore) },
        bounds,
        { limit },
        isWanted,
      );
    const ids = rows.map(({ instance }) => instance.id);
    return await this.#queue.write({
      family: "retention",
      action: "removeInstances",
      weight: ids.length,
      args: [ids],
      read: (from) => from.read() as readonly string[],
    });
  }

  async #ofIds(
    query: InstanceQuery,
    { from, to, isReverse }: Range,
  ): Promise<readonly ReadRow[]> {
    checkBatch(query.ids!.length, "look up");
    const found = await this.get([...new Set(query.ids)]);
    return found
      .filter(({ seq, instance }) => seq >= from && seq <= to && matches({ instance }, query))
      .sort((left, right) => isReverse ? right.seq - left.seq : left.seq - right.seq);
  }

  async #collect(
    query: InstanceQuery,
    bounds: Range,
    { limit, charsMax = Infinity }: { readonly limit: number; readonly charsMax?: number },
    isWanted: (row: ReadRow) => boolean = () => true,
  ): Promise<readonly ReadRow[]> {
    const rows: ReadRow[] = [];
    let { from, to } = bounds;
    let chars = 0;
    for (;;) {
      const left = Math.min(limit - rows.length, 1_000);
      const part = await this.#scan(query, { ...bounds, from, to }, left, ROWS);
      const wanted = part.rows.filter(isWanted);
      rows.push(...wanted);
      chars += wanted.reduce((sum, { instance }) => sum + instanceChars(instance), 0);
      if (part.next === null || rows.length >= limit || chars >= charsMax) return rows;
      if (bounds.isReverse) to = part.next;
      else from = part.next;
    }
  }

  async *#historyRows(
    query: HistoryQuery,
    first: number,
    wanted: number,
  ): AsyncGenerator<HistoryRow> {
    if (query.instanceId !== undefined) {
      const row = await this.#historyOf(query.instanceId);
      const isWanted = row && row.seq >= first &&
        (query.kind === undefined || row.instance.kind === query.kind);
      if (isWanted) yield row;
      return;
    }
    const kinds = query.kind === undefined ? {} : { kinds: [query.kind] };
    // Nothing happens to an instance before it is created.
    const asked = query.before === undefined ? kinds : { ...kinds, before: query.before };
    let from: number | null = first;
    let size = Math.min(1_000, Math.ceil(wanted / 2) + 1);
    while (from !== null) {
      const bounds = { from, to: LAST, isReverse: false };
      const part: Part<HistoryRow> = await this.#scan(asked, bounds, size, HISTORIES);
      for (const row of part.rows) {
        if (query.after === undefined || (row.instance.settledAt ?? LAST) >= query.after) yield row;
      }
      from = part.next;
      size = Math.min(size * 2, 1_000);
    }
  }

  #historyOf(id: string): Promise<HistoryRow | null> {
    return this.#queue.read({
      family: "find",
      action: "historyOf",
      args: [id],
      read: (from) => {
        if (!from.isList) {
          from.read();
          return null;
        }
        from.list();
        return readHistoryRow(from);
      },
    });
  }

  #scan<T>(
    query: InstanceQuery,
    { from, to, isReverse }: Range,
    limit: number,
    { hasFixed, hasHistory, read }: Shape<T>,
  ): Promise<Part<T>> {
    return this.#queue.read({
      family: "find",
      action: "scan",
      weight: limit,
      args: [{ ...queryOf(query), from, to }, isReverse, limit, LOOK_MAX, hasFixed, hasHistory],
      read,
    });
  }
}

function before(query: InstanceQuery, settledBefore: number): number {
  return Math.min(query.before ?? LAST, settledBefore);
}

function readNext(from: Unpacker): number | null {
  const next = from.read() as number | false;
  return next === false ? null : next;
}

/** What to read of each row. */
interface Shape<T> {
  readonly hasFixed: boolean;
  readonly hasHistory: boolean;
  readonly read: (from: Unpacker) => Part<T>;
}

const ROWS: Shape<ReadRow> = {
  hasFixed: true,
  hasHistory: false,
  read: (from) => {
    from.list();
    const rows = readRows(from);
    return { rows, next: readNext(from) };
  },
};

const HISTORIES: Shape<HistoryRow> = {
  hasFixed: false,
  hasHistory: true,
  read: (from) => readHistoryPart(from, 3),
};

const WHOLE: Shape<HistoryRow> = {
  hasFixed: true,
  hasHistory: true,
  read: (from) => readHistoryPart(from, 4),
};

function readHistoryPart(from: Unpacker, size: 3 | 4): Part<HistoryRow> {
  from.list();
  const rows: HistoryRow[] = [];
  for (let left = from.list() / size; left > 0; left--) rows.push(readHistoryRow(from, size === 4));
  return { rows, next: readNext(from) };
}

function readHistoryRow(from: Unpacker, hasFixed = false): HistoryRow {
  const id = from.text();
  const bytes = from.bytes()!;
  const row = hasFixed ? readRow(id, bytes, readFixed(from.bytes()!)) : readRow(id, bytes);
  const departures: EndedAttempt[] = [];
  if (!from.isList) from.read();
  else {for (let left = from.list(); left > 0; left--) {
      departures.push(readEndedAttempt(from.bytes()!));
    }}
  return { ...row, departures };
}

import { instanceChars, PAGE_CHARS_MAX } from "../../../core/payload_chars.ts";
import { FINAL_STATES, isDeadState, JOB_STATES } from "../../../core/state.ts";
import { checkBatch, checkLimit } from "../../ledger/checks.ts";
import { pageOfHistory, pageOfInstances, type Range } from "../../ledger/reading/pages.ts";
import { hasText, matches } from "../../ledger/reading/scan.ts";
import type { EndedAttempt } from "../../records.ts";
import type { HistoryQuery, InstanceQuery, StateCounts, Store } from "../../store.ts";
import { readRows } from "../codec/instances.ts";
import { orNull, Unpacker } from "../codec/msgpack.ts";
import { ENDED_ATTEMPT, readFixed, type ReadRow, readRow } from "../codec/rows.ts";
import { LIMIT } from "../script/constants.ts";
import type { OperationQueue } from "./operation_queue.ts";

/** Most rows that one call looks at. */
const LOOK_MAX = 2_000;
/** Cost of looking at a row, in rows of a memory or file store: others wait for the server, too. */
const COST = 5;
/** Most rows that one call returns. */
const ROWS_MAX = 1_000;
/** Weight of comparing ids in one call, in rows. */
const FIND_WEIGHT = 1_000;
const LAST = Number.MAX_SAFE_INTEGER;

/** Parts of each row to read, beyond the changing part. */
interface Extent {
  readonly hasFixed: boolean;
  readonly hasHistory: boolean;
}

const ROW: Extent = { hasFixed: true, hasHistory: false };
const HISTORY: Extent = { hasFixed: false, hasHistory: true };
const WHOLE: Extent = { hasFixed: true, hasHistory: true };

/** A row with its ended attempts, if requested. */
interface HistoryRow extends ReadRow {
  readonly departures: readonly EndedAttempt[];
}

/** A part of a scan, and the start of the next one; null at the end. */
interface Part {
  readonly rows: readonly HistoryRow[];
  readonly next: number | null;
}

/** A query in the form of the script. */
export function queryOf({ ids: _, text: __, ...query }: InstanceQuery) {
  const { kinds, isDead, after, before, endedAfter, endedBefore } = query;
  const states = isDead ? (query.states ?? JOB_STATES).filter(isDeadState) : query.states;
  return {
    ...query,
    kinds: kinds && [...new Set(kinds)],
    states: states && [...new Set(states)].map((one) => JOB_STATES.indexOf(one)),
    after: after && Math.ceil(after),
    before: before && Math.ceil(before),
    endedAfter: endedAfter && Math.ceil(endedAfter),
    endedBefore: endedBefore && Math.ceil(endedBefore),
  };
}

/** Lists instances and their history, and deletes them. */
export function instanceReads(queue: OperationQueue) {
  return {
    async get(id) {
      const [row] = await readRowsOf(queue, [id]);
      return row?.instance ?? null;
    },

    async findIds({ part, limit, enough = Infinity, signal }) {
      checkLimit(limit, "find ids");
      const found: string[] = [];
      let compared = 0;
      let from: string | null = "+";
      const isEnough = () =>
        found.length >= limit || (found.length > 0 && compared >= enough) || signal?.aborted;
      while (from !== null && !isEnough()) {
        const [ids, next]: readonly [readonly string[], unknown] = await queue.read({
          action: "findIds",
          weight: FIND_WEIGHT,
          args: [part, from],
          read: (answer) => answer.read() as [string[], unknown],
        });
        found.push(...ids);
        compared += LIMIT.FIND_IDS_MAX;
        from = orNull(next);
      }
      return found.slice(0, limit);
    },

    list(query, page) {
      return pageOfInstances(
        page,
        async (range, limit) => {
          if (query.ids) return { rows: await rowsOfIds(queue, query, range) };
          const { lookMax } = page;
          return await collect(queue, query, range, { limit, charsMax: PAGE_CHARS_MAX, lookMax });
        },
      );
    },

    history(query, page) {
      const rowsFrom = (seq: number) => historyRows(queue, query, seq, page.limit);
      return pageOfHistory(query, page, rowsFrom, ({ departures }) => departures);
    },

    stats() {
      return queue.read({
        action: "stats",
        read: (from) => {
          const [list, schedules] = from.read() as [readonly (readonly unknown[])[], number];
          const kinds = new Map<string, StateCounts>();
          for (const [kind, ...stored] of list) {
            if (stored.every((count) => count === 0)) continue;
            // The script omits the first state, which no stored instance has.
            const counts = [0, ...stored as number[]];
            const byState = JOB_STATES.map((state, index) => [state, counts[index]!]);
            kinds.set(kind as string, Object.fromEntries(byState) as StateCounts);
          }
          return { kinds, schedules };
        },
      });
    },

    async correctTimes({ ids }) {
      checkBatch(ids.length, "correct the times of");
      return await queue.write({
        action: "correctTimes",
        weight: ids.length,
        args: [ids],
        read: readIds,
      });
    },

    async retain({ limit }) {
      checkLimit(limit, "delete instances");
      return await queue.write({ action: "retain", weight: limit, args: [limit], read: readIds });
    },

    async clearInstances({ query, settledBefore, limit }) {
      checkLimit(limit, "delete instances");
      const states = FINAL_STATES.filter((one) => query.states?.includes(one) ?? true);
      // Instances created later settled later.
      const before = Math.min(query.before ?? LAST, settledBefore);
      const isWanted = ({ instance }: ReadRow) => instance.settledAt! < settledBefore;
      const all = { from: 0, to: LAST, isReverse: false };
      const rows = query.ids
        ? (await rowsOfIds(queue, { ...query, states }, all)).filter(isWanted).slice(0, limit)
        : (await collect(queue, { ...query, states, before }, all, { limit, isWanted })).rows;
      const ids = rows.map(({ instance }) => instance.id);
      return await queue.write({
        action: "removeInstances",
        weight: ids.length,
        args: [ids],
        read: readIds,
      });
    },
  } satisfies Partial<Store>;
}

function readIds(from: Unpacker): readonly string[] {
  return from.read() as readonly string[];
}

/** The existing instances with these ids. */
export function readRowsOf(
  queue: OperationQueue,
  ids: readonly string[],
): Promise<readonly ReadRow[]> {
  return queue.read({ action: "get", weight: ids.length, args: [ids], read: readRows });
}

/** Rows from a place on in the order of acceptance, with their ended attempts. */
export async function wholeRows(
  queue: OperationQueue,
  first: number,
  limit: number,
): Promise<readonly HistoryRow[]> {
  const rows: HistoryRow[] = [];
  let from: number | null = first;
  while (from !== null && rows.length < limit) {
    const range = { from, to: LAST, isReverse: false };
    const part: Part = await scan(queue, {}, { ...range, limit: limit - rows.length }, WHOLE);
    rows.push(...part.rows);
    from = part.next;
  }
  return rows;
}

async function rowsOfIds(
  queue: OperationQueue,
  query: InstanceQuery,
  { from, to, isReverse }: Range,
): Promise<readonly ReadRow[]> {
  checkBatch(query.ids!.length, "look up");
  const found = await readRowsOf(queue, [...new Set(query.ids)]);
  return found
    .filter(({ seq, instance }) => seq >= from && seq <= to && matches({ instance }, query))
    .sort((left, right) => isReverse ? right.seq - left.seq : left.seq - right.seq);
}

/** Matching rows, and the end of the scan if it inspected more than `lookMax` rows. */
interface Collected {
  readonly rows: readonly ReadRow[];
  readonly lookedTo?: { readonly seq: number; readonly createdAt: number };
}

/** Rows of a query, also by conditions that the script does not support. */
export async function collect(
  queue: OperationQueue,
  query: InstanceQuery,
  range: Range,
  { limit, charsMax = Infinity, lookMax = Infinity, isWanted = () => true }: {
    readonly limit: number;
    readonly charsMax?: number;
    readonly lookMax?: number | undefined;
    readonly isWanted?: (row: ReadRow) => boolean;
  },
): Promise<Collected> {
  const { text } = query;
  const rows: ReadRow[] = [];
  let { from, to } = range;
  let chars = 0;
  let looked = 0;
  for (;;) {
    // Rows are compared with a text here.
    const most = text === undefined ? limit - rows.length : ROWS_MAX;
    const part = await scan(queue, query, { ...range, from, to, limit: most }, ROW);
    const wanted = part.rows.filter((row) =>
      isWanted(row) && (text === undefined || hasText(row.instance, text))
    );
    const room = limit - rows.length;
    rows.push(...wanted.slice(0, room));
    chars += wanted.reduce((sum, { instance }) => sum + instanceChars(instance), 0);
    if (part.next === null || rows.length >= limit || chars >= charsMax) return { rows };
    looked += COST * (part.rows.length < most ? LOOK_MAX : part.rows.length);
    if (looked >= lookMax) {
      // A seq is its time times 1,024.
      const createdAt = Math.floor(part.next / 1_024);
      return { rows, lookedTo: { seq: part.next + (range.isReverse ? 1 : -1), createdAt } };
    }
    if (range.isReverse) to = part.next;
    else from = part.next;
  }
}

async function* historyRows(
  queue: OperationQueue,
  query: HistoryQuery,
  first: number,
  wanted: number,
): AsyncGenerator<HistoryRow> {
  const { instanceId, kind, before } = query;
  if (instanceId !== undefined) {
    const [row] = await queue.read({
      action: "historyOf",
      args: [instanceId],
      read: (from) => readScanned(from, HISTORY),
    });
    if (row && row.seq >= first && (kind ?? row.instance.kind) === row.instance.kind) yield row;
    return;
  }
  // Nothing happens to an instance before it is created.
  const asked = {
    ...kind === undefined ? {} : { kinds: [kind] },
    ...before === undefined ? {} : { before },
  };
  let from: number | null = first;
  let limit = Math.min(ROWS_MAX, Math.ceil(wanted / 2) + 1);
  while (from !== null) {
    const range = { from, to: LAST, isReverse: false, limit };
    const part: Part = await scan(queue, asked, range, HISTORY);
    yield* part.rows;
    from = part.next;
    limit *= 2;
  }
}

/** Read rows that match, at most {@link ROWS_MAX}. */
function scan(
  queue: OperationQueue,
  query: InstanceQuery,
  { from, to, isReverse, limit }: Range & { readonly limit: number },
  extent: Extent,
): Promise<Part> {
  const weight = Math.min(limit, ROWS_MAX);
  const { hasFixed, hasHistory } = extent;
  return queue.read({
    action: "scan",
    weight,
    args: [{ ...queryOf(query), from, to }, isReverse, weight, LOOK_MAX, hasFixed, hasHistory],
    read: (answer) => {
      answer.list();
      return { rows: readScanned(answer, extent), next: orNull(answer.read()) };
    },
  });
}

/** Read rows as a scan returns them: id, row, and the additional parts. */
function readScanned(from: Unpacker, { hasFixed, hasHistory }: Extent): readonly HistoryRow[] {
  return from.items(2 + Number(hasFixed) + Number(hasHistory), () => {
    const id = from.text();
    const bytes = from.bytes()!;
    const row = readRow(id, bytes, hasFixed ? readFixed(from.bytes()!) : undefined);
    // The list of attempts is false for an instance that was never claimed.
    const hasAttempts = hasHistory && (from.isList || from.read());
    const departures = hasAttempts ? from.items(1, readEndedAttempt) : [];
    return { ...row, departures };
  });
}

function readEndedAttempt(from: Unpacker): EndedAttempt {
  return ENDED_ATTEMPT.read(new Unpacker(from.bytes()!).read());
}

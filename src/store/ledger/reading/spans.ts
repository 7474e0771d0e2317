import { JobError } from "../../../core/errors.ts";
import type { Instance } from "../../../core/instance.ts";
import type { TickFate } from "../../../core/time/schedule.ts";
import { type FinalState, isFinal, JOB_STATES } from "../../../core/state.ts";
import {
  type GapRequest,
  type LaterRequest,
  type SpanCountRequest,
  type SpanCounts,
  SPANS_MAX,
} from "../../store.ts";
import { checkBatch, checkLimit, checkTime } from "../checks.ts";
import type { LedgerState } from "../state.ts";
import type { CountedIndex } from "../tables/tables.ts";
import { seqFrom } from "./scan.ts";

/** Most rows that one request reads; the excess is estimated. About 15 ms on SQLite. */
const READ_MAX = 250_000;
/** Rows read before other work runs. */
const SLICE_ROWS = 20_000;
/** Least cost of reading an index, in rows. */
const INDEX_ROWS = 100;

/** An index to count, and a bound of its rows. */
interface Counted {
  readonly index: CountedIndex;
  readonly state: FinalState | null;
  readonly rows: number;
}

/** Count instances in spans of time, in slices. */
export async function countSpans(
  state: LedgerState,
  request: SpanCountRequest,
  turn: () => Promise<void>,
): Promise<readonly SpanCounts[]> {
  checkSpans(request);
  const bounds = request.by === "due" ? request.bounds : seqsFrom(state, request.bounds);
  // The small ones first: their unused work is for the large ones.
  const wanted = indexesOf(state, request).sort((left, right) => left.rows - right.rows);
  const found = new Map<string, SpanCounts>();
  let left = READ_MAX;
  let sliceRows = 0;
  for (const [place, { index, state: counted, rows }] of wanted.entries()) {
    const read = Math.max(INDEX_ROWS, Math.floor(left / (wanted.length - place)));
    const { counts, isEstimate, readCount } = state.tables.instances.tally(index, bounds, {
      rows,
      read,
    });
    left -= readCount;
    addCounts(found, { kind: index.kind, state: counted, counts, isEstimate });
    sliceRows += readCount + INDEX_ROWS;
    if (sliceRows < SLICE_ROWS) continue;
    sliceRows = 0;
    await turn();
  }
  return [...found.values()];
}

/** Waiting instances that are not due yet, by due time. */
export function listLater(
  { tables }: LedgerState,
  { kinds, ...span }: LaterRequest,
): readonly Instance[] {
  checkLimit(span.limit, "list waiting instances");
  checkTime(span.after, "after");
  checkTime(span.before, "before");
  if (kinds === undefined) return tables.waiting.later(null, span).map((row) => row.instance);
  checkBatch(kinds.length, "list waiting instances of");
  const rows = [...new Set(kinds)].flatMap((kind) => tables.waiting.later(kind, span));
  rows.sort((left, right) => left.instance.dueAt - right.instance.dueAt || left.seq - right.seq);
  return rows.slice(0, span.limit).map((row) => row.instance);
}

/** Ticks without a run, latest first. */
export function listGaps({ tables }: LedgerState, request: GapRequest): readonly TickFate[] {
  checkGaps(request);
  return tables.ticks.gaps(request);
}

/** @throws JobError `invalid_argument` for unordered or too many spans */
export function checkSpans({ bounds, kinds = [] }: SpanCountRequest): void {
  checkBatch(kinds.length, "count instances of");
  for (const bound of bounds) checkTime(bound, "bounds");
  const isOrdered = bounds.every((bound, place) => place === 0 || bound >= bounds[place - 1]!);
  const { length } = bounds;
  if (isOrdered && length >= 2 && length <= SPANS_MAX + 1) return;
  const problem = isOrdered ? `found ${length} bounds` : "they are not in order";
  throw new JobError(
    "invalid_argument",
    `Cannot count instances: ${problem}, wanted 2 to ${SPANS_MAX + 1} times in order`,
    { path: "bounds" },
  );
}

/** @throws JobError `invalid_argument` for limits that are out of range */
export function checkGaps({ after, before, skip = 0, limit }: GapRequest): void {
  checkLimit(limit, "list ticks without a run");
  for (const [name, value] of Object.entries({ after, before, skip })) checkTime(value, name);
}

/** The first seq of each span, and the first after the last one. */
function seqsFrom(state: LedgerState, bounds: readonly number[]): readonly number[] {
  const seqs = Array<number>(bounds.length).fill(0);
  // From the middle out: each seq bounds the search on both its sides.
  const find = (first: number, last: number, low: number, high: number) => {
    if (first > last) return;
    const middle = Math.floor((first + last) / 2);
    const seq = seqFrom(state, bounds[middle]!, { low, high });
    seqs[middle] = seq;
    find(first, middle - 1, low, seq);
    find(middle + 1, last, seq, high);
  };
  find(0, bounds.length - 1, 1, state.seq + 1);
  return seqs;
}

function indexesOf(state: LedgerState, { by, kinds }: SpanCountRequest): Counted[] {
  const wanted: Counted[] = [];
  for (const kind of kinds ? new Set(kinds) : state.counts.keys()) {
    const counts = state.counts.get(kind);
    if (counts === undefined) continue;
    if (by === "due") {
      const index = { type: "later", kind } as const;
      if (counts.later > 0) wanted.push({ index, state: null, rows: counts.later });
      continue;
    }
    for (const [place, one] of JOB_STATES.entries()) {
      const rows = counts.states[place]!;
      const index = { type: "kindState", kind, state: one } as const;
      if (rows > 0) wanted.push({ index, state: isFinal(one) ? one : null, rows });
    }
  }
  return wanted;
}

function addCounts(found: Map<string, SpanCounts>, added: SpanCounts): void {
  if (added.counts.every((count) => count === 0)) return;
  const name = `${added.state} ${added.kind}`;
  const known = found.get(name);
  if (!known) return void found.set(name, added);
  found.set(name, {
    ...added,
    counts: known.counts.map((count, span) => count + added.counts[span]!),
    isEstimate: known.isEstimate || added.isEstimate,
  });
}

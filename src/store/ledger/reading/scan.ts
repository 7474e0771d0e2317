import type { Instance } from "../../../core/instance.ts";
import { FINAL_STATES, isDeadState, JOB_STATES, type JobState } from "../../../core/state.ts";
import { instanceChars } from "../../../core/payload_chars.ts";
import type { InstanceQuery } from "../../store.ts";
import { type Row, stateIndex } from "../tables/row.ts";
import type { LedgerState } from "../state.ts";
import type { Index } from "../tables/tables.ts";

/** Rows read before yielding to the event loop. */
export const CHUNK_ROWS = 1_000;
/** Rows of the first read of an index; each further read is twice as long. */
const READ_ROWS_MIN = 16;
/** The same for many indexes, together: most of their rows come after the page. */
const READ_ROWS_ALL = 512;

/** Characters of payloads at which a read ends early: one large row may exceed them. */
const READ_CHARS = 1_000_000;

/** Shorter prefixes of an id, whose beginning is its time, match too many to sort. */
const PREFIX_LENGTH_MIN = 8;

/** One index, read as needed. */
interface OpenIndex {
  readonly index: Index;
  rows: readonly Row[];
  next: number;
  from: number;
  to: number;
  /** Rows of the next read. */
  size: number;
  isDone: boolean;
}

/**
 * Rows that may match, in order of `seq`, from the narrowest indexes of the query.
 *
 * After each yield the indexes are read again from the scan's position: a changed instance is in
 * another index.
 */
export class Scan {
  readonly #state: LedgerState;
  readonly #query: InstanceQuery;
  readonly #isReverse: boolean;
  #from: number;
  #to: number;
  /** Indexes with a row to give, as a heap: the index with the first row is on top. */
  #heap: OpenIndex[] = [];
  /** Indexes whose next rows must be read. */
  #empty: OpenIndex[] = [];
  #readCount = 0;
  #hasMoved = false;
  /** The number of rows looked at, and the last of them. */
  lookedCount = 0;
  last: Row | null = null;

  /** @param bounds of seq, both included */
  constructor(
    state: LedgerState,
    query: InstanceQuery,
    bounds: { readonly from: number; readonly to: number; readonly isReverse: boolean },
  ) {
    this.#state = state;
    this.#query = query;
    this.#isReverse = bounds.isReverse;
    this.#from = query.after === undefined
      ? bounds.from
      : Math.max(bounds.from, seqFrom(state, query.after));
    this.#to = query.before === undefined
      ? bounds.to
      : Math.min(bounds.to, seqFrom(state, query.before) - 1);
    this.#start();
  }

  /** The next matching row; null at the end; undefined after `readMax` rows, to let others run. */
  next(readMax: number): Row | null | undefined {
    for (;;) {
      while (this.#empty.length > 0) {
        if (this.#readCount >= readMax && this.#hasMoved) {
          this.#start();
          return undefined;
        }
        const open = this.#empty.pop()!;
        this.#fill(open);
        if (open.rows.length > 0) this.#push(open);
      }
      const best = this.#heap[0];
      if (best === undefined) return null;
      const row = best.rows[best.next]!;
      best.next += 1;
      this.#settleTop(best);
      this.#hasMoved = true;
      this.lookedCount += 1;
      this.last = row;
      if (this.#isReverse) this.#to = row.seq - 1;
      else this.#from = row.seq + 1;
      if (matches(row, this.#query)) return row;
    }
  }

  /** All rows that match; no other work runs meanwhile. */
  *rows(): Generator<Row> {
    for (let row = this.next(Infinity); row; row = this.next(Infinity)) yield row;
  }

  #start(): void {
    this.#readCount = 0;
    this.#hasMoved = false;
    this.#heap = [];
    this.#empty = [];
    if (this.#from > this.#to) return;
    const indexes = indexesOf(this.#state, this.#query);
    const size = Math.max(2, Math.min(READ_ROWS_MIN, Math.floor(READ_ROWS_ALL / indexes.length)));
    const [from, to] = [this.#from, this.#to];
    this.#empty = indexes.map((index) => {
      return { index, rows: [], next: 0, from, to, size, isDone: false };
    });
  }

  /** True if the next row of an index comes before another's. */
  #isBefore(left: OpenIndex, right: OpenIndex): boolean {
    const difference = left.rows[left.next]!.seq - right.rows[right.next]!.seq;
    return this.#isReverse ? difference > 0 : difference < 0;
  }

  #push(open: OpenIndex): void {
    const heap = this.#heap;
    let place = heap.length;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!this.#isBefore(open, heap[parent]!)) break;
      heap[place] = heap[parent]!;
      place = parent;
    }
    heap[place] = open;
  }

  /** Move the top index, whose row was taken, to the place of its next row. */
  #settleTop(top: OpenIndex): void {
    const heap = this.#heap;
    let moved = top;
    if (top.next === top.rows.length) {
      if (!top.isDone) this.#empty.push(top);
      moved = heap.pop()!;
      if (heap.length === 0) return;
    }
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      const other = child + 1;
      if (other < heap.length && this.#isBefore(heap[other]!, heap[child]!)) child = other;
      if (!this.#isBefore(heap[child]!, moved)) break;
      heap[place] = heap[child]!;
      place = child;
    }
    heap[place] = moved;
  }

  #fill(open: OpenIndex): void {
    const { index, from, to, size } = open;
    const isReverse = this.#isReverse;
    const range = { from, to, isReverse, limit: size, charsMax: READ_CHARS };
    open.rows = this.#state.tables.instances.scan(index, range);
    open.next = 0;
    const chars = open.rows.reduce((sum, { instance }) => sum + instanceChars(instance), 0);
    open.isDone = open.rows.length < size && chars < READ_CHARS;
    open.size = Math.min(size * 2, CHUNK_ROWS);
    // The first rows of each index are not counted: each beginning would end at once.
    if (this.#hasMoved) this.#readCount += open.rows.length + 1;
    const last = open.rows.at(-1);
    if (!last) return;
    if (isReverse) open.to = last.seq - 1;
    else open.from = last.seq + 1;
  }
}

function indexesOf(state: LedgerState, query: InstanceQuery): readonly Index[] {
  if (query.uniqueKey !== undefined) return [{ type: "uniqueKey", uniqueKey: query.uniqueKey }];
  if (query.idPrefix !== undefined && query.idPrefix.length >= PREFIX_LENGTH_MIN) {
    return [{ type: "idPrefix", idPrefix: query.idPrefix }];
  }
  if (query.retryOf !== undefined) return [{ type: "retryOf", retryOf: query.retryOf }];
  if (query.parentId !== undefined) return [{ type: "parent", parentId: query.parentId }];
  if (query.flowId !== undefined) return [{ type: "flow", flowId: query.flowId }];
  if (query.scheduleId !== undefined) {
    const isOpen = query.states?.every((one) => !FINAL_STATES.some((final) => final === one));
    return [{ type: isOpen ? "openSchedule" : "schedule", scheduleId: query.scheduleId }];
  }
  if (!query.kinds && !query.states && !query.isDead) return [{ type: "all" }];
  const asked: readonly JobState[] = query.states ? [...new Set(query.states)] : JOB_STATES;
  const states = query.isDead ? asked.filter(isDeadState) : asked;
  const indexes: Index[] = [];
  for (const kind of query.kinds ? new Set(query.kinds) : state.counts.keys()) {
    const counts = state.counts.get(kind);
    for (const one of states) {
      if (counts?.states[stateIndex(one)]) indexes.push({ type: "kindState", kind, state: one });
    }
  }
  return indexes;
}

/** True if an instance failed for good and was not run again. */
export function isDead({ state, redrivenAs }: Instance): boolean {
  return redrivenAs === null && isDeadState(state);
}

/** True if an instance meets every condition of a query. */
export function matches({ instance }: Pick<Row, "instance">, query: InstanceQuery): boolean {
  return (query.idPrefix === undefined || instance.id.startsWith(query.idPrefix)) &&
    (query.ids?.includes(instance.id) ?? true) &&
    (query.kinds?.includes(instance.kind) ?? true) &&
    (query.states?.includes(instance.state) ?? true) &&
    (query.scheduleId === undefined || instance.scheduleId === query.scheduleId) &&
    (query.uniqueKey === undefined || instance.uniqueKey === query.uniqueKey) &&
    (query.retryOf === undefined || instance.retryOf === query.retryOf) &&
    (query.parentId === undefined || instance.parentId === query.parentId) &&
    (query.flowId === undefined || instance.flowId === query.flowId) &&
    (query.isDead === undefined || isDead(instance)) &&
    (query.after === undefined || instance.createdAt >= query.after) &&
    (query.before === undefined || instance.createdAt < query.before) &&
    (query.node === undefined || instance.node === query.node) &&
    (query.endedAfter === undefined || (instance.settledAt ?? -1) >= query.endedAfter) &&
    (query.endedBefore === undefined || (instance.settledAt ?? Infinity) < query.endedBefore) &&
    (query.text === undefined || hasText(instance, query.text));
}

/** True if the arguments contain a text, in upper or lower case. */
export function hasText({ argumentsJson }: Instance, text: string): boolean {
  return argumentsJson.includes(text) ||
    argumentsJson.toLowerCase().includes(text.toLowerCase());
}

/** The first seq created at or after `time`, by halving: creation never decreases with seq. */
export function seqFrom(
  state: LedgerState,
  time: number,
  range: { readonly low: number; readonly high: number } = { low: 1, high: state.seq + 1 },
): number {
  let { low, high } = range;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const found = state.tables.instances.createdFrom(middle);
    if (found === null || found.createdAt >= time) high = middle;
    else low = found.seq + 1;
  }
  return low;
}

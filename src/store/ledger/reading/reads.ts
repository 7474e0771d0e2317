import type { HistoryEntry, Instance } from "../../../core/instance.ts";
import { JOB_STATES, type JobState } from "../../../core/state.ts";
import type {
  HistoryQuery,
  InstanceQuery,
  Page,
  PageRequest,
  StateCounts,
  StoreStats,
} from "../../store.ts";
import { checkBatch } from "../checks.ts";
import { instanceChars, PAGE_CHARS_MAX } from "../../../core/payload_chars.ts";
import { pageOfHistory, pageOfInstances, type Range } from "./pages.ts";
import { type PlacedLog, type Row, stateIndex } from "../tables/row.ts";
import type { LogRange } from "../tables/tables.ts";
import { endedAttemptsOf } from "./history.ts";
import { CHUNK_ROWS, matches, Scan, seqFrom } from "./scan.ts";
import type { LedgerState } from "../state.ts";

/** A page of instances by order of acceptance. Long scans let other work run in between. */
export function listInstances(
  state: LedgerState,
  query: InstanceQuery,
  page: PageRequest,
  turn: () => Promise<void>,
): Promise<Page<Instance>> {
  return pageOfInstances(page, async (range, limit) => {
    if (query.ids) return { rows: pageRowsOfIds(state, query, { ...range, limit }) };
    const scan = new Scan(state, query, range);
    const { lookMax = Infinity } = page;
    const rows = await collect(scan, { limit, charsMax: PAGE_CHARS_MAX, lookMax }, turn);
    const isCut = rows.length < limit && scan.lookedCount >= lookMax;
    const place = isCut && scan.last
      ? { seq: scan.last.seq, createdAt: scan.last.instance.createdAt }
      : undefined;
    return { rows, lookedTo: place };
  });
}

// Read twice: the order is known only at the end, and all at once may be too large.
function pageRowsOfIds(
  state: LedgerState,
  query: InstanceQuery,
  { from, to, isReverse, limit }: Range & { readonly limit: number },
): readonly Row[] {
  const places: { readonly id: string; readonly seq: number }[] = [];
  for (const { seq, instance } of rowsOfIds(state, query)) {
    if (seq >= from && seq <= to) places.push({ id: instance.id, seq });
  }
  places.sort((left, right) => isReverse ? right.seq - left.seq : left.seq - right.seq);
  const rows: Row[] = [];
  let chars = 0;
  for (const { id } of places.slice(0, limit)) {
    if (chars >= PAGE_CHARS_MAX) break;
    const row = state.tables.instances.get(id)!;
    rows.push(row);
    chars += instanceChars(row.instance);
  }
  return rows;
}

/** The rows of the query's ids that match, each once. */
export function* rowsOfIds(state: LedgerState, query: InstanceQuery): Generator<Row> {
  checkBatch(query.ids!.length, "look up");
  for (const id of new Set(query.ids)) {
    const row = state.tables.instances.get(id);
    if (row && matches(row, query)) yield row;
  }
}

/**
 * Up to `limit` rows of a scan, in slices; fewer once their payloads have `charsMax` characters, or
 * some more than `lookMax` rows were looked at.
 */
export async function collect(
  scan: Scan,
  { limit, charsMax = Infinity, lookMax = Infinity }: {
    readonly limit: number;
    readonly charsMax?: number;
    readonly lookMax?: number;
  },
  turn: () => Promise<void>,
  isWanted: (row: Row) => boolean = () => true,
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  let chars = 0;
  while (rows.length < limit && chars < charsMax && scan.lookedCount < lookMax) {
    const row = scan.next(CHUNK_ROWS);
    if (row === null) break;
    if (row === undefined) await turn();
    else if (isWanted(row)) {
      rows.push(row);
      chars += instanceChars(row.instance);
    }
  }
  return rows;
}

/** History of one instance, or of many: by order of acceptance, each oldest first. */
export function listHistory(
  state: LedgerState,
  query: HistoryQuery,
  page: PageRequest,
  turn: () => Promise<void>,
): Promise<Page<HistoryEntry>> {
  const rowsFrom = (from: number) => historyRows(state, query, from, turn);
  return pageOfHistory(query, page, rowsFrom, (row) => endedAttemptsOf(state, row));
}

async function* historyRows(
  state: LedgerState,
  query: HistoryQuery,
  from: number,
  turn: () => Promise<void>,
): AsyncGenerator<Row> {
  if (query.instanceId !== undefined) {
    const row = state.tables.instances.get(query.instanceId);
    const isWanted = row && row.seq >= from &&
      (query.kind === undefined || row.instance.kind === query.kind);
    if (isWanted) yield row;
    return;
  }
  // Nothing happens to an instance before it is created.
  const to = query.before === undefined
    ? Number.MAX_SAFE_INTEGER
    : seqFrom(state, query.before) - 1;
  const kinds = query.kind === undefined ? {} : { kinds: [query.kind] };
  const scan = new Scan(state, kinds, { from, to, isReverse: false });
  for (;;) {
    const row = scan.next(CHUNK_ROWS);
    if (row === null) return;
    if (row === undefined) await turn();
    else yield row;
  }
}

/** Reads log lines of one instance, or of all. */
export function readerOfLogs({ tables }: LedgerState, instanceId: string | undefined) {
  const row = instanceId === undefined ? null : tables.instances.get(instanceId);
  const isGone = instanceId !== undefined && !row;
  return (range: Omit<LogRange, "instanceSeq">): readonly PlacedLog[] =>
    isGone ? [] : tables.logs.read({ ...range, instanceSeq: row?.seq ?? null });
}

/** The number of instances by kind and state, and of schedules. */
export function countInstances(state: LedgerState): StoreStats {
  const kinds = new Map<string, StateCounts>();
  for (const [kind, { states }] of state.counts) {
    if (states.every((count) => count === 0)) continue;
    const counts = Object.fromEntries(JOB_STATES.map((one) => [one, states[stateIndex(one)]!]));
    kinds.set(kind, counts as Record<JobState, number>);
  }
  return { kinds, schedules: state.scheduleCount };
}

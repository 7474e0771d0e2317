import type { HistoryEntry, Instance, StoredLogEntry } from "../../core/instance.ts";
import { LOG_LEVELS } from "../../core/instance.ts";
import { JOB_STATES, type JobState } from "../../core/state.ts";
import type {
  HistoryQuery,
  InstanceQuery,
  LogQuery,
  Page,
  PageRequest,
  StateCounts,
  StoreStats,
} from "../store.ts";
import { checkBatch, checkPage } from "./checks.ts";
import { mergeHistory } from "./history.ts";
import { readToken, writeToken } from "./page_token.ts";
import { type Departure, type PlacedLog, type Row, stateIndex } from "./row.ts";
import { CHUNK_ROWS, matches, Scan, seqFrom } from "./scan.ts";
import type { LedgerState } from "./state.ts";

/** Departures of one instance read at a time. */
const DEPARTURES_MAX = 1_000;

/**
 * A page of instances by order of acceptance. Long scans let the event loop turn between chunks.
 *
 * @param turn resolves after other work had its turn
 */
export async function listInstances(
  state: LedgerState,
  query: InstanceQuery,
  page: PageRequest,
  turn: () => Promise<void>,
): Promise<Page<Instance>> {
  const rows = await listRows(state, query, page, turn);
  const items = rows.slice(0, page.limit).map((row) => row.instance);
  const nextToken = rows.length > page.limit
    ? writeToken("instances", [rows[page.limit - 1]!.seq])
    : null;
  return { items, nextToken };
}

/** Up to one row more than the page has: whether there is a next page. */
async function listRows(
  state: LedgerState,
  query: InstanceQuery,
  page: PageRequest,
  turn: () => Promise<void>,
): Promise<readonly Row[]> {
  checkPage(page, "list instances");
  const isReverse = page.order !== "oldest";
  const [last] = page.token === undefined
    ? []
    : readToken<number>(page.token, "instances", ["number"]);
  const from = last !== undefined && !isReverse ? last + 1 : 1;
  const to = last !== undefined && isReverse ? last - 1 : Number.MAX_SAFE_INTEGER;
  if (query.ids) {
    const rows = rowsOfIds(state, query).filter(({ seq }) => seq >= from && seq <= to);
    rows.sort((left, right) => isReverse ? right.seq - left.seq : left.seq - right.seq);
    return rows.slice(0, page.limit + 1);
  }
  return await collect(new Scan(state, query, { from, to, isReverse }), page.limit + 1, turn);
}

/** The rows of the query's ids that match, each once. */
export function rowsOfIds(state: LedgerState, query: InstanceQuery): Row[] {
  checkBatch(query.ids!.length, "look up");
  const rows: Row[] = [];
  for (const id of new Set(query.ids)) {
    const row = state.tables.get(id);
    if (row && matches(row, query)) rows.push(row);
  }
  return rows;
}

/** Up to `limit` rows of a scan, in turns. */
export async function collect(
  scan: Scan,
  limit: number,
  turn: () => Promise<void>,
  isWanted: (row: Row) => boolean = () => true,
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  while (rows.length < limit) {
    const row = scan.next(CHUNK_ROWS);
    if (row === null) break;
    if (row === undefined) await turn();
    else if (isWanted(row)) rows.push(row);
  }
  return rows;
}

/** History of one instance, or of many: by order of acceptance, each oldest first. */
export async function listHistory(
  state: LedgerState,
  query: HistoryQuery,
  page: PageRequest,
  turn: () => Promise<void>,
): Promise<Page<HistoryEntry>> {
  checkPage(page, "list history");
  const [lastSeq, lastIndex] = page.token === undefined
    ? [0, -1]
    : readToken<number>(page.token, "history", ["number", "number"]);
  const items: HistoryEntry[] = [];
  let place: readonly [number, number] = [lastSeq!, lastIndex!];
  for await (const row of historyRows(state, query, Math.max(1, lastSeq!), turn)) {
    const entries = mergeHistory(row.instance, departuresOf(state, row));
    for (const [index, entry] of entries.entries()) {
      if (row.seq === lastSeq && index <= lastIndex!) continue;
      if (query.after !== undefined && entry.at < query.after) continue;
      if (query.before !== undefined && entry.at >= query.before) continue;
      if (items.length === page.limit) return { items, nextToken: writeToken("history", place) };
      items.push(entry);
      place = [row.seq, index];
    }
  }
  return { items, nextToken: null };
}

async function* historyRows(
  state: LedgerState,
  query: HistoryQuery,
  from: number,
  turn: () => Promise<void>,
): AsyncGenerator<Row> {
  if (query.instanceId !== undefined) {
    const row = state.tables.get(query.instanceId);
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
    const settledAt = row?.instance.settledAt ?? Infinity;
    if (row === undefined) await turn();
    else if (query.after === undefined || settledAt >= query.after) yield row;
  }
}

function departuresOf(state: LedgerState, { seq, instance }: Row): readonly Departure[] {
  if (instance.attempt === 0) return [];
  const departures: Departure[] = [];
  for (;;) {
    const from = (departures.at(-1)?.attempt ?? 0) + 1;
    const more = state.tables.departures(seq, from, DEPARTURES_MAX);
    departures.push(...more);
    if (more.length < DEPARTURES_MAX) return departures;
  }
}

/** A page of log lines: of one instance in the order written, of many by time. */
export async function listLogs(
  state: LedgerState,
  query: LogQuery,
  page: PageRequest,
  turn: () => Promise<void>,
): Promise<Page<StoredLogEntry>> {
  checkPage(page, "list logs");
  const [at, place] = page.token === undefined
    ? []
    : readToken<number>(page.token, "logs", ["number", "number"]);
  const after = at === undefined ? undefined : { at, place: place! };
  const lines = await collectLogs(state, query, { limit: page.limit + 1, after }, turn);
  const items = lines.slice(0, page.limit).map(({ entry }) => entry);
  const last = lines[page.limit - 1];
  const hasMore = lines.length > page.limit;
  const nextToken = hasMore ? writeToken("logs", [last!.entry.at, last!.place]) : null;
  return { items, nextToken };
}

/** Up to `limit` lines that match, after the line given, in turns. */
export async function collectLogs(
  state: LedgerState,
  query: LogQuery,
  request: {
    readonly limit: number;
    readonly after?: { readonly at: number; readonly place: number } | undefined;
  },
  turn: () => Promise<void>,
): Promise<readonly PlacedLog[]> {
  const row = query.instanceId === undefined ? null : state.tables.get(query.instanceId);
  if (query.instanceId !== undefined && !row) return [];
  const levels = LOG_LEVELS.slice(query.level === undefined ? 0 : LOG_LEVELS.indexOf(query.level));
  const start = query.after ?? -Number.MAX_SAFE_INTEGER;
  const isWanted = ({ entry }: PlacedLog) =>
    levels.includes(entry.level) && entry.at >= start &&
    (query.kind === undefined || entry.kind === query.kind) &&
    (query.before === undefined || entry.at < query.before);
  const lines: PlacedLog[] = [];
  let after = request.after ?? { at: start, place: 0 };
  for (;;) {
    const limit = Math.min(CHUNK_ROWS, Math.max(request.limit, 100));
    const chunk = state.tables.logs({
      instanceSeq: row?.seq ?? null,
      order: "time",
      afterAt: after.at,
      afterPlace: after.place,
      beforeAt: query.before ?? Number.MAX_SAFE_INTEGER,
      limit,
    });
    for (const line of chunk) {
      if (!isWanted(line)) continue;
      lines.push(line);
      if (lines.length === request.limit) return lines;
    }
    if (chunk.length < limit) return lines;
    const last = chunk.at(-1)!;
    after = { at: last.entry.at, place: last.place };
    await turn();
  }
}

/** How much is held: instances by kind and state, and schedules. */
export function countInstances(state: LedgerState): StoreStats {
  const kinds = new Map<string, StateCounts>();
  for (const [kind, { states }] of state.counts) {
    if (states.every((count) => count === 0)) continue;
    const counts = Object.fromEntries(JOB_STATES.map((one) => [one, states[stateIndex(one)]!]));
    kinds.set(kind, counts as Record<JobState, number>);
  }
  return { kinds, schedules: state.scheduleCount };
}

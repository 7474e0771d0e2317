import type { LogQuery, Store } from "../../store.ts";
import { FINAL_STATES, isFinal } from "../../../core/state.ts";
import { instanceChars, PAGE_CHARS_MAX } from "../../../core/payload_chars.ts";
import { checkLimit } from "../checks.ts";
import { collectLogs } from "../reading/pages.ts";
import { collect, readerOfLogs, rowsOfIds } from "../reading/reads.ts";
import type { Row } from "../tables/row.ts";
import { Scan, seqFrom } from "../reading/scan.ts";
import type { LedgerState, Moment } from "../state.ts";
import { removeSteps } from "./flows.ts";
import { removeEndedPauses } from "./pauses.ts";

/** Most log lines deleted by one operation, so that no claim waits long. */
const LOG_LINES_MAX = 10_000;
/** Expired rows read at a time: each may have megabytes. */
const READ_ROWS = 25;
/** Characters of instances after which an operation stops deleting, because it has to read them. */
const DELETED_CHARS_MAX = 8 * PAGE_CHARS_MAX;
/** Retention of fates: longer than any catch-up of a schedule. */
const TICK_KEEP_MS = 400 * 86_400_000;

/** Delete final instances past their retention, earliest first. @returns ids, fewer if large */
export function retain(
  state: LedgerState,
  moment: Moment,
  { limit }: { readonly limit: number },
): readonly string[] {
  checkLimit(limit, "delete instances");
  removeEndedPauses(state, moment);
  if (state.tables.limits.removeExpired(moment.wallMs, limit) > 0) state.isDirty = true;
  if (state.tables.ticks.removeRecorded(moment.wallMs - TICK_KEEP_MS, limit) > 0) {
    state.isDirty = true;
  }
  const ids: string[] = [];
  let chars = 0;
  while (ids.length < limit && chars < DELETED_CHARS_MAX) {
    const rows = state.tables.instances.expired(
      moment.wallMs,
      Math.min(READ_ROWS, limit - ids.length),
    );
    const removed = removeRows(state, moment, rows);
    ids.push(...removed);
    if (removed.length < READ_ROWS) break;
    for (const { instance } of rows) chars += instanceChars(instance);
  }
  return ids;
}

/** Delete instances with their logs. Any with too many lines for one call stay for the next. */
function removeRows(
  state: LedgerState,
  moment: Moment,
  rows: readonly Row[],
): readonly string[] {
  const ids: string[] = [];
  let lineCount = 0;
  for (const row of rows) {
    const left = LOG_LINES_MAX - lineCount;
    const removed = left > 0 ? state.tables.logs.removeOf(row.seq, left) : 0;
    if (removed > 0) state.isDirty = true;
    lineCount += removed;
    if (lineCount >= LOG_LINES_MAX) break;
    removeSteps(state, moment, row.instance);
    state.remove(row);
    ids.push(row.instance.id);
  }
  return ids;
}

/** Final instances that match and settled before a time, oldest first; fewer if large. */
export async function findCleared(
  state: LedgerState,
  request: Omit<Parameters<Store["clearInstances"]>[0], "at">,
  turn: () => Promise<void>,
): Promise<readonly string[]> {
  checkLimit(request.limit, "delete instances");
  const { settledBefore, limit } = request;
  const states = FINAL_STATES.filter((one) => request.query.states?.includes(one) ?? true);
  const query = { ...request.query, states };
  const isWanted = (row: Row) => row.instance.settledAt! < settledBefore;
  if (query.ids) {
    const ids: string[] = [];
    for (const row of rowsOfIds(state, query)) if (isWanted(row)) ids.push(row.instance.id);
    return ids.slice(0, limit);
  }
  // Instances created later settled later.
  const bounds = { from: 1, to: seqFrom(state, settledBefore) - 1, isReverse: false };
  const scan = new Scan(state, query, bounds);
  const rows = await collect(scan, { limit, charsMax: DELETED_CHARS_MAX }, turn, isWanted);
  return rows.map((row) => row.instance.id);
}

/** Delete the found instances, skipping already deleted ones. */
export function removeCleared(
  state: LedgerState,
  moment: Moment,
  ids: readonly string[],
): readonly string[] {
  const rows: Row[] = [];
  for (const id of ids) {
    const row = state.tables.instances.get(id);
    if (row && isFinal(row.instance.state)) rows.push(row);
  }
  return removeRows(state, moment, rows);
}

/** Places of the log lines that match. */
export async function findLogs(
  state: LedgerState,
  request: { readonly query: LogQuery; readonly limit: number },
  turn: () => Promise<void>,
): Promise<readonly number[]> {
  checkLimit(request.limit, "delete log lines");
  const { query, limit } = request;
  const lines = await collectLogs(query, { limit }, readerOfLogs(state, query.instanceId), turn);
  return lines.map(({ place }) => place);
}

/** Delete log lines by place. @returns their number */
export function removeLogs(state: LedgerState, places: readonly number[]): number {
  const count = state.tables.logs.remove(places);
  if (count > 0) state.isDirty = true;
  return count;
}

import { isJobError, JobError } from "../../core/errors.ts";
import { FINAL_STATES } from "../../core/state.ts";
import { calendarSpans } from "../../core/time/calendar_days.ts";
import { openZone } from "../../core/time/zone.ts";
import type { SpanCounts } from "../../store/store.ts";
import { type Gap, readGaps, ticksWithin } from "./gaps.ts";
import {
  addTo,
  type Futures,
  readFutures,
  shownKinds,
  TickCounter,
  type TimelineParts,
  withDurations,
  Work,
} from "./tick_forecast.ts";
import type { CalendarCell, CalendarQuery, CalendarResult } from "../api/timeline.ts";

const DAY_MS = 86_400_000;
const PAST_DAYS_DEFAULT = 30;
/** Ticks without a run that are counted before other work may run. */
const GAPS_AT_ONCE = 100;
/** Number of kinds, by most successful runs, whose retention is considered. */
const KEEP_KINDS_MAX = 20;

/** The numbers of a cell, without the ended instances. */
const COUNTS = [
  "unfinished",
  "skipped",
  "missed",
  "coalesced",
  "ticks",
  "ticksSkipped",
  "waiting",
] as const;

/** Something for each of some names. */
function byName<Name extends string, T>(
  names: readonly Name[],
  make: (name: Name) => T,
): Record<Name, T> {
  return Object.fromEntries(names.map((name) => [name, make(name)])) as Record<Name, T>;
}

/** Numbers of cells, one for each. */
type Columns = ReturnType<typeof emptyColumns>;

/** Count runs and ticks by day or hour of a zone. @throws JobError `invalid_argument` */
export async function calendar(
  query: CalendarQuery,
  parts: TimelineParts,
): Promise<CalendarResult> {
  const { kinds, timezone = "UTC", hours = false } = query;
  const nowMs = parts.clock.now().wallMs;
  const toMs = query.to ?? (hours ? (query.from ?? nowMs) + 1 : nowMs + DAY_MS + 1);
  const fromMs = query.from ?? (hours ? toMs - 1 : toMs - PAST_DAYS_DEFAULT * DAY_MS);
  checkZone(timezone);
  const spans = calendarSpans(timezone, { fromMs, toMs }, hours ? "hour" : "day");
  const bounds = [...spans.map(({ from }) => from), spans.at(-1)!.to];
  const [start, end] = [bounds[0]!, bounds.at(-1)!];
  const work = new Work(parts.clock);
  const columns = emptyColumns(spans.length);

  const isShown = shownKinds(kinds);
  const count = async (by: "acceptance" | "due", isWanted: boolean) => {
    const request = { by, bounds, ...(kinds ? { kinds } : {}) };
    const found = isWanted ? await parts.store.countSpans(request) : [];
    return found.filter(({ kind }) => isShown(kind));
  };
  const past = await count("acceptance", start < nowMs);
  for (const { state, counts } of past) {
    addTo(state === null ? columns.unfinished : columns.ended[state], counts);
  }
  const later = await count("due", end > nowMs);
  for (const { counts } of later) addTo(columns.waiting, counts);
  const span = { fromMs: start, toMs: end };
  const futures = end > nowMs ? await readFutures(kinds, span, parts, work) : null;
  const { gaps, gapsFrom } = await readGaps(
    { ...span, toMs: Math.min(end, nowMs + 1), kinds, known: futures?.records },
    parts,
    work,
  );
  for (const [place, gap] of gaps.entries()) {
    addGap(columns, gap, bounds);
    if (place % GAPS_AT_ONCE === 0) await work.mayGoOn();
  }
  const leftOut = futures ? await addTicks(columns, futures, bounds, parts, work) : 0;

  const keptFrom = nowMs - await shortestKeep(past, parts);
  const cells = spans.map((span, place): CalendarCell => ({
    ...span,
    ...cellOf(columns, place),
    isEstimate: [...past, ...later].some(({ isEstimate, counts }) =>
      isEstimate && counts[place]! > 0
    ),
    isPartial: span.from < keptFrom,
  }));
  return { timezone, cells, gapsFrom, leftOut };
}

/** @throws JobError `invalid_argument` that names the parameter */
function checkZone(timezone: string): void {
  try {
    openZone(timezone);
  } catch (error) {
    if (!isJobError(error)) throw error;
    const { message, hint } = error;
    throw new JobError(error.code, message, { hint, path: "timezone", cause: error });
  }
}

function emptyColumns(length: number) {
  const zeros = () => Array<number>(length).fill(0);
  return { ended: byName(FINAL_STATES, zeros), ...byName(COUNTS, zeros) };
}

function cellOf({ ended, ...columns }: Columns, place: number) {
  return {
    ended: byName(FINAL_STATES, (state) => ended[state][place]!),
    ...byName(COUNTS, (name) => columns[name][place]!),
  };
}

function addGap(columns: Columns, gap: Gap, bounds: readonly number[]): void {
  const { fate, from, to, count } = gap.fate;
  const column = fate === "skipped" || fate === "missed" || fate === "coalesced"
    ? columns[fate]
    : null;
  if (column === null) return;
  let place = placeOf(bounds, Math.max(from, bounds[0]!));
  if (from === to) {
    column[place]! += count;
    return;
  }
  while (place < column.length && bounds[place]! <= to) {
    const span = { fromMs: bounds[place]!, toMs: bounds[place + 1]! };
    column[place]! += ticksWithin(gap, span);
    place += 1;
  }
}

/** The span that a time is in. */
function placeOf(bounds: readonly number[], at: number): number {
  let low = 0;
  let high = bounds.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (bounds[middle]! <= at) low = middle;
    else high = middle;
  }
  return low;
}

/** Add the future ticks. @returns the number of omitted schedules */
async function addTicks(
  columns: Columns,
  futures: Futures,
  bounds: readonly number[],
  parts: TimelineParts,
  work: Work,
): Promise<number> {
  const counter = new TickCounter(bounds);
  let leftOut = futures.leftOut.length;
  const all = await withDurations(futures.all, parts);
  work.resume();
  for (const future of all) {
    if (await work.mayGoOn()) {
      const { ticks, skipped } = counter.count(future);
      addTo(columns.ticks, ticks);
      addTo(columns.ticksSkipped, skipped);
    } else leftOut += 1;
  }
  return leftOut;
}

/** The shortest retention of successful runs, Infinity without any. */
async function shortestKeep(
  past: readonly SpanCounts[],
  { histories }: TimelineParts,
): Promise<number> {
  const sum = ({ counts }: SpanCounts) => counts.reduce((total, count) => total + count, 0);
  const kinds = past
    .filter(({ state }) => state === "completed")
    .sort((left, right) => sum(right) - sum(left))
    .slice(0, KEEP_KINDS_MAX)
    .map(({ kind }) => kind);
  const historyOf = await histories.of(kinds);
  return Math.min(...kinds.map((kind) => historyOf(kind).keepMs ?? Infinity));
}

import type {
  ForecastEntry,
  ForecastResponse,
  LookupTimelineResponse,
  TimelineGap,
  TimelineRun,
} from "../../gen/api_types.ts";
import { msOf } from "../../text/format_time.ts";

/** A bar of a lane. */
export interface Bar {
  readonly key: string;
  readonly from: number;
  readonly to: number;
  /** Row within the lane, to keep bars from overlapping. */
  readonly row: number;
  readonly run?: TimelineRun;
  readonly ghost?: ForecastEntry;
  /** True if a heat replaces it in the chart: it is one of many close ones. */
  readonly isBanded?: boolean;
}

/** Counts of a span with too many items to list. */
export interface Heat {
  readonly from: number;
  readonly to: number;
  /** Runs that completed, or will. */
  readonly good: number;
  /** Runs that failed, or will be skipped. */
  readonly bad: number;
  /** Runs that were canceled. */
  readonly off: number;
  /** Runs that have not ended, or not begun. */
  readonly open: number;
  readonly isFuture: boolean;
}

/** Number of runs of a span. */
export function totalOf({ good, bad, off, open }: Omit<Heat, "from" | "to" | "isFuture">): number {
  return good + bad + off + open;
}

/** Drawn parts of one job. */
export interface Lane {
  /** Empty for the sum of all others. */
  readonly kind: string;
  readonly bars: readonly Bar[];
  readonly gaps: readonly TimelineGap[];
  readonly heats: readonly Heat[];
  readonly rows: number;
  /** True if a part of its future is missing. */
  readonly isPart: boolean;
}

/** Most rows of a lane: bars beyond cover others. */
const ROWS_MAX = 5;
/** Future runs closer than this many times the space between bars, about 6 px, are one band. */
const CLOSE_SPACES = 2;
/** Drawn duration of a future run if unknown. */
const UNKNOWN_MS = 1_000;

interface Draft {
  readonly bars: Omit<Bar, "row">[];
  readonly gaps: TimelineGap[];
  readonly heats: Heat[];
}

function barOf(run: TimelineRun, nowMs: number): Omit<Bar, "row"> {
  const begun = msOf(run.started_at ?? run.due_at ?? run.created_at);
  const end = run.ended_at === undefined ? nowMs : msOf(run.ended_at);
  return { key: run.id, from: begun, to: Math.max(begun, end), run };
}

function ghostOf(entry: ForecastEntry): Omit<Bar, "row"> {
  const from = msOf(entry.outcome === "runs" ? entry.starts_at ?? entry.at : entry.at);
  const to = from + (entry.duration_ms ?? UNKNOWN_MS);
  return {
    key: `${entry.schedule_id ?? entry.instance_id} ${entry.at}`,
    from,
    to: entry.outcome === "runs" ? to : from,
    ghost: entry,
  };
}

function spansOf(
  bounds: readonly string[],
  of: (index: number) => Omit<Heat, "from" | "to" | "isFuture">,
  isFuture: boolean,
): Heat[] {
  const heats: Heat[] = [];
  for (let index = 0; index + 1 < bounds.length; index++) {
    const counts = of(index);
    if (totalOf(counts) === 0) continue;
    heats.push({ from: msOf(bounds[index]), to: msOf(bounds[index + 1]), ...counts, isFuture });
  }
  return heats;
}

/** Fewest future runs that are drawn as one band. */
const BAND_MIN = 3;

/** Merge future runs that are too close to distinguish into one band with a count for each span. */
function withBands(draft: Draft, closeMs: number): Draft {
  const ghosts = draft.bars.filter(({ ghost }) => ghost !== undefined)
    .sort((a, b) => a.from - b.from);
  const banded = new Set<unknown>();
  const heats = [...draft.heats];
  for (let begin = 0, end = 1; begin < ghosts.length; begin = end++) {
    const { outcome } = ghosts[begin]!.ghost!;
    while (
      ghosts[end]?.ghost?.outcome === outcome && ghosts[end]!.from - ghosts[end - 1]!.from < closeMs
    ) end++;
    const band = ghosts.slice(begin, end);
    if (band.length < BAND_MIN) continue;
    for (const one of band) banded.add(one);
    const isRun = outcome === "runs";
    heats.push({
      from: band[0]!.from,
      to: Math.max(...band.map(({ to }) => to)),
      good: isRun ? band.length : 0,
      bad: isRun ? 0 : band.length,
      off: 0,
      open: 0,
      isFuture: true,
    });
  }
  const bars = draft.bars.map((bar) => banded.has(bar) ? { ...bar, isBanded: true } : bar);
  return { ...draft, bars, heats };
}

/** Give each bar the first row in which it fits. */
function withRows(bars: Omit<Bar, "row">[], spaceMs: number): { bars: Bar[]; rows: number } {
  const ends: number[] = [];
  const placed = [...bars].sort((a, b) => a.from - b.from).map((bar) => {
    if (bar.isBanded === true) return { ...bar, row: 0 };
    const free = ends.findIndex((end) => end <= bar.from);
    const row = free >= 0 ? free : ends.length < ROWS_MAX ? ends.length : ROWS_MAX - 1;
    ends[row] = Math.max(ends[row] ?? 0, bar.to + spaceMs);
    return { ...bar, row };
  });
  return { bars: placed, rows: Math.max(1, ends.length) };
}

/** Lanes to draw, by job. @param spaceMs shortest time that separates two bars on the screen */
export function lanesOf(options: {
  readonly past: LookupTimelineResponse | null;
  readonly future: ForecastResponse | null;
  readonly nowMs: number;
  readonly spaceMs: number;
}): readonly Lane[] {
  const { past, future, nowMs, spaceMs } = options;
  const drafts = new Map<string, Draft>();
  const of = (kind: string) => {
    const found = drafts.get(kind) ?? { bars: [], gaps: [], heats: [] };
    drafts.set(kind, found);
    return found;
  };
  for (const run of past?.runs ?? []) of(run.kind).bars.push(barOf(run, nowMs));
  for (const gap of past?.gaps ?? []) of(gap.kind).gaps.push(gap);
  for (const counts of past?.counts ?? []) {
    const at = (list: readonly number[], index: number) => list[index] ?? 0;
    of(counts.kind ?? "").heats.push(...spansOf(past!.bounds, (index) => ({
      good: at(counts.completed, index),
      bad: at(counts.terminated, index) + at(counts.timed_out, index),
      off: at(counts.canceled, index),
      open: at(counts.unfinished, index),
    }), false));
  }
  for (const entry of future?.entries ?? []) of(entry.kind).bars.push(ghostOf(entry));
  for (const density of future?.densities ?? []) {
    of(density.kind ?? "").heats.push(...spansOf(future!.bounds, (index) => ({
      good: (density.ticks[index] ?? 0) - (density.skipped[index] ?? 0),
      bad: density.skipped[index] ?? 0,
      off: 0,
      open: 0,
    }), true));
  }
  const unknown = new Set(future?.left_out_kinds ?? []);
  for (const kind of unknown) of(kind);
  return [...drafts].map(([kind, draft]) => {
    const { bars, gaps, heats } = withBands(draft, spaceMs * CLOSE_SPACES);
    return { kind, gaps, heats, ...withRows(bars, spaceMs), isPart: unknown.has(kind) };
  }).sort((a, b) => a.kind === "" ? 1 : b.kind === "" ? -1 : a.kind < b.kind ? -1 : 1);
}

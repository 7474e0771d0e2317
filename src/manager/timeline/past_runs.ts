import type { Instance } from "../../core/instance.ts";
import { FINAL_STATES, type FinalState, isFinal } from "../../core/state.ts";
import { BATCH_MAX, type InstanceQuery, type Pause, type SpanCounts } from "../../store/store.ts";
import { fateWhy } from "./explain_text.ts";
import { type Gap, readGaps } from "./gaps.ts";
import {
  addTo,
  checkSpan,
  limitsOf,
  shownKinds,
  type TimelineParts,
  Work,
} from "./tick_forecast.ts";
import {
  TIMELINE_MS_MAX,
  type TimelineCounts,
  type TimelineGap,
  type TimelineQuery,
  type TimelineResult,
} from "../api/timeline.ts";

const DAY_MS = 86_400_000;
/** Most kinds that are counted apart; the others are summed up. */
const KINDS_MAX = 50;
/** Number of runs accepted before a span that are checked, as they may reach into it. */
const EARLIER_MAX = 200;
/** Most skipped ticks, among this many, whose overlapped run is looked up. */
const OVERLAPS_MAX = 50;
const OPEN_LOOKED_AT = 20;
/** Most pages of runs: large payloads make small pages. */
const PAGES_MAX = 50;

/** Look up the runs of a span of time, and the ticks without one. @throws JobError */
export async function lookupTimeline(
  query: TimelineQuery,
  parts: TimelineParts,
): Promise<TimelineResult> {
  const { kinds } = query;
  const nowMs = parts.clock.now().wallMs;
  const toMs = query.to ?? nowMs + 1;
  const fromMs = query.from ?? toMs - DAY_MS;
  checkSpan("show a timeline", { fromMs, toMs }, TIMELINE_MS_MAX);
  const { limit, bounds } = limitsOf(query, { fromMs, toMs });
  const filter: InstanceQuery = kinds ? { kinds } : {};
  const isShown = shownKinds(kinds);
  const all = await parts.store.countSpans({ by: "acceptance", bounds, ...filter });
  const counted = all.filter(({ kind }) => isShown(kind));
  const total = counted.reduce((sum, counts) => sum + sumOf(counts), 0);
  const isListed = total <= limit;
  const runs = [
    ...await runsBefore({ fromMs, toMs, isListed }, filter, parts),
    ...isListed ? await runsWithin({ fromMs, toMs, limit: total }, filter, parts) : [],
  ].filter(({ kind }) => isShown(kind));
  const work = new Work(parts.clock);
  const { gaps, gapsFrom } = await readGaps({ fromMs, toMs, kinds, limit }, parts, work);
  return {
    from: fromMs,
    to: toMs,
    runs,
    gaps: await withReasons(gaps, parts, work),
    gapsFrom,
    bounds,
    counts: isListed ? [] : countsByKind(counted),
    total,
    isEstimate: counted.some(({ isEstimate }) => isEstimate),
  };
}

/** Runs that began before a span and reach into it, including unlisted running ones. */
async function runsBefore(
  { fromMs, toMs, isListed }: {
    readonly fromMs: number;
    readonly toMs: number;
    readonly isListed: boolean;
  },
  filter: InstanceQuery,
  { store }: TimelineParts,
): Promise<readonly Instance[]> {
  const running = await store.list(
    { ...filter, states: ["processing"], before: isListed ? fromMs : toMs },
    { limit: BATCH_MAX, order: "oldest" },
  );
  const ended = await store.list(
    { ...filter, states: FINAL_STATES, before: fromMs },
    { limit: EARLIER_MAX },
  );
  const reaching = ended.items.filter(({ processedAt, settledAt }) =>
    processedAt !== null && settledAt! >= fromMs
  );
  return [...reaching.reverse(), ...running.items]
    .sort((left, right) => left.createdAt - right.createdAt);
}

async function runsWithin(
  { fromMs, toMs, limit }: {
    readonly fromMs: number;
    readonly toMs: number;
    readonly limit: number;
  },
  filter: InstanceQuery,
  { store }: TimelineParts,
): Promise<readonly Instance[]> {
  const query = { ...filter, after: fromMs, before: toMs };
  const runs: Instance[] = [];
  let token: string | undefined;
  const isShown = shownKinds(filter.kinds);
  for (let page = 0; page < PAGES_MAX && runs.length < limit; page++) {
    const { items, nextToken } = await store.list(query, {
      limit: BATCH_MAX,
      order: "oldest",
      token,
    });
    runs.push(...items.filter(({ kind }) => isShown(kind)));
    if (nextToken === null) break;
    token = nextToken;
  }
  return runs;
}

function countsByKind(counted: readonly SpanCounts[]): readonly TimelineCounts[] {
  const kinds = new Map<string, { total: number; counts: Map<FinalState | null, number[]> }>();
  for (const one of counted) {
    const found = kinds.get(one.kind) ?? { total: 0, counts: new Map() };
    found.total += sumOf(one);
    found.counts.set(one.state, [...one.counts]);
    kinds.set(one.kind, found);
  }
  const sorted = [...kinds].sort(([, left], [, right]) => right.total - left.total);
  const apart: TimelineCounts[] = sorted.slice(0, KINDS_MAX)
    .map(([kind, { counts }]) => ({ kind, counts }));
  if (sorted.length <= KINDS_MAX) return apart;
  const rest = new Map<FinalState | null, number[]>();
  for (const [, { counts }] of sorted.slice(KINDS_MAX)) {
    for (const [state, values] of counts) {
      const sums = rest.get(state) ?? [];
      addTo(sums, values);
      rest.set(state, sums);
    }
  }
  return [...apart, { kind: null, counts: rest }];
}

function sumOf({ counts }: SpanCounts): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

/** The gaps with a sentence each, in the order of time. */
async function withReasons(
  gaps: readonly Gap[],
  { store, facts }: TimelineParts,
  work: Work,
): Promise<readonly TimelineGap[]> {
  const pauses = gaps.length > 0 ? await facts.listPauses() : [];
  // All at once: on a distant store they share a round trip.
  const overlaps = gaps.filter(({ fate }) => fate.reason === "overlap").slice(0, OVERLAPS_MAX);
  const before = new Map<Gap, Instance | null>();
  await Promise.all(overlaps.map(async (gap) => {
    before.set(gap, await openAt(gap.fate.scheduleId, gap.fate.at, store));
  }));
  const found: TimelineGap[] = [];
  for (const gap of gaps) {
    const { kind, record, fate } = gap;
    const why = record ? gapWhy(record, gap, before.get(gap) ?? null, pauses) : deletedWhy(gap);
    found.push({ kind, fate, why });
    await work.mayGoOn();
  }
  return found.sort((left, right) => left.fate.from - right.fate.from);
}

function gapWhy(
  record: NonNullable<Gap["record"]>,
  { fate }: Gap,
  before: Instance | null,
  pauses: readonly Pause[],
): string {
  return fateWhy(record, fate, { at: fate.from, before, pauses });
}

function deletedWhy({ fate: { fate, reason } }: Gap): string {
  return `It was ${fate}${reason === null ? "" : `: ${reason}`}; its schedule is gone`;
}

/** The oldest run of a schedule that was unfinished at a time; null if no longer known. */
async function openAt(
  scheduleId: string,
  at: number,
  store: TimelineParts["store"],
): Promise<Instance | null> {
  const page = { limit: OPEN_LOOKED_AT, order: "newest" } as const;
  const { items } = await store.list({ scheduleId, before: at + 1 }, page);
  return items.findLast(({ state, settledAt }) => !isFinal(state) || settledAt! >= at) ?? null;
}

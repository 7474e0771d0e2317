import type { Instance } from "../../core/instance.ts";
import { bandOf, LEARNT_RUNS } from "../../core/notices/expectations.ts";
import type { FinalState } from "../../core/state.ts";
import type { StoreReads } from "../../store/store.ts";
import type { FailureGroup, JobStats, JobStatsQuery, RunDurations } from "../api/instances.ts";

/** Newest successes and failures of the span that are read, and some of each earlier part. */
const SUCCESSES_MAX = 400;
const FAILURES_MAX = 300;
const SAMPLES_MAX = 10;
const LAST_MAX = 20;
/** Most groups of failures. */
const GROUPS_MAX = 10;
/** Characters of an error that are compared, and shown. */
const ERROR_MAX = 300;

type Reads = Pick<StoreReads, "list" | "countSpans">;

/** Statistics of a job in a span, from a bounded number of reads. */
export async function jobStats(store: Reads, query: JobStatsQuery): Promise<JobStats> {
  const { kind, from, to } = query;
  const bounds = boundsOf(query);
  const spans = await store.countSpans({ by: "acceptance", bounds, kinds: [kind] });
  const countsOf = (place: number) => {
    const counts = { completed: 0, terminated: 0, canceled: 0, timedOut: 0, unfinished: 0 };
    for (const { state, counts: found } of spans) counts[state ?? "unfinished"] += found[place]!;
    return counts;
  };
  const durations = await durationsIn(store, kind, bounds);
  const buckets = bounds.slice(0, -1).map((start, place) => {
    return { from: start, counts: countsOf(place), durations: summary(durations[place]!) };
  });
  const totals = { completed: 0, terminated: 0, canceled: 0, timedOut: 0, unfinished: 0 };
  for (const { counts } of buckets) {
    for (const name of Object.keys(totals) as (keyof typeof totals)[]) totals[name] += counts[name];
  }
  const ended = totals.completed + totals.terminated + totals.timedOut;
  const list = async (states: readonly FinalState[], limit: number, span = {}) =>
    (await store.list({ kinds: [kind], states, ...span }, { limit })).items;
  const successes = await list(["completed"], LEARNT_RUNS);
  const failed = ["terminated", "timedOut"] as const;
  const failures = await list(failed, FAILURES_MAX, { after: from, before: to });
  const lastFailure = failures[0] ?? (await list(failed, 1))[0];
  return {
    from,
    to,
    buckets,
    totals: { from, counts: totals, durations: summary(durations.flat()) },
    isEstimate: spans.some((span) => span.isEstimate),
    successRate: ended === 0 ? null : totals.completed / ended,
    lastSuccessAt: latest(successes),
    lastFailureAt: lastFailure ? latest([lastFailure, ...failures]) : null,
    last: (await store.list({ kinds: [kind] }, { limit: LAST_MAX })).items,
    failures: groupsOf(failures),
    usual: bandOf(successes.map(durationOf).filter((duration) => duration !== null)),
  };
}

function boundsOf({ from, to, buckets }: JobStatsQuery): readonly number[] {
  const width = (to - from) / buckets;
  return Array.from({ length: buckets + 1 }, (_, place) => Math.round(from + place * width));
}

/** Durations of successes by part of the span: the newest ones, and a sample of earlier ones. */
async function durationsIn(
  store: Reads,
  kind: string,
  bounds: readonly number[],
): Promise<readonly (readonly number[])[]> {
  const found: number[][] = bounds.slice(1).map(() => []);
  const read = async (after: number, before: number, limit: number) => {
    const query = { kinds: [kind], states: ["completed"] as const, after, before };
    const page = await store.list(query, { limit });
    for (const instance of page.items) {
      const duration = durationOf(instance);
      const place = bounds.findLastIndex((bound) => bound <= instance.createdAt);
      if (duration !== null) found[place]?.push(duration);
    }
    return page;
  };
  const newest = await read(bounds[0]!, bounds.at(-1)!, SUCCESSES_MAX);
  const oldest = newest.items.at(-1);
  if (newest.nextToken === null || oldest === undefined) return found;
  for (const [place, after] of bounds.slice(0, -1).entries()) {
    const before = bounds[place + 1]!;
    if (before <= oldest.createdAt) await read(after, before, SAMPLES_MAX);
  }
  return found;
}

/** Duration of the last attempt; null if unknown. */
function durationOf({ processedAt, settledAt }: Instance): number | null {
  return processedAt === null || settledAt === null ? null : Math.max(0, settledAt - processedAt);
}

function summary(durations: readonly number[]): RunDurations | null {
  const runs = durations.length;
  if (runs === 0) return null;
  const sorted = durations.toSorted((left, right) => left - right);
  const ofRank = (share: number) => sorted[Math.ceil(share * runs) - 1]!;
  return { runs, p50Ms: ofRank(0.5), p90Ms: ofRank(0.9), maxMs: sorted.at(-1)! };
}

function latest(instances: readonly Instance[]): number | null {
  const times = instances.map(({ settledAt }) => settledAt ?? 0);
  return times.length === 0 ? null : Math.max(...times);
}

function groupsOf(failures: readonly Instance[]): readonly FailureGroup[] {
  const groups = new Map<string, FailureGroup>();
  for (const { id, error, reason, state, settledAt } of failures) {
    const text = (error?.message ?? reason ?? state).slice(0, ERROR_MAX);
    // Ids, numbers and quoted names differ from failure to failure.
    const shape = text.replace(/[0-9a-f]{8,}(?:-[0-9a-f]+)*|\d+/gi, "#");
    const known = groups.get(shape);
    const at = settledAt ?? 0;
    if (!known) groups.set(shape, { error: text, count: 1, lastAt: at, lastId: id });
    else {
      const isLater = at > known.lastAt;
      groups.set(shape, {
        ...(isLater ? { error: text, lastAt: at, lastId: id } : known),
        count: known.count + 1,
      });
    }
  }
  return [...groups.values()].sort((left, right) => right.count - left.count).slice(0, GROUPS_MAX);
}

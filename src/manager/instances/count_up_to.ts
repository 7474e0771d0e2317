import { isFinal, type JobState } from "../../core/state.ts";
import { BATCH_MAX, type InstanceQuery, type StoreReads } from "../../store/store.ts";
import type { LimitedCount } from "../api/instances.ts";

/** Rows read at most: a search for rare ones must end. */
const LOOK_MAX = 5_000;
/** After every time. */
const LAST = 8_640_000_000_000_000;

type Reads = Pick<StoreReads, "list" | "stats" | "countSpans">;

/**
 * Count instances that match, up to a number. Kinds, states and times of creation are counted
 * without reading instances; for other queries, a few thousand rows are read at most.
 */
export async function countUpTo(
  store: Reads,
  query: InstanceQuery,
  max: number,
): Promise<LimitedCount> {
  const { kinds: _, states: __, after, before, ...others } = query;
  if (Object.values(others).every((value) => value === undefined)) {
    if (after === undefined && before === undefined) {
      return { count: await countAll(store, query), hasMore: false };
    }
    const count = await countInSpan(store, query);
    if (count !== null) return { count: Math.min(count, max), hasMore: count > max };
  }
  let count = 0;
  let token: string | undefined;
  let left = LOOK_MAX;
  do {
    const limit = Math.min(BATCH_MAX, max + 1 - count);
    const page = await store.list(query, { limit, lookMax: left, token });
    count += page.items.length;
    left -= page.items.length;
    if (count > max) return { count: max, hasMore: true };
    token = page.nextToken ?? undefined;
    if (page.lookedTo !== undefined) return { count, hasMore: true };
  } while (token !== undefined && left > 0);
  return { count, hasMore: token !== undefined };
}

/** Count all instances of kinds and states by the store's counts. */
export async function countAll(
  store: Pick<Reads, "stats">,
  { kinds, states }: InstanceQuery,
): Promise<number> {
  const stats = await store.stats();
  let count = 0;
  for (const kind of kinds === undefined ? stats.kinds.keys() : new Set(kinds)) {
    const counts = stats.kinds.get(kind);
    if (counts === undefined) continue;
    const wanted = states ?? Object.keys(counts) as JobState[];
    for (const state of new Set(wanted)) count += counts[state];
  }
  return count;
}

/** The number of instances created in a span; null if it cannot be counted without reading them. */
async function countInSpan(
  store: Reads,
  { kinds, states, after = 0, before = LAST }: InstanceQuery,
): Promise<number | null> {
  if (after >= before) return 0;
  if (states?.every(isFinal) === false) return null;
  const wanted = states && new Set<JobState | null>(states);
  const request = { by: "acceptance" as const, bounds: [after, before] };
  const spans = await store.countSpans({ ...request, ...(kinds === undefined ? {} : { kinds }) });
  const counted = spans.filter(({ state }) => wanted?.has(state) ?? true);
  return counted.reduce((sum, { counts }) => sum + counts[0]!, 0);
}

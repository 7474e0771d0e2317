import type { JobState } from "../../core/state.ts";
import { BATCH_MAX, type InstanceQuery, type StoreReads } from "../../store/store.ts";

/** Rows looked at at most: what is rare is not looked for without end. */
const LOOK_MAX = 10_000;

/** How many instances match. */
export interface LimitedCount {
  readonly count: number;
  /** There are more, or there may be: not all were looked at. */
  readonly hasMore: boolean;
}

/**
 * Count instances that match, up to a number. Without conditions but kinds and states, the store's
 * counters answer.
 */
export async function countUpTo(
  store: Pick<StoreReads, "list" | "stats">,
  query: InstanceQuery,
  max: number,
): Promise<LimitedCount> {
  const { kinds, states, ...others } = query;
  if (Object.values(others).every((value) => value === undefined)) {
    const stats = await store.stats();
    let count = 0;
    for (const kind of kinds === undefined ? stats.kinds.keys() : new Set(kinds)) {
      const counts = stats.kinds.get(kind);
      if (counts === undefined) continue;
      const wanted = states ?? Object.keys(counts) as JobState[];
      for (const state of new Set(wanted)) count += counts[state];
    }
    return { count, hasMore: false };
  }
  let count = 0;
  let token: string | undefined;
  // A row that matches was looked at, too.
  let left = Math.max(LOOK_MAX, max + 1);
  do {
    const limit = Math.min(BATCH_MAX, max + 1 - count);
    const page = await store.list(query, { limit, lookMax: left, token });
    count += page.items.length;
    left -= page.items.length;
    if (count > max) return { count: max, hasMore: true };
    token = page.nextToken ?? undefined;
    if (page.lookedTo !== undefined) return { count, hasMore: true };
  } while (token !== undefined);
  return { count, hasMore: false };
}

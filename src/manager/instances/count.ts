import type { JobState } from "../../core/state.ts";
import { BATCH_MAX, type InstanceQuery, type Store } from "../../store/store.ts";

/** How many instances match; uses the store's own counts if the only conditions are kinds and states. */
export async function countInstances(
  store: Pick<Store, "stats" | "list">,
  query: InstanceQuery,
): Promise<number> {
  const { kinds, states, ...others } = query;
  if (Object.values(others).some((value) => value !== undefined)) {
    return await countPages(store, query);
  }
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

async function countPages(store: Pick<Store, "list">, query: InstanceQuery): Promise<number> {
  let count = 0;
  let token: string | null = null;
  do {
    const page = await store.list(query, {
      limit: BATCH_MAX,
      ...(token === null ? {} : { token }),
    });
    count += page.items.length;
    token = page.nextToken;
  } while (token !== null);
  return count;
}

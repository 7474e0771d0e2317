import type { Clock, Instant } from "../../platform/clock.ts";
import type { InstanceQuery, LogQuery, Store } from "../../store/store.ts";

/** Rows deleted in one transaction, so that claims never wait for the cleaning. */
const BATCH = 500;

/** Delete final instances that match and settled before a time, with history and logs; answers how many. */
export function clearInstances(
  store: Store,
  clock: Clock,
  { query, settledBefore = Number.MAX_SAFE_INTEGER }: {
    readonly query: InstanceQuery;
    readonly settledBefore?: number | undefined;
  },
): Promise<number> {
  return inBatches(clock, async (at) => {
    const { value } = await store.clearInstances({ at, query, settledBefore, limit: BATCH });
    return value.length;
  });
}

/** Delete log lines that match; answers how many. */
export function clearLogs(store: Store, clock: Clock, query: LogQuery): Promise<number> {
  return inBatches(clock, async (at) => {
    const { value } = await store.clearLogs({ at, query, limit: BATCH });
    return value;
  });
}

async function inBatches(clock: Clock, clear: (at: Instant) => Promise<number>): Promise<number> {
  let total = 0;
  for (;;) {
    const count = await clear(clock.now());
    total += count;
    if (count === 0) return total;
  }
}

import { JOB_STATES } from "../core/state.ts";
import type { StoreWorkContext } from "./step.ts";

/** Most problems reported. */
const PROBLEMS_MAX = 100;

/** Facts about a store and its contents. */
export async function describeStore(
  { store, info }: StoreWorkContext,
): Promise<Readonly<Record<string, unknown>>> {
  const { kinds, schedules } = await store.stats();
  const states = Object.fromEntries(JOB_STATES.map((state) => {
    const count = [...kinds.values()].reduce((sum, counts) => sum + counts[state], 0);
    return [state, count];
  }));
  const { items: [oldest] } = await store.list({}, { limit: 1, order: "oldest" });
  const { bytes, freeBytes } = await store.records.size();
  return {
    type: info.type,
    location: info.location,
    id: info.storeId,
    epoch: info.epoch,
    format: info.format,
    is_durable: info.isDurable,
    mark: await store.records.getMark(),
    instances: Object.values(states).reduce((sum, count) => sum + count, 0),
    states,
    kinds: kinds.size,
    schedules,
    pauses: (await store.listPauses()).length,
    oldest_at: oldest ? new Date(oldest.createdAt).toISOString() : null,
    bytes,
    free_bytes: freeBytes,
  };
}

/** Inconsistencies of a store. */
export async function verifyStore({ store }: StoreWorkContext) {
  const problems = await store.records.findProblems({ limit: PROBLEMS_MAX });
  return { problems, is_whole: problems.length === 0 };
}

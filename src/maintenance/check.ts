import { countText } from "../core/text/count_text.ts";
import { sleep } from "../platform/clock.ts";
import { JOB_STATES } from "../core/state.ts";
import { BATCH_MAX } from "../store/store.ts";
import { checkSignal } from "./content.ts";
import type { StoreStep, StoreWorkContext } from "./step.ts";

/** Most problems that are told. */
const PROBLEMS_MAX = 100;
/** Instances deleted by one operation: claims wait for none of them long. */
const GC_BATCH = 250;
const BETWEEN_BATCHES_MS = 5;

/** What a store is and holds. */
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

/** What cannot be in a store. */
export async function verifyStore({ store }: StoreWorkContext) {
  const problems = await store.records.findProblems({ limit: PROBLEMS_MAX });
  return { problems, is_whole: problems.length === 0 };
}

/** Delete what is past its retention and what belongs to nothing; give room back if so asked. */
export async function* collectGarbage(
  { store, clock, signal }: StoreWorkContext,
  compacts: boolean,
): AsyncGenerator<StoreStep> {
  const before = await store.records.size();
  let instances = 0;
  for (;;) {
    checkSignal(signal);
    const { value } = await store.retain({ at: clock.now(), limit: GC_BATCH });
    instances += value.length;
    if (value.length === 0) break;
    yield { type: "progress", text: `${countText(instances, "instance")} deleted` };
    await sleep(clock, BETWEEN_BATCHES_MS, signal);
  }
  let orphans = 0;
  for (;;) {
    checkSignal(signal);
    const { value } = await store.records.removeOrphans({ at: clock.now(), limit: BATCH_MAX });
    orphans += value;
    if (value < BATCH_MAX) break;
    yield {
      type: "progress",
      text: `${countText(orphans, "row")} that belonged to nothing deleted`,
    };
  }
  if (compacts) {
    yield { type: "progress", text: "Giving room back" };
    await store.records.compact();
  }
  const { bytes, freeBytes } = await store.records.size();
  yield {
    type: "report",
    report: {
      instances,
      orphans,
      freed_bytes: bytes === null ? null : before.bytes! - bytes,
      bytes,
      free_bytes: freeBytes,
    },
  };
}

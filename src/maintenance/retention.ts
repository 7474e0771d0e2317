import { countText } from "../core/text/count_text.ts";
import { sleep } from "../platform/clock.ts";
import { BATCH_MAX } from "../store/store.ts";
import { checkSignal } from "./content.ts";
import type { StoreStep, StoreWorkContext } from "./step.ts";

/** Instances deleted by one operation. Small, so that claims do not wait long. */
const INSTANCES_BATCH = 250;
const BETWEEN_BATCHES_MS = 5;

/** Delete expired and orphaned records. @param compacts also return free space to the disk */
export async function* collectGarbage(
  { store, clock, signal }: StoreWorkContext,
  compacts: boolean,
): AsyncGenerator<StoreStep> {
  const before = await store.records.size();
  let instances = 0;
  for (;;) {
    checkSignal(signal);
    const { value } = await store.retain({ at: clock.now(), limit: INSTANCES_BATCH });
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
      text: `${countText(orphans, "row")} without an instance deleted`,
    };
  }
  if (compacts) {
    yield { type: "progress", text: "Returning free space to the disk" };
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

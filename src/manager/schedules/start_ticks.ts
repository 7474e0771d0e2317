import { REBOOT } from "../../core/job/schedule.ts";
import type { Clock } from "../../platform/clock.ts";
import type { IdSource } from "../../platform/ids.ts";
import type { Advance, Store } from "../../store/store.ts";
import { tickInstance } from "../instances/new_instance.ts";
import type { Registry } from "../registry.ts";
import { schedulePages } from "./schedule_pages.ts";

/**
 * One tick, at now, for each `@reboot` schedule of a registered job. Also after a crash: with
 * overlap "skip" the store drops the tick while an instance of an earlier start is unfinished and
 * will be taken over.
 */
export async function startAdvances(
  options: {
    readonly store: Store;
    readonly registry: Registry;
    readonly clock: Clock;
    readonly node: string;
    readonly ids: IdSource;
  },
): Promise<readonly Advance[]> {
  const { store, registry, clock, node, ids } = options;
  const { wallMs } = clock.now();
  const found: Advance[] = [];
  for await (const page of schedulePages(store, {})) {
    for (const record of page) {
      const { cron, startsAt = -Infinity, endsAt = Infinity } = record.spec;
      const job = registry.find(record.kind);
      if (cron !== REBOOT || !job || wallMs < startsAt || wallMs >= endsAt) continue;
      // The clock may have been set back since the last start.
      const at = Math.max(wallMs, record.cursor + 1);
      found.push({
        scheduleId: record.id,
        generation: record.generation,
        expectedCursor: record.cursor,
        cursor: at,
        nextAt: null,
        fires: [tickInstance(job, record, { at, id: ids(), node })],
        fates: [],
        overlap: record.spec.overlap,
      });
    }
  }
  return found;
}

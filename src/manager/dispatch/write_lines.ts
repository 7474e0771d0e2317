import type { Clock } from "../../platform/clock.ts";
import type { Store } from "../../store/store.ts";
import type { Events } from "../events.ts";
import type { RunningAttempt, Writing } from "./running.ts";
import type { StoreHealth } from "../store/store_health.ts";

/** Write what a running attempt logged and reported; answers whether the store took it or never will. */
export async function writeLines(
  { store, clock, events, storeHealth }: {
    readonly store: Store;
    readonly clock: Clock;
    readonly events: Events;
    readonly storeHealth: StoreHealth;
  },
  { instance }: RunningAttempt,
  { lines, progress }: Writing,
): Promise<boolean> {
  const append = { id: instance.id, fence: instance.fence, logs: lines, progress };
  try {
    const { value: stale, at } = await store.appendLogs({ at: clock.now(), appends: [append] });
    storeHealth.succeeded("write the log");
    if (stale.length > 0) return true;
    events.logged(instance, lines, at);
    if (progress) events.progressed({ ...instance, progress }, progress, at);
    return true;
  } catch (error) {
    storeHealth.failed(error, "write the log");
    return false;
  }
}

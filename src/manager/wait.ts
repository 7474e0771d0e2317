import type { Instance } from "../core/instance.ts";
import { isFinal } from "../core/state.ts";
import type { Clock } from "../platform/clock.ts";
import type { ManagerEvent } from "./api.ts";

/**
 * Wait until an instance is final.
 *
 * @returns the final instance, or null when `timeoutMs` passed first
 * @throws JobError `not_found` for an unknown id
 */
export async function waitInstance(
  id: string,
  timeoutMs: number | undefined,
  context: {
    readonly clock: Clock;
    readonly get: (id: string) => Promise<Instance>;
    readonly subscribe: (listener: (event: ManagerEvent) => void) => () => void;
  },
): Promise<Instance | null> {
  // Listening before looking: the change may come between the two.
  const events: Instance[] = [];
  let deliver = (instance: Instance) => void events.push(instance);
  const unsubscribe = context.subscribe((event) => {
    if (event.type === "state" && isFinal(event.state)) deliver(event.instance);
  });
  try {
    const present = await context.get(id);
    if (isFinal(present.state)) return present;
    const missed = events.find((instance) => instance.id === present.id);
    if (missed) return missed;
    return await new Promise((resolve) => {
      const timer = timeoutMs === undefined
        ? null
        : context.clock.timer(timeoutMs, () => resolve(null));
      deliver = (instance) => {
        if (instance.id !== present.id) return;
        timer?.cancel();
        resolve(instance);
      };
    });
  } finally {
    unsubscribe();
  }
}

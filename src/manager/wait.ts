import { JobError } from "../core/errors.ts";
import type { Instance } from "../core/instance.ts";
import { isFinal } from "../core/state.ts";
import type { Clock } from "../platform/clock.ts";
import type { ManagerEvent } from "./api.ts";

/**
 * Wait until an instance is final.
 *
 * @returns the final instance, or null when `timeoutMs` passed first
 * @throws JobError `not_found` for an unknown id, `unavailable` when the manager stops first
 */
export async function waitInstance(
  id: string,
  timeoutMs: number | undefined,
  context: {
    readonly clock: Clock;
    readonly get: (id: string) => Promise<Instance>;
    readonly subscribe: (listener: (event: ManagerEvent) => void) => () => void;
    readonly onStop: (listener: () => void) => () => void;
  },
): Promise<Instance | null> {
  // Listening before looking: the change may come between the two.
  const events: Instance[] = [];
  let deliver: (instance: Instance) => void = (instance) => void events.push(instance);
  const unsubscribe = context.subscribe((event) => {
    if (event.type === "state" && isFinal(event.state)) deliver(event.instance);
  });
  try {
    const present = await context.get(id);
    if (isFinal(present.state)) return present;
    const missed = events.find((instance) => instance.id === present.id);
    if (missed) return missed;
    return await ending(present.id, timeoutMs, context, (listener) => deliver = listener);
  } finally {
    unsubscribe();
  }
}

function ending(
  id: string,
  timeoutMs: number | undefined,
  { clock, onStop }: Pick<Parameters<typeof waitInstance>[2], "clock" | "onStop">,
  listen: (listener: (instance: Instance) => void) => void,
): Promise<Instance | null> {
  return new Promise((resolve, reject) => {
    const timer = timeoutMs === undefined ? null : clock.timer(timeoutMs, () => {
      unlisten();
      resolve(null);
    });
    const unlisten = onStop(() => {
      timer?.cancel();
      unlisten();
      reject(
        new JobError("unavailable", `Cannot wait for instance "${id}": the manager has stopped`, {
          hint: "It goes on when the manager starts again",
        }),
      );
    });
    listen((instance) => {
      if (instance.id !== id) return;
      timer?.cancel();
      unlisten();
      resolve(instance);
    });
  });
}

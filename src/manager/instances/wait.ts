import { type Backoff, backoffMs } from "../../core/backoff.ts";
import { JobError } from "../../core/errors.ts";
import { type Instance, isUuid } from "../../core/instance.ts";
import { isFinal } from "../../core/state.ts";
import type { Clock, Timer } from "../../platform/clock.ts";
import type { ManagerEvent } from "../api.ts";
import type { Followers } from "./followers.ts";

/** Waits between reads of the store: there is no event for what another node does. */
const LOOK: Backoff = { firstMs: 25, longestMs: 500 };

/**
 * Wait until an instance is final.
 *
 * @returns the final instance, or null if `timeoutMs` passed first
 * @throws JobError `not_found` for an unknown id, `unavailable` if the manager stops first
 */
export async function waitInstance(
  id: string,
  timeoutMs: number | undefined,
  context: {
    readonly clock: Clock;
    readonly get: (id: string) => Promise<Instance>;
    readonly subscribe: (listener: (event: ManagerEvent) => void) => () => void;
    readonly onStop: (listener: () => void) => () => void;
    /** True if other nodes may run it. */
    readonly hasOthers: () => boolean;
    readonly followers: Followers;
  },
): Promise<Instance | null> {
  const { followers } = context;
  // Hundreds may wait for one instance with megabytes of arguments: they share one read.
  const get = (wanted: string) =>
    isUuid(wanted) ? followers.get(wanted, context) : context.get(wanted);
  // Listen before reading: the change may come between the two.
  const events: Instance[] = [];
  let deliver: (instance: Instance) => void = (instance) => void events.push(instance);
  let stopLooking = () => {};
  const unsubscribe = context.subscribe((event) => {
    if (event.type !== "state" || !isFinal(event.state)) return;
    if (event.instance.id === id) followers.forget(id);
    deliver(event.instance);
  });
  try {
    const present = await get(id);
    if (isFinal(present.state)) return present;
    const missed = events.find((instance) => instance.id === present.id);
    if (missed) return missed;
    if (timeoutMs === 0) return null;
    stopLooking = look(present.id, { ...context, get }, (instance) => deliver(instance));
    return await ending(present.id, timeoutMs, context, (listener) => deliver = listener);
  } finally {
    stopLooking();
    unsubscribe();
    // Maybe nobody listens any more who would note that it changes.
    followers.forget(id);
  }
}

/** Report an instance that another node made final. Returns a function that stops. */
function look(
  id: string,
  { clock, get, hasOthers }: Pick<
    Parameters<typeof waitInstance>[2],
    "clock" | "get" | "hasOthers"
  >,
  report: (instance: Instance) => void,
): () => void {
  let tries = 0;
  let isStopped = false;
  let timer: Timer;
  const arm = () => {
    if (isStopped) return;
    timer = clock.timer(backoffMs(LOOK, tries++), () => void again(), { unref: true });
  };
  const again = async () => {
    // Others report that the store is unavailable; the wait continues.
    const instance = hasOthers() ? await get(id).catch(() => null) : null;
    if (instance && isFinal(instance.state) && !isStopped) report(instance);
    else arm();
  };
  arm();
  return () => {
    isStopped = true;
    timer.cancel();
  };
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
          hint: "It continues when the manager starts again",
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

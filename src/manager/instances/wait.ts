import { type Backoff, backoffMs } from "../../core/backoff.ts";
import { JobError } from "../../core/errors.ts";
import { type Instance, isUuid } from "../../core/instance.ts";
import { isFinal } from "../../core/state.ts";
import type { Clock } from "../../platform/clock.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import type { FollowContext } from "./follow.ts";
import type { ManagerEvent } from "../api/instances.ts";

/** Waits between reads of the store: other nodes' changes cause no events. */
const LOOK: Backoff = { firstMs: 25, longestMs: 500 };

/** See {@link InstanceApi.waitInstance}. @throws JobError `not_found`; `unavailable` at a stop */
export async function waitInstance(
  given: string,
  timeoutMs: number | undefined,
  context: Omit<FollowContext, "store" | "subscribe" | "subscribed"> & {
    readonly subscribe: (listener: (event: ManagerEvent) => void) => () => void;
  },
): Promise<Instance | null> {
  const { clock, followers } = context;
  const id = isUuid(given) ? given : (await context.get(given)).id;
  // Hundreds may wait for one instance with megabytes of arguments: they share one read.
  const get = () => followers.get(id, context);
  const ended = Promise.withResolvers<Instance | null>();
  // Listen before reading: the change may come between the two.
  const unsubscribe = context.subscribe((event) => {
    if (event.type !== "state" || event.instance.id !== id || !isFinal(event.state)) return;
    followers.forget(id);
    ended.resolve(event.instance);
  });
  const closers = [unsubscribe];
  try {
    const present = await get();
    if (isFinal(present.state)) return present;
    if (timeoutMs === 0) return await Promise.race([ended.promise, null]);
    if (timeoutMs !== undefined) {
      const limit = clock.timer(timeoutMs, () => ended.resolve(null));
      closers.push(() => limit.cancel());
    }
    closers.push(
      context.onStop(() => {
        const message = `Cannot wait for instance "${id}": the manager has stopped`;
        const hint = "It continues when the manager starts again";
        ended.reject(new JobError("unavailable", message, { hint }));
      }),
      look({ ...context, get }, (instance) => ended.resolve(instance)),
    );
    return await ended.promise;
  } finally {
    for (const close of closers) close();
    // There may be no listener left to note its changes.
    followers.forget(id);
  }
}

/** Report an instance that another node made final. Returns a function that stops. */
function look(
  { clock, get, hasOthers }: {
    readonly clock: Clock;
    readonly get: () => Promise<Instance>;
    readonly hasOthers: () => boolean;
  },
  report: (instance: Instance) => void,
): () => void {
  let tries = 0;
  let isStopped = false;
  const arm = () => timer.setIn(backoffMs(LOOK, tries++));
  const timer = new LazyTimer(clock, async () => {
    // Other calls report that the store is unavailable; the wait continues.
    const instance = hasOthers() ? await get().catch(() => null) : null;
    if (instance && isFinal(instance.state)) report(instance);
    else if (!isStopped) arm();
  });
  arm();
  return () => {
    isStopped = true;
    timer.cancel();
  };
}

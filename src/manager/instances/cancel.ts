import type { Instance } from "../../core/instance.ts";
import { isFinal } from "../../core/state.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Semaphore } from "./semaphore.ts";
import { ChangedInstances } from "./bulk.ts";
import { noSuchInstance } from "./find_instance.ts";
import { BATCH_MAX, type ClaimKey, type InstanceQuery, type Store } from "../../store/store.ts";

/** How long to wait for running attempts to end. */
const WAIT_MS = 2_000;

/** Parts that {@link cancelInstances} uses. */
export interface CancelContext {
  readonly store: Pick<Store, "cancel" | "get">;
  readonly clock: Clock;
  readonly bulk: Semaphore;
  readonly changed: (instance: Instance, at: number) => void;
  readonly abort: (claims: readonly ClaimKey[]) => void;
  readonly wait: (id: string, timeoutMs: number) => Promise<Instance | null>;
}

/**
 * Cancel unfinished instances that match: a waiting one at once, a running one by aborting it.
 *
 * @returns the canceled instances, after running ones had a moment to end; see
 * {@link ChangedInstances}
 * @throws JobError `not_found` for an unknown id
 */
export async function cancelInstances(
  query: InstanceQuery,
  context: CancelContext,
): Promise<readonly Instance[]> {
  for (const id of query.ids ?? []) await assertExists(id, context.store);
  const canceled = new ChangedInstances();
  for (;;) {
    const limit = query.ids?.length === 1 ? 1 : BATCH_MAX;
    const { value, at } = await context.bulk.run(
      limit,
      () => context.store.cancel({ at: context.clock.now(), query, limit }),
    );
    if (value.length === 0) break;
    for (const instance of value) {
      if (isFinal(instance.state)) context.changed(instance, at);
    }
    context.abort(value.filter((instance) => !isFinal(instance.state)));
    canceled.add(value);
    if (limit === 1) break;
  }
  const { instances } = canceled;
  return await Promise.all(instances.map((instance) => settledOrAsIs(instance, context)));
}

async function assertExists(id: string, store: CancelContext["store"]): Promise<void> {
  if (await store.get(id)) return;
  throw noSuchInstance(id, "cancel");
}

async function settledOrAsIs(instance: Instance, context: CancelContext): Promise<Instance> {
  if (isFinal(instance.state)) return instance;
  return (await context.wait(instance.id, WAIT_MS)) ?? instance;
}

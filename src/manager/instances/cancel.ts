import type { Instance } from "../../core/instance.ts";
import { isFinal } from "../../core/state.ts";
import { BATCH_MAX, type InstanceQuery } from "../../store/store.ts";
import { type BulkParts, ChangedInstances } from "./bulk.ts";
import { noSuchInstance } from "./find_instance.ts";
import { cancelQueries } from "./notice_rules.ts";

/** Time to wait for running attempts to end. */
const WAIT_MS = 2_000;

/** The parts of a manager that a cancel uses. */
interface CancelParts extends BulkParts {
  /** Waits until an instance is final; null if the time passed first. */
  readonly wait: (id: string, timeoutMs: number) => Promise<Instance | null>;
}

/** See {@link InstanceApi.cancelInstances}; a waiting instance is canceled at once. */
export async function cancelInstances(
  query: InstanceQuery,
  mayCancelNotices: boolean,
  parts: CancelParts,
): Promise<readonly Instance[]> {
  const { store, wait } = parts;
  for (const id of query.ids ?? []) {
    if (!await store.get(id)) throw noSuchInstance(id, "cancel");
  }
  const canceled = new ChangedInstances();
  for (const each of await cancelQueries(query, mayCancelNotices, store)) {
    await cancelMatching(each, canceled, parts);
  }
  return await Promise.all(canceled.instances.map(async (instance) => {
    if (isFinal(instance.state)) return instance;
    return await wait(instance.id, WAIT_MS) ?? instance;
  }));
}

async function cancelMatching(
  query: InstanceQuery,
  canceled: ChangedInstances,
  { store, options: { clock }, bulk, events, dispatcher }: CancelParts,
): Promise<void> {
  const limit = query.ids?.length === 1 ? 1 : BATCH_MAX;
  for (;;) {
    const { value, at } = await bulk.run(
      limit,
      () => store.cancel({ at: clock.now(), query, limit }),
    );
    if (value.length === 0) break;
    for (const instance of value) if (isFinal(instance.state)) events.changed(instance, at);
    dispatcher.abort("canceled", value.filter((instance) => !isFinal(instance.state)));
    canceled.add(value);
    if (limit === 1) break;
  }
}

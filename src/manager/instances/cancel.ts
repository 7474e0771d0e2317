import type { Instance } from "../../core/instance.ts";
import { isFinal } from "../../core/state.ts";
import { BATCH_MAX, type InstanceQuery } from "../../store/store.ts";
import { type BulkParts, ChangedInstances } from "./bulk.ts";
import { noSuchInstance } from "./find_instance.ts";
import { cancelQueries } from "./notice_rules.ts";

const OPEN = ["created", "scheduled", "processing"] as const;
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
  const canceling: string[] = [];
  for (const id of query.ids ?? []) {
    const instance = await store.get(id);
    if (!instance) throw noSuchInstance(id, "cancel");
    if (instance.cancelRequestedAt !== null) canceling.push(id);
  }
  const canceled = new ChangedInstances();
  // The second cancel of an instance that takes back its steps, by its id, ends it at once.
  if (canceling.length > 0) {
    await cancelMatching({ ...query, ids: canceling }, canceled, parts, true);
  }
  for (const each of await cancelQueries(query, mayCancelNotices, store)) {
    await cancelMatching(each, canceled, parts);
  }
  await cancelChildren(canceled.instances, parts);
  return await Promise.all(canceled.instances.map(async (instance) => {
    if (isFinal(instance.state)) return instance;
    return await wait(instance.id, WAIT_MS) ?? instance;
  }));
}

async function cancelMatching(
  query: InstanceQuery,
  canceled: ChangedInstances,
  { store, options: { clock }, bulk, events, dispatcher }: CancelParts,
  isForced = false,
): Promise<void> {
  const limit = query.ids?.length === 1 ? 1 : BATCH_MAX;
  for (;;) {
    const { value, at } = await bulk.run(
      limit,
      () => store.cancel({ at: clock.now(), query, limit, isForced }),
    );
    if (value.length === 0) break;
    for (const instance of value) if (isFinal(instance.state)) events.changed(instance, at);
    dispatcher.abort("canceled", value.filter((instance) => !isFinal(instance.state)));
    canceled.add(value);
    if (limit === 1) break;
  }
}

/** Cancel the unfinished children that steps of canceled instances wait for, and theirs. */
async function cancelChildren(
  parents: readonly Instance[],
  parts: CancelParts,
): Promise<void> {
  const children = new ChangedInstances();
  for (const { id, stepsAt, flowId } of parents) {
    if (stepsAt === null && flowId === null) continue;
    let token: string | undefined;
    do {
      const page = { limit: BATCH_MAX, order: "oldest", ...(token ? { token } : {}) } as const;
      const found = await parts.store.list({ parentId: id, states: OPEN }, page);
      const ids = found.items.filter(({ parentStep }) => parentStep !== null)
        .map((child) => child.id);
      if (ids.length > 0) await cancelMatching({ ids }, children, parts);
      token = found.nextToken ?? undefined;
    } while (token !== undefined);
  }
  if (children.instances.length > 0) await cancelChildren(children.instances, parts);
}

import type { Instance } from "../../core/instance.ts";
import type { Store } from "../../store/store.ts";

/** Number of history entries read: the ones before the first attempt, and its start. */
const READ_MAX = 10;

/** When an instance was first due, epoch ms; null if a later attempt has changed it. */
export function knownDueAt(instance: Instance): number | null {
  const { scheduledFor, attempt, state, dueAt } = instance;
  const isFirst = attempt === 0 || (attempt === 1 && state === "processing");
  return scheduledFor ?? (isFirst ? dueAt : null);
}

/** First due time of an instance, epoch ms; if unknown, the start of its first attempt. */
export async function firstDueAt(
  store: Pick<Store, "history">,
  instance: Instance,
): Promise<number> {
  const known = knownDueAt(instance);
  if (known !== null) return known;
  const { items } = await store.history({ instanceId: instance.id }, {
    limit: READ_MAX,
    order: "oldest",
  });
  return items.find(({ state }) => state === "processing")?.at ?? instance.createdAt;
}

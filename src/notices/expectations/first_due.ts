import type { Instance } from "../../core/instance.ts";
import type { Store } from "../../store/store.ts";

/** Entries of the history that are read: those before the first attempt, and its start. */
const READ_MAX = 10;

/** When an instance was first due, epoch ms; null if a later attempt has changed it. */
export function knownDueAt(instance: Instance): number | null {
  const { scheduledFor, attempt, state, dueAt } = instance;
  const isFirst = attempt === 0 || (attempt === 1 && state === "processing");
  return scheduledFor ?? (isFirst ? dueAt : null);
}

/** When an instance was first due, epoch ms. If that is not known, when its first attempt began. */
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

import { quoteValue } from "../../core/arguments/describe.ts";
import { JobError } from "../../core/errors.ts";
import { type Instance, isUuid } from "../../core/instance.ts";
import type { StoreReads } from "../../store/store.ts";

/** A prefix of a UUID, which begins with its time. */
const PREFIX = /^[0-9a-f-]{4,35}$/;
const LISTED_MAX = 5;

/**
 * The instance of a UUID, or of an unambiguous prefix.
 *
 * @throws JobError `not_found`; `invalid_argument` if several ids begin so, or it is not text
 */
export async function findInstance(
  id: string,
  store: Pick<StoreReads, "get" | "list">,
): Promise<Instance> {
  const wanted = readId(id).toLowerCase();
  if (isUuid(wanted)) {
    const instance = await store.get(wanted);
    if (instance) return instance;
  } else if (PREFIX.test(wanted)) {
    const { items, nextToken } = await store.list({ idPrefix: wanted }, { limit: LISTED_MAX });
    // A page of large items may have one item without being the last.
    if (items.length === 1 && nextToken !== null) {
      const page = { limit: LISTED_MAX, token: nextToken };
      const more = await store.list({ idPrefix: wanted }, page);
      if (more.items.length > 0) throw ambiguous(id, [...items, ...more.items]);
    }
    if (items.length === 1) return items[0]!;
    if (items.length > 1) throw ambiguous(id, items);
  }
  throw noSuchInstance(id, "find");
}

/**
 * The error about an unknown instance.
 *
 * @param list what to list in the hint
 */
export function noSuchInstance(id: string, action: string, list = "instances"): JobError {
  return new JobError("not_found", `Cannot ${action} instance "${id}": no such instance`, {
    options: ["id"],
    hint: `List them with: jobctl list ${list}`,
  });
}

// Code without types may pass the instance instead of its id, or nothing.
function readId(id: unknown): string {
  if (typeof id === "string") return id;
  throw new JobError(
    "invalid_argument",
    `Cannot find an instance by ${quoteValue(id)}: not an id`,
    { options: ["id"], hint: "Give the id of the instance as text" },
  );
}

function ambiguous(id: string, items: readonly Instance[]): JobError {
  return new JobError(
    "invalid_argument",
    `Cannot find instance "${id}": the prefix matches several`,
    {
      options: ["id"],
      hint: `Add more characters; it matches ${items.map((item) => item.id).join(", ")}`,
    },
  );
}

import type { JobState } from "../../core/state.ts";
import { BATCH_MAX, type InstanceQuery, type StoreReads } from "../../store/store.ts";
import { countUpTo } from "./count_up_to.ts";
import { cancelQueries } from "./notice_rules.ts";
import type { BulkAction, LimitedCount } from "../api/instances.ts";

type Reads = Pick<StoreReads, "get" | "list" | "stats" | "countSpans">;

const UNFINISHED: readonly JobState[] = ["created", "scheduled", "processing"];

/**
 * Count the instances that an action would change, up to a number. It follows the rules of the
 * action: a cancel skips finished instances, instances already being canceled, and unnamed notices;
 * a redrive skips all but dead letters of this node's jobs.
 */
export async function countAffected(
  store: Reads,
  query: InstanceQuery,
  { action, max, ownKinds }: {
    readonly action: BulkAction;
    readonly max: number;
    readonly ownKinds: () => Promise<readonly string[]>;
  },
): Promise<LimitedCount> {
  const queries = action === "cancel"
    ? await cancelable(query, store)
    : redrivable(query, await ownKinds());
  let [count, hasMore] = [0, false];
  for (const each of queries) {
    const found = each.states?.includes("processing") === true
      ? await countUnmarked(store, each, max)
      : await countUpTo(store, each, max);
    count += found.count;
    hasMore ||= found.hasMore;
    if (count > max) return { count: max, hasMore: true };
  }
  return { count, hasMore };
}

/** The queries of a cancel; running instances have a separate query, since each is inspected. */
async function cancelable(query: InstanceQuery, store: Reads): Promise<readonly InstanceQuery[]> {
  const wanted = UNFINISHED.filter((state) => query.states?.includes(state) ?? true);
  const running = wanted.filter((state) => state === "processing");
  const waiting = wanted.filter((state) => state !== "processing");
  const parts = await cancelQueries(query, true, store);
  return [waiting, running].filter(({ length }) => length > 0)
    .flatMap((states) => parts.map((part) => ({ ...part, states })));
}

function redrivable(query: InstanceQuery, own: readonly string[]): readonly InstanceQuery[] {
  const kinds = own.filter((kind) => query.kinds?.includes(kind) ?? true);
  const parts: InstanceQuery[] = [];
  for (let from = 0; from < kinds.length; from += BATCH_MAX) {
    parts.push({ ...query, kinds: kinds.slice(from, from + BATCH_MAX), isDead: true });
  }
  return parts;
}

/** Count running instances whose cancel has not been requested yet. */
async function countUnmarked(
  store: Reads,
  query: InstanceQuery,
  max: number,
): Promise<LimitedCount> {
  let count = 0;
  let token: string | undefined;
  do {
    const page = await store.list(query, { limit: BATCH_MAX, token });
    count += page.items.filter(({ cancelRequestedAt }) => cancelRequestedAt === null).length;
    token = page.nextToken ?? undefined;
    if (count > max) return { count: max, hasMore: true };
  } while (token !== undefined);
  return { count, hasMore: false };
}

// Apart: shared by the cases of memos and of news.
import type { Instance } from "../../core/instance.ts";
import { type Memo, type News, NEWS_KIND, type PutMemo, type Store } from "../../store/store.ts";
import { START, type StoreWorld } from "./store_world.ts";

/** Write a memo that nobody has, unless given otherwise. */
export async function put(
  world: StoreWorld,
  given: Partial<PutMemo> & Pick<PutMemo, "key">,
  store = world.store,
) {
  const value = { watch: "failures", data: "{}" } as const;
  const rest = { expectedVersion: null, value, isProcessed: false, instances: [] };
  return (await store.putMemo({ at: world.at, ...rest, ...given })).value;
}

/** The memo with a key, or null. */
export async function memoOf(store: Store, key: string): Promise<Memo | null> {
  const [memo] = await store.listMemos({ prefix: key, after: null, limit: 1 });
  return memo?.key === key ? memo : null;
}

/** The keys of memos with a prefix. */
export async function keysOf(
  world: StoreWorld,
  prefix: string,
  after: string | null = null,
  limit = 100,
): Promise<readonly string[]> {
  return (await world.store.listMemos({ prefix, after, limit })).map(({ key }) => key);
}

/** Request news of jobs, like a node does. */
export async function watch(world: StoreWorld, node = "n1"): Promise<void> {
  await put(world, { key: `watcher:${node}` });
}

/** News without an instance, unless given otherwise. */
export function newsOf(id: string, given: Partial<News> = {}): News {
  return { id, event: "late", at: START, instanceId: null, detail: null, ...given };
}

/** Add news to a memo. @returns number of new ones */
export async function addNews(
  world: StoreWorld,
  key: string,
  news: readonly News[],
  noticeId = world.newId(),
): Promise<number> {
  return (await world.store.addNews({ at: world.at, key, news, noticeId })).value;
}

/** The instances that process news, oldest first. */
export async function notices(world: StoreWorld): Promise<readonly Instance[]> {
  const query = { kinds: [NEWS_KIND] };
  return (await world.store.list(query, { limit: 100, order: "oldest" })).items;
}

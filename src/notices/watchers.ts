import { NODE_KEPT_MS, WATCHER_MEMO } from "../store/store.ts";
import { memosOf, readMemo, tryPutMemo } from "./context/memos.ts";
import type { NoticeContext } from "./context/notice_context.ts";

/** Most times that a memo is written again because another node changed it meanwhile. */
const TRIES_MAX = 20;

type WatcherContext = Pick<NoticeContext, "store" | "clock" | "node">;

/** Record in the store whether this node requests news. Call it once the node has joined. */
export async function recordWatcher(isWanted: boolean, context: WatcherContext): Promise<void> {
  const key = WATCHER_MEMO + context.node;
  for (let tries = 1; tries <= TRIES_MAX; tries++) {
    const memo = await readMemo(key, context);
    if (memo === null && !isWanted) return;
    // Rewritten if present: another node may be about to remove it, which then fails.
    if (await putWatcher(key, { version: memo?.version ?? null, isWanted }, context)) return;
  }
}

/**
 * Forget nodes whose requests for news ended over an hour ago, like the store forgets nodes. Only a
 * node that requests news does so: until then news are recorded for returning nodes, too.
 */
export async function forgetWatchers(context: WatcherContext): Promise<void> {
  const { store, clock, node } = context;
  const others: { readonly key: string; readonly version: number }[] = [];
  for await (const { key, version } of memosOf(WATCHER_MEMO, context)) {
    if (key !== WATCHER_MEMO + node) others.push({ key, version });
  }
  if (others.length === 0) return;
  // Read after the memos: a node joins before it asks for news.
  const at = clock.now();
  // A newly loaded replica lists nodes as if they had just ended.
  const nodes = (await store.listNodes({ at }))
    .filter(({ seenAt }) => seenAt + NODE_KEPT_MS > at.wallMs);
  const known = new Set(nodes.map(({ id }) => id));
  for (const { key, version } of others) {
    if (known.has(key.slice(WATCHER_MEMO.length))) continue;
    await putWatcher(key, { version, isWanted: false }, context);
  }
}

/** @returns false if another node has changed the memo since it was read */
function putWatcher(
  key: string,
  { version, isWanted }: { readonly version: number | null; readonly isWanted: boolean },
  { store, clock }: WatcherContext,
): Promise<boolean> {
  return tryPutMemo({
    at: clock.now(),
    key,
    expectedVersion: version,
    isProcessed: true,
    value: isWanted ? { watch: "failures", data: "{}" } : null,
    instances: [],
  }, { store });
}

import { isJobError } from "../../core/errors.ts";
import type { Memo, PutMemo, Store } from "../../store/store.ts";

/** Start of the keys of silences; the kind follows, or nothing for everything. */
export const SILENCE_MEMO = "silence:";

/** Memos read at once. */
const PAGE = 500;

/** The memo of a key; null if missing. */
export async function readMemo(
  key: string,
  { store }: { readonly store: Pick<Store, "listMemos"> },
): Promise<Memo | null> {
  // A key sorts before its extensions.
  const [memo] = await store.listMemos({ prefix: key, after: null, limit: 1 });
  return memo?.key === key ? memo : null;
}

/** Memos whose keys begin with a prefix, in order, read page by page. */
export async function* memosOf(
  prefix: string,
  { store }: { readonly store: Pick<Store, "listMemos"> },
): AsyncGenerator<Memo> {
  for (let after: string | null = null;;) {
    const page: readonly Memo[] = await store.listMemos({ prefix, after, limit: PAGE });
    yield* page;
    if (page.length < PAGE) return;
    after = page.at(-1)!.key;
  }
}

/** Write a memo. @returns false if it was changed since it was read */
export async function tryPutMemo(
  request: PutMemo,
  { store }: { readonly store: Pick<Store, "putMemo"> },
): Promise<boolean> {
  try {
    await store.putMemo(request);
    return true;
  } catch (error) {
    if (isJobError(error, "conflict")) return false;
    throw error;
  }
}

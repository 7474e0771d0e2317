import type { Memo, Store } from "../store/store.ts";

/** The memo of a key; null if there is none. */
export async function readMemo(
  key: string,
  { store }: { readonly store: Pick<Store, "listMemos"> },
): Promise<Memo | null> {
  // A key comes before those that it begins.
  const [memo] = await store.listMemos({ prefix: key, after: null, limit: 1 });
  return memo?.key === key ? memo : null;
}

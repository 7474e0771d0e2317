import type { MemoRange, MemoTable } from "../ledger/tables/tables.ts";
import { compareText, placeOfText } from "../records.ts";
import type { Memo, MemoWatch } from "../store.ts";
import type { Changed } from "./changed.ts";

/** Memos by key. */
export class MemoryMemos implements MemoTable {
  readonly #memos = new Map<string, Memo>();
  /** In their order. */
  readonly #keys: string[] = [];
  readonly #changed: Changed<string, Memo> | undefined;

  constructor(changed?: Changed<string, Memo>) {
    this.#changed = changed;
  }

  get(key: string): Memo | null {
    return this.#memos.get(key) ?? null;
  }

  list({ prefix, after, limit }: MemoRange): readonly Memo[] {
    const isAfter = after !== null && compareText(after, prefix) >= 0;
    let place = placeOfText(this.#keys, isAfter ? after : prefix);
    if (isAfter && this.#keys[place] === after) place += 1;
    const found: Memo[] = [];
    for (; found.length < limit; place++) {
      const key = this.#keys[place];
      if (key === undefined || !key.startsWith(prefix)) break;
      found.push(this.#memos.get(key)!);
    }
    return found;
  }

  save(memo: Memo): void {
    const { key } = memo;
    const before = this.#memos.get(key);
    if (!before) this.#keys.splice(placeOfText(this.#keys, key), 0, key);
    this.#memos.set(key, memo);
    this.#changed?.(key, memo, () => {
      if (before) this.save(before);
      else this.remove(key);
    });
  }

  remove(key: string): void {
    const before = this.#memos.get(key);
    if (!before) return;
    this.#memos.delete(key);
    this.#keys.splice(placeOfText(this.#keys, key), 1);
    this.#changed?.(key, null, () => this.save(before));
  }

  watches(): ReadonlyMap<string, MemoWatch> {
    const watches = new Map<string, MemoWatch>();
    for (const { key, watch } of this.#memos.values()) {
      if (watch !== "failures") watches.set(key, watch);
    }
    return watches;
  }
}

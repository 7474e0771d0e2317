import type { MemoRange, MemoTable } from "../ledger/tables/tables.ts";
import { compareText } from "../records.ts";
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
    let place = this.#placeOf(isAfter ? after : prefix);
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
    if (!before) this.#keys.splice(this.#placeOf(key), 0, key);
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
    this.#keys.splice(this.#placeOf(key), 1);
    this.#changed?.(key, null, () => this.save(before));
  }

  watches(): ReadonlyMap<string, MemoWatch> {
    const watches = new Map<string, MemoWatch>();
    for (const { key, watch } of this.#memos.values()) {
      if (watch !== "failures") watches.set(key, watch);
    }
    return watches;
  }

  /** The place of a key, or the one that it would have. */
  #placeOf(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareText(this.#keys[middle]!, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Most entries of one block; a fuller one is split. */
const BLOCK_LENGTH_MAX = 512;

/** A key of three numbers, compared from the first to the last. */
export type Key = readonly [number, number, number];

/** A key before every other one. */
export const LOWEST: Key = [-Infinity, -Infinity, -Infinity];

/** Negative when `left` comes before `right`. */
function compareKeys(left: Key, right: Key): number {
  return left[0] - right[0] || left[1] - right[1] || left[2] - right[2];
}

/** A sorted set of keys in blocks: adding, deleting and seeking cost the logarithm of its size. */
export class SortedKeys {
  readonly #blocks: Key[][] = [];

  add(key: Key): void {
    if (this.#blocks.length === 0) {
      this.#blocks.push([key]);
      return;
    }
    const index = Math.min(this.#blockOf(key), this.#blocks.length - 1);
    const block = this.#blocks[index]!;
    if (compareKeys(block.at(-1)!, key) < 0) block.push(key);
    else block.splice(placeOf(block, key), 0, key);
    if (block.length <= BLOCK_LENGTH_MAX) return;
    // A full last block is most likely growing at its end: leave it full.
    const cut = index === this.#blocks.length - 1 ? BLOCK_LENGTH_MAX : block.length >> 1;
    this.#blocks.splice(index + 1, 0, block.splice(cut));
  }

  /** Delete a key, if it is there. */
  delete(key: Key): void {
    const index = this.#blockOf(key);
    const block = this.#blocks[index];
    if (!block) return;
    const place = placeOf(block, key);
    if (place === block.length || compareKeys(block[place]!, key) !== 0) return;
    if (place === 0) block.shift();
    else block.splice(place, 1);
    if (block.length === 0) this.#blocks.splice(index, 1);
  }

  /** The number of keys before `key`; the cost grows with the number of blocks. */
  countBefore(key: Key): number {
    const index = this.#blockOf(key);
    let count = 0;
    for (let before = 0; before < index; before++) count += this.#blocks[before]!.length;
    const block = this.#blocks[index];
    return block ? count + placeOf(block, key) : count;
  }

  first(): Key | undefined {
    return this.#blocks[0]?.[0];
  }

  /** Keys at or after `from`, ascending; or at or before it, descending. */
  *walk(from: Key, isReverse: boolean): Generator<Key> {
    let index = this.#blockOf(from);
    if (!isReverse) {
      let block = this.#blocks[index];
      let place = block ? placeOf(block, from) : 0;
      while (block) {
        for (; place < block.length; place++) yield block[place]!;
        block = this.#blocks[++index];
        place = 0;
      }
      return;
    }
    if (index === this.#blocks.length) index -= 1;
    let block = this.#blocks[index];
    if (!block) return;
    let place = placeOf(block, from);
    if (place === block.length || compareKeys(block[place]!, from) > 0) place -= 1;
    while (block) {
      for (; place >= 0; place--) yield block[place]!;
      block = this.#blocks[--index];
      place = (block?.length ?? 0) - 1;
    }
  }

  /** The first block whose last key is at or after `key`. */
  #blockOf(key: Key): number {
    let low = 0;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareKeys(this.#blocks[middle]!.at(-1)!, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Sorted sets by name; an empty one is deleted. */
export class KeyFamily<Name> {
  readonly #sets = new Map<Name, SortedKeys>();

  get(name: Name): SortedKeys | undefined {
    return this.#sets.get(name);
  }

  [Symbol.iterator](): MapIterator<[Name, SortedKeys]> {
    return this.#sets.entries();
  }

  add(name: Name, key: Key): void {
    let set = this.#sets.get(name);
    if (!set) this.#sets.set(name, set = new SortedKeys());
    set.add(key);
  }

  delete(name: Name, key: Key): void {
    const set = this.#sets.get(name);
    if (!set) return;
    set.delete(key);
    if (!set.first()) this.#sets.delete(name);
  }
}

/** The first place in a block whose key is at or after `key`. */
function placeOf(block: readonly Key[], key: Key): number {
  let low = 0;
  let high = block.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareKeys(block[middle]!, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

import type { LogEntry, LogLevel } from "../../core/instance.ts";

/** A line that is not decoded yet: most lines of a flood never are. */
export interface RawLine<Text = string | Uint8Array> {
  readonly at: number;
  readonly level: LogLevel;
  readonly source: LogEntry["source"];
  readonly text: Text;
}

type Origin = Pick<RawLine, "level" | "source">;

/** Most lines and bytes of a block; a longer line fills a block alone. */
const BLOCK_LINES = 1_024;
const BLOCK_BYTES = 65_536;
/** Initial bytes of a block. */
const FIRST_BYTES = 4_096;

interface Block {
  bytes: Uint8Array;
  count: number;
  /** End offset of each line in `bytes`. */
  readonly ends: Uint32Array;
  readonly ats: Float64Array;
  /** Index of each line's origin. */
  readonly origins: Uint8Array;
}

const encoder = new TextEncoder();

/**
 * A queue of lines. There may be a million: in blocks, each takes 13 bytes and its text, where an
 * object for each would take 200.
 */
export class LineQueue {
  readonly #blocks: Block[] = [];
  /** Distinct levels and sources of lines, which are few. */
  readonly #origins: Origin[] = [];
  /** Number of lines dropped from the first block. */
  #dropped = 0;
  #length = 0;
  #bytes = 0;

  get length(): number {
    return this.#length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push({ at, level, source, text }: RawLine): void {
    const bytes = typeof text === "string" ? encoder.encode(text) : text;
    const block = this.#blockFor(bytes.length);
    const from = startOf(block, block.count);
    block.bytes.set(bytes, from);
    block.ends[block.count] = from + bytes.length;
    block.ats[block.count] = at;
    block.origins[block.count] = this.#originOf({ level, source });
    block.count += 1;
    this.#length += 1;
    this.#bytes += bytes.length;
  }

  /** Drop the first line. @returns the bytes of its text */
  drop(): number {
    const [block] = this.#blocks;
    const bytes = block!.ends[this.#dropped]! - startOf(block!, this.#dropped);
    this.#dropped += 1;
    this.#length -= 1;
    this.#bytes -= bytes;
    if (this.#dropped === block!.count) {
      this.#blocks.shift();
      this.#dropped = 0;
    }
    return bytes;
  }

  *[Symbol.iterator](): Iterator<RawLine<Uint8Array>> {
    let index = this.#dropped;
    for (const block of this.#blocks) {
      for (; index < block.count; index++) {
        yield {
          ...this.#origins[block.origins[index]!]!,
          at: block.ats[index]!,
          text: block.bytes.subarray(startOf(block, index), block.ends[index]),
        };
      }
      index = 0;
    }
  }

  /** The last block if it has room for a text; otherwise a new one. */
  #blockFor(bytes: number): Block {
    const last = this.#blocks.at(-1);
    const used = last === undefined ? 0 : startOf(last, last.count);
    const hasRoom = last !== undefined && last.count < BLOCK_LINES && used + bytes <= BLOCK_BYTES;
    if (!hasRoom) return this.#begin(bytes);
    if (used + bytes > last.bytes.length) {
      const grown = new Uint8Array(Math.min(BLOCK_BYTES, 2 * (used + bytes)));
      grown.set(last.bytes.subarray(0, used));
      last.bytes = grown;
    }
    return last;
  }

  #begin(bytes: number): Block {
    const block = {
      bytes: new Uint8Array(Math.max(FIRST_BYTES, bytes)),
      count: 0,
      ends: new Uint32Array(BLOCK_LINES),
      ats: new Float64Array(BLOCK_LINES),
      origins: new Uint8Array(BLOCK_LINES),
    };
    this.#blocks.push(block);
    return block;
  }

  #originOf({ level, source }: Origin): number {
    const known = this.#origins.findIndex((each) => each.level === level && each.source === source);
    return known < 0 ? this.#origins.push({ level, source }) - 1 : known;
  }
}

/** Start of the line with an index, which is the end of the line before it. */
function startOf(block: Block, index: number): number {
  return index === 0 ? 0 : block.ends[index - 1]!;
}

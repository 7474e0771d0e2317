import type { MediumPair } from "../replica/medium.ts";
import { deleteOf, type Operation, putOf } from "./keys.ts";
import type { KeyValue } from "./gen/kv_pb.ts";
import { type Layout, PIECE_BYTES_MAX, textOf } from "./layout.ts";

/** An operation with its approximate size. */
export interface SizedOperation {
  readonly operation: Operation;
  readonly bytes: number;
}

/** Bytes of an operation in a request, without key and value. */
const OVERHEAD_BYTES = 32;
const COUNT_BYTES = 2;

/**
 * The operations that write a row; null deletes it. A value of more than
 * {@link PIECE_BYTES_MAX} bytes is cut into pieces; the first contains their number. Further
 * pieces, of an earlier larger value, are skipped.
 */
export function operationsOf(
  layout: Layout,
  rowKey: string,
  value: string | null,
): readonly SizedOperation[] {
  if (value === null) {
    const range = layout.piecesOf(rowKey);
    return [{ operation: deleteOf(range), bytes: 2 * range.key.length + OVERHEAD_BYTES }];
  }
  const bytes = Buffer.from(value, "utf8");
  const count = Math.max(1, Math.ceil(bytes.length / PIECE_BYTES_MAX));
  return Array.from({ length: count }, (_, number) => {
    const key = layout.pieceKey(rowKey, number);
    const piece = bytes.subarray(number * PIECE_BYTES_MAX, (number + 1) * PIECE_BYTES_MAX);
    const content = number === 0 ? Buffer.concat([countBytes(count), piece]) : piece;
    const size = key.length + content.length + OVERHEAD_BYTES;
    return { operation: putOf(key, content), bytes: size };
  });
}

/** Assembles rows from their pieces, which come in the order of their keys. */
export class PieceReader {
  readonly #layout: Layout;
  #rowKey = "";
  #pieces: Uint8Array[] = [];
  #wanted = 0;

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  /** The rows that these pieces complete. */
  take(kvs: readonly KeyValue[]): MediumPair[] {
    const pairs: MediumPair[] = [];
    for (const { key, value } of kvs) {
      const { rowKey, number } = this.#layout.pieceOf(key);
      if (number === 0) {
        this.#rowKey = rowKey;
        this.#wanted = value[0]! * 256 + value[1]!;
        this.#pieces = [value.subarray(COUNT_BYTES)];
      } else if (rowKey === this.#rowKey && number === this.#pieces.length) {
        this.#pieces.push(value);
      } else {
        continue;
      }
      if (this.#pieces.length === this.#wanted) {
        const whole = this.#wanted === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces);
        pairs.push([rowKey, textOf(whole)]);
        // Further pieces belong to an earlier value.
        this.#rowKey = "";
      }
    }
    return pairs;
  }
}

function countBytes(count: number): Buffer {
  return Buffer.from([count >> 8, count & 255]);
}

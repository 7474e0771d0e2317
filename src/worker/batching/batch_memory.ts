import { Buffer } from "node:buffer";
import { MEMORY_BYTES } from "../../platform/process/shared_memory.ts";

/** Most attempts of one batch. */
export const BATCH_MAX = 32;

/** Index of the 32-bit cell with the end of the written results. */
const WRITTEN = 0;
/** Index of the first attempt's 32-bit cell. */
const CELLS = 16;
/** Offset of the results: behind a page of cells. */
const RESULTS_AT = 4_096;
/** Size of the length before each result. */
const LENGTH_BYTES = 4;

/** Values of an attempt's cell. */
const WAITING = 0;
const BEGUN = 1;
const TAKEN_BACK = 2;

/**
 * The memory that daemon and worker share about a batch: which of its attempts have begun, and the
 * results of all but the last. So the daemon can take back unstarted attempts while the worker is
 * busy, and no result is lost when a worker dies.
 */
export class BatchMemory {
  readonly #buffer: ArrayBuffer;
  /** The whole memory in cells of 32 bits. */
  readonly #cells: Int32Array<ArrayBuffer>;
  #readAt = RESULTS_AT;
  #writtenAt = RESULTS_AT;
  /** Offset of the last result if it was written but not published yet. */
  #publishedAt = RESULTS_AT;

  constructor(buffer: ArrayBuffer) {
    this.#buffer = buffer;
    this.#cells = new Int32Array(buffer);
  }

  /** Prepare a new, unstarted batch. Only while the worker is idle. */
  reset(): void {
    this.#cells.fill(WAITING, CELLS, CELLS + BATCH_MAX);
    Atomics.store(this.#cells, WRITTEN, RESULTS_AT);
    this.#readAt = RESULTS_AT;
  }

  /** The worker's side of a new batch. */
  enter(): void {
    this.#writtenAt = this.#publishedAt = RESULTS_AT;
  }

  /** Begin the attempt at a position; false if it was taken back. */
  begin(position: number): boolean {
    return Atomics.compareExchange(this.#cells, CELLS + position, WAITING, BEGUN) === WAITING;
  }

  /** Take back the attempt at a position; false if it has begun. */
  takeBack(position: number): boolean {
    return Atomics.compareExchange(this.#cells, CELLS + position, WAITING, TAKEN_BACK) === WAITING;
  }

  /**
   * Write a result, invisible until {@link publish}; false if there is no room. Replaces an
   * unpublished one.
   */
  write(message: object): boolean {
    const text = JSON.stringify(message);
    const length = Buffer.byteLength(text);
    const at = this.#publishedAt + LENGTH_BYTES;
    const end = at + padded(length);
    if (end > MEMORY_BYTES) return false;
    this.#cells[this.#publishedAt / 4] = length;
    Buffer.from(this.#buffer, at, length).write(text);
    this.#writtenAt = end;
    return true;
  }

  /** Let the daemon read the result that was written last. */
  publish(): void {
    this.#publishedAt = this.#writtenAt;
    Atomics.store(this.#cells, WRITTEN, this.#publishedAt);
  }

  /** The results published since the last call, in order. An unreadable one is null and last. */
  read(): unknown[] {
    const end = Atomics.load(this.#cells, WRITTEN);
    const found: unknown[] = [];
    if (end < this.#readAt || end > MEMORY_BYTES) return [null];
    while (this.#readAt < end) {
      const at = this.#readAt + LENGTH_BYTES;
      const length = this.#cells[this.#readAt / 4]!;
      if (length <= 0 || at + length > end) return [...found, null];
      this.#readAt = at + padded(length);
      try {
        found.push(JSON.parse(Buffer.from(this.#buffer, at, length).toString()));
      } catch {
        // Job code can write here.
        return [...found, null];
      }
    }
    return found;
  }
}

/** Each result begins at a cell. */
function padded(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}

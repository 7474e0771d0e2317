import { Buffer } from "node:buffer";

/** Attempts of one batch at most. */
export const BATCH_MAX = 32;
/** Size of the memory of one worker: a page of cells, then room for results. */
export const MEMORY_BYTES = 65_536;

/** Index, in 32 bits, of how far the results are written. */
const WRITTEN = 0;
/** Index of the first attempt's cell. */
const CELLS = 16;
const RESULTS_AT = 4_096;
/** Of the length that stands before each result. */
const LENGTH_BYTES = 4;

/** What a cell holds. */
const WAITING = 0;
const BEGUN = 1;
const TAKEN_BACK = 2;

/**
 * What daemon and worker both see of a batch: which of its attempts have begun, and what those before the last have come to. So the
 * daemon can take back what has not begun, whatever the worker does at that moment, and a worker that dies takes no result
 * along.
 */
export class BatchMemory {
  readonly #buffer: ArrayBuffer;
  /** All of it in 32 bits each. */
  readonly #cells: Int32Array<ArrayBuffer>;
  #readAt = RESULTS_AT;
  #writtenAt = RESULTS_AT;
  /** Where the result begins that was written last and is not shown. */
  #shownAt = RESULTS_AT;

  constructor(buffer: ArrayBuffer) {
    this.#buffer = buffer;
    this.#cells = new Int32Array(buffer);
  }

  /** A new batch: nothing of it has begun. Only while the worker is idle. */
  reset(): void {
    this.#cells.fill(WAITING, CELLS, CELLS + BATCH_MAX);
    Atomics.store(this.#cells, WRITTEN, RESULTS_AT);
    this.#readAt = RESULTS_AT;
  }

  /** The worker's side of a new batch. */
  enter(): void {
    this.#writtenAt = this.#shownAt = RESULTS_AT;
  }

  /** Begin the attempt at a position; false when it was taken back. */
  begin(position: number): boolean {
    return Atomics.compareExchange(this.#cells, CELLS + position, WAITING, BEGUN) === WAITING;
  }

  /** Keep the attempt at a position from beginning; false when it has begun. */
  takeBack(position: number): boolean {
    return Atomics.compareExchange(this.#cells, CELLS + position, WAITING, TAKEN_BACK) === WAITING;
  }

  /** Write a result that nobody sees before {@link show}; false when there is no room. It takes the place of one not shown. */
  write(message: object): boolean {
    const text = JSON.stringify(message);
    const length = Buffer.byteLength(text);
    const at = this.#shownAt + LENGTH_BYTES;
    const end = at + padded(length);
    if (end > MEMORY_BYTES) return false;
    this.#cells[this.#shownAt / 4] = length;
    Buffer.from(this.#buffer, at, length).write(text);
    this.#writtenAt = end;
    return true;
  }

  /** Show the result that was written last. */
  show(): void {
    this.#shownAt = this.#writtenAt;
    Atomics.store(this.#cells, WRITTEN, this.#shownAt);
  }

  /** The results that were shown since the last look, as they came; null for what is none, behind which nothing is read. */
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

/** Each result begins where 32 bits do. */
function padded(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}

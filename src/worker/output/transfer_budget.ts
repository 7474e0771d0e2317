import type { Clock } from "../../platform/clock.ts";
import { releaseMemory } from "../../platform/process/memory.ts";

/** Length of a window, which allows {@link WORK_MS_MAX} of work on data. */
const WINDOW_MS = 100;
/** A quarter of a processor: the rest is for schedules, claims and everything else. */
const WORK_MS_MAX = 25;
/** Bytes per window, 80 MiB a second: each piece takes memory until it is collected. */
const BYTES_MAX = 8 * 1_048_576;

/** Bytes after which their memory is released: the garbage collector does not see most of it. */
const RELEASE_BYTES = 8 * 1_048_576;

/**
 * Limits the daemon's transfers for all workers together, in time and in bytes: their output, or
 * the answers to their calls. Both count, because a megabyte of empty lines is a million lines, and
 * a gigabyte without lines is quickly passed over.
 */
export class TransferBudget {
  readonly #clock: Clock;
  #windowMs = -Infinity;
  #workMs = 0;
  #bytes = 0;
  readonly #release: () => void;
  #unreleasedBytes = 0;

  /** @param release releases the memory of transferred data */
  constructor(clock: Clock, release: () => void = releaseMemory) {
    this.#clock = clock;
    this.#release = release;
  }

  /**
   * Count work on a piece of data.
   *
   * @param sinceMs start of the work, monotonic ms
   * @param bytes size of the data
   * @returns necessary pause of its worker, in ms; may be 0
   */
  spend(sinceMs: number, bytes: number): number {
    this.#unreleasedBytes += bytes;
    if (this.#unreleasedBytes >= RELEASE_BYTES) {
      this.#unreleasedBytes = 0;
      this.#release();
    }
    const nowMs = this.#clock.now().monotonicMs;
    if (nowMs - this.#windowMs >= WINDOW_MS) {
      this.#windowMs = sinceMs;
      this.#workMs = 0;
      this.#bytes = 0;
    }
    this.#workMs += nowMs - sinceMs;
    this.#bytes += bytes;
    if (this.#workMs < WORK_MS_MAX && this.#bytes <= BYTES_MAX) return 0;
    // Work longer than a window is made up for over several windows.
    const workMs = Math.max(WORK_MS_MAX, this.#workMs);
    return Math.max(1, this.#windowMs + workMs * (WINDOW_MS / WORK_MS_MAX) - nowMs);
  }
}

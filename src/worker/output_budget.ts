import type { Clock } from "../platform/clock.ts";

/** Time in which output may be worked on for {@link WORK_MS_MAX}. */
const WINDOW_MS = 100;
/** A quarter of a processor: the rest is for schedules, claims and everything else. */
const WORK_MS_MAX = 25;

/**
 * Limits the total time spent on the output of all workers, however short its lines are: a megabyte
 * of empty lines is a million lines.
 */
export class OutputBudget {
  readonly #clock: Clock;
  #windowMs = -Infinity;
  #workMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Count work on output.
   *
   * @param sinceMs when it began, monotonic ms
   * @returns how long its source must pause now, in ms; 0 for not at all
   */
  spend(sinceMs: number): number {
    const nowMs = this.#clock.now().monotonicMs;
    if (nowMs - this.#windowMs >= WINDOW_MS) {
      this.#windowMs = sinceMs;
      this.#workMs = 0;
    }
    this.#workMs += nowMs - sinceMs;
    if (this.#workMs < WORK_MS_MAX) return 0;
    // Work longer than a window is made up for over several windows.
    return Math.max(1, this.#windowMs + this.#workMs * (WINDOW_MS / WORK_MS_MAX) - nowMs);
  }
}

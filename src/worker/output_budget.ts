import type { Clock } from "../platform/clock.ts";

/** Time in which output may be worked on for {@link WORK_MS_MAX}. */
const WINDOW_MS = 100;
/** A quarter of a processor: the rest is for schedules, claims and everybody else. */
const WORK_MS_MAX = 25;

/**
 * Bounds the time that the output of all workers together takes, however short its lines are: a megabyte of empty lines is a
 * million lines.
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
   * @param sinceMs monotonic ms at which it began
   * @returns how long who made it must rest now, in ms; 0 for not at all
   */
  spend(sinceMs: number): number {
    const nowMs = this.#clock.now().monotonicMs;
    if (nowMs - this.#windowMs >= WINDOW_MS) {
      this.#windowMs = sinceMs;
      this.#workMs = 0;
    }
    this.#workMs += nowMs - sinceMs;
    if (this.#workMs < WORK_MS_MAX) return 0;
    // Work of more than a window is made up for in as many of them.
    return Math.max(1, this.#windowMs + this.#workMs * (WINDOW_MS / WORK_MS_MAX) - nowMs);
  }
}

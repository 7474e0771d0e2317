import type { Clock, Instant, Timer, TimerOptions } from "../../platform/clock.ts";

/**
 * The clock of a node, which tells the store's time when its own is for certain further from it than is allowed. Without it a
 * node that is an hour ahead would let a retry, a delay or what it gives back at its end wait for an hour.
 */
export class StoreTime implements Clock {
  readonly #clock: Clock;
  readonly #maxSkewMs: number;
  #aheadMs = 0;

  /** @param maxSkewMs a difference up to this is left as it is */
  constructor(clock: Clock, maxSkewMs: number) {
    this.#clock = clock;
    this.#maxSkewMs = maxSkewMs;
  }

  /**
   * The store told how far the clock was ahead of its own when it worked on what was asked.
   *
   * @param skewMs as told, counted from when it was asked; null when the store has no clock of its own
   * @param tookMs how long the answer took: the difference may be greater by as much
   */
  told(skewMs: number | null, tookMs: number): void {
    const isOff = skewMs !== null &&
      (skewMs > this.#maxSkewMs || skewMs + tookMs < -this.#maxSkewMs);
    this.#aheadMs = isOff ? Math.round(skewMs + tookMs / 2) : 0;
  }

  now(): Instant {
    const { wallMs, monotonicMs } = this.#clock.now();
    return { wallMs: wallMs - this.#aheadMs, monotonicMs };
  }

  timer(delayMs: number, callback: () => void, options?: TimerOptions): Timer {
    return this.#clock.timer(delayMs, callback, options);
  }

  defer(callback: () => void): void {
    this.#clock.defer(callback);
  }
}

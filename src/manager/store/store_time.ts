import type { Clock, Instant, Timer, TimerOptions } from "../../platform/clock.ts";

/**
 * The clock of a node. If it certainly differs too much from the store's, it shows the store's
 * time. Otherwise a node that is an hour ahead would delay retries, delayed instances and releases
 * by an hour.
 */
export class StoreTime implements Clock {
  readonly #clock: Clock;
  readonly #maxSkewMs: number;
  #aheadMs = 0;

  /** @param maxSkewMs a difference up to this is ignored */
  constructor(clock: Clock, maxSkewMs: number) {
    this.#clock = clock;
    this.#maxSkewMs = maxSkewMs;
  }

  /**
   * Note the distance by which the clock is ahead of the store's.
   *
   * @param skewMs by the time of the request; null if the store has no clock
   * @param tookMs duration of the response: the difference may be greater by this
   */
  noteSkew(skewMs: number | null, tookMs: number): void {
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

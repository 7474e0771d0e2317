import type { Clock } from "../platform/clock.ts";

/** Shortest time between two runs, in milliseconds. */
const INTERVAL_MS = 100;

/**
 * Computes something at most ten times a second, however often it is requested. Every request gets
 * a result that was computed after the request.
 */
export class Paced<T> {
  readonly #clock: Clock;
  readonly #compute: () => Promise<T>;
  #next: Promise<T> | null = null;
  #begunMs = -Infinity;

  constructor(clock: Clock, compute: () => Promise<T>) {
    this.#clock = clock;
    this.#compute = compute;
  }

  /** @throws whatever the computation throws */
  get(): Promise<T> {
    return this.#next ??= this.#turn().then(() => {
      this.#next = null;
      this.#begunMs = this.#clock.now().monotonicMs;
      return this.#compute();
    });
  }

  async #turn(): Promise<void> {
    const leftMs = this.#begunMs + INTERVAL_MS - this.#clock.now().monotonicMs;
    if (leftMs <= 0) return;
    await new Promise<void>((resolve) => this.#clock.timer(leftMs, resolve, { unref: true }));
  }
}

import type { Clock } from "../platform/clock.ts";

/** Shortest time between two computations. */
const PACE_MS = 100;

/**
 * Computes a value at most ten times a second, however often it is requested. Every request gets
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
    return this.#next ??= this.#pause().then(() => {
      this.#next = null;
      this.#begunMs = this.#clock.now().monotonicMs;
      return this.#compute();
    });
  }

  async #pause(): Promise<void> {
    const leftMs = this.#begunMs + PACE_MS - this.#clock.now().monotonicMs;
    if (leftMs <= 0) return;
    await new Promise<void>((resolve) => this.#clock.timer(leftMs, resolve, { unref: true }));
  }
}

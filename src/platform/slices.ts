import type { Clock } from "./clock.ts";

/** Time for which a computation runs before it yields, in milliseconds. */
const SLICE_MS = 5;

/** Cuts a long computation into slices, between which everything else in the event loop runs. */
export class Slices {
  readonly #clock: Clock;
  #begunMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#begunMs = clock.now().monotonicMs;
  }

  /** Await this at every step: it yields when the slice is used up. */
  async pause(): Promise<void> {
    if (this.#clock.now().monotonicMs - this.#begunMs < SLICE_MS) return;
    await new Promise<void>((resolve) => this.#clock.defer(resolve));
    this.#begunMs = this.#clock.now().monotonicMs;
  }
}

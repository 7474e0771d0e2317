import type { Clock } from "./clock.ts";

/** How long there must have been no activity, in milliseconds. */
const REST_MS = 3_000;

/** Runs an action after three seconds without activity. */
export class AfterRest {
  readonly #clock: Clock;
  readonly #action: () => void;
  #doneMs = 0;
  #isArmed = false;

  constructor(clock: Clock, action: () => void) {
    this.#clock = clock;
    this.#action = action;
  }

  /** Note activity. */
  note(): void {
    this.#doneMs = this.#clock.now().monotonicMs;
    if (!this.#isArmed) this.#arm(REST_MS);
  }

  #arm(delayMs: number): void {
    this.#isArmed = true;
    this.#clock.timer(delayMs, () => {
      this.#isArmed = false;
      const leftMs = this.#doneMs + REST_MS - this.#clock.now().monotonicMs;
      if (leftMs > 0) this.#arm(leftMs);
      else this.#action();
    }, { unref: true });
  }
}

import type { Clock, Timer } from "../../platform/clock.ts";

/** The wall clock may be set while we wait: look again at least so often. */
const WAIT_MS_MAX = 60_000;

/** One timer for the earliest of the times at which something is due. */
export class WakeTimer {
  readonly #clock: Clock;
  readonly #onDue: () => void;
  #timer: Timer | null = null;
  #dueMs = Infinity;

  constructor(clock: Clock, onDue: () => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  arm(delayMs: number): void {
    const dueMs = this.#clock.now().monotonicMs + delayMs;
    if (this.#timer && this.#dueMs <= dueMs) return;
    this.#timer?.cancel();
    this.#dueMs = dueMs;
    this.#timer = this.#clock.timer(Math.min(delayMs, WAIT_MS_MAX), () => {
      this.#timer = null;
      this.#onDue();
    }, { isExact: true, unref: true });
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }
}

import type { Clock, Timer } from "../platform/clock.ts";

/**
 * A timer whose due time is moved often and reached rarely: moving it later sets no timer. It never holds the process.
 */
export class LazyTimer {
  readonly #clock: Clock;
  readonly #onDue: () => void;
  #dueMs: number | null = null;
  #armedMs = Infinity;
  #timer: Timer | null = null;

  constructor(clock: Clock, onDue: () => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  /** Monotonic ms at which the callback is called; null for never. */
  get dueMs(): number | null {
    return this.#dueMs;
  }

  set(dueMs: number | null): void {
    this.#dueMs = dueMs;
    if (dueMs === null || !Number.isFinite(dueMs) || dueMs >= this.#armedMs) return;
    this.#arm(dueMs);
  }

  /** Also drops the timer that a due time moved away left behind. */
  cancel(): void {
    this.#dueMs = null;
    this.#timer?.cancel();
    this.#timer = null;
    this.#armedMs = Infinity;
  }

  #arm(dueMs: number): void {
    this.#timer?.cancel();
    this.#armedMs = dueMs;
    const delayMs = dueMs - this.#clock.now().monotonicMs;
    this.#timer = this.#clock.timer(delayMs, () => this.#fire(), { unref: true });
  }

  #fire(): void {
    this.#timer = null;
    this.#armedMs = Infinity;
    if (this.#dueMs === null) return;
    if (this.#dueMs > this.#clock.now().monotonicMs) return this.set(this.#dueMs);
    this.#dueMs = null;
    this.#onDue();
  }
}

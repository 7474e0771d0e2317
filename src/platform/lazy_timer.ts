import type { Clock, Timer, TimerOptions } from "./clock.ts";

const QUIET: TimerOptions = { unref: true };

/**
 * One timer that is set again and again.
 *
 * Moving its time later sets no timer of the runtime, so moving is cheap. It does not hold the
 * process unless configured to.
 */
export class LazyTimer {
  readonly #clock: Clock;
  readonly #onDue: () => void;
  readonly #options: TimerOptions;
  #dueMs: number | null = null;
  #armedMs = Infinity;
  #timer: Timer | null = null;

  constructor(clock: Clock, onDue: () => void, options?: TimerOptions) {
    this.#clock = clock;
    this.#onDue = onDue;
    this.#options = options === undefined ? QUIET : { ...QUIET, ...options };
  }

  /** Monotonic ms of the next callback; null for never. */
  get dueMs(): number | null {
    return this.#dueMs;
  }

  /** Call the callback at a time, in monotonic ms, instead of the earlier time; null for never. */
  set(dueMs: number | null): void {
    this.#dueMs = dueMs;
    if (dueMs === null || !Number.isFinite(dueMs) || dueMs >= this.#armedMs) return;
    this.#timer?.cancel();
    this.#armedMs = dueMs;
    const delayMs = dueMs - this.#clock.now().monotonicMs;
    this.#timer = this.#clock.timer(delayMs, () => this.#fire(), this.#options);
  }

  /** Call the callback in `delayMs`, instead of at the time set before. */
  setIn(delayMs: number): void {
    this.set(this.#clock.now().monotonicMs + delayMs);
  }

  /** Call the callback at a time, in monotonic ms, or at the time set before if that is sooner. */
  setBy(dueMs: number): void {
    if (this.#dueMs === null || dueMs < this.#dueMs) this.set(dueMs);
  }

  /** Call the callback in `delayMs`, or at the time set before if that is sooner. */
  setWithin(delayMs: number): void {
    this.setBy(this.#clock.now().monotonicMs + delayMs);
  }

  /** Also cancels the runtime's timer for an earlier time that was moved. */
  cancel(): void {
    this.#dueMs = null;
    this.#timer?.cancel();
    this.#timer = null;
    this.#armedMs = Infinity;
  }

  #fire(): void {
    this.#timer = null;
    this.#armedMs = Infinity;
    if (this.#dueMs === null) return;
    // By the monotonic clock, an exact timer may be up to a millisecond early.
    const earlyMs = this.#options.isExact ? 1 : 0;
    const leftMs = this.#dueMs - this.#clock.now().monotonicMs;
    if (leftMs > earlyMs) return this.set(this.#dueMs);
    this.#dueMs = null;
    this.#onDue();
  }
}

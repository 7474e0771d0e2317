import type { Clock } from "./clock.ts";
import { LazyTimer } from "./lazy_timer.ts";

/**
 * Times at which items are due. All of them share one timer, because a timer for each of a thousand
 * items takes a megabyte. Moving a time is cheap.
 */
export class DueTimes<Item> {
  readonly #clock: Clock;
  readonly #onDue: (item: Item) => void;
  readonly #dueMs = new Map<Item, number>();
  readonly #timer: LazyTimer;

  constructor(clock: Clock, onDue: (item: Item) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
    this.#timer = new LazyTimer(clock, () => this.#fire());
  }

  /**
   * Call the callback with an item at a time, in monotonic ms, instead of its earlier time; null
   * for never.
   */
  set(item: Item, dueMs: number | null): void {
    if (dueMs === null || !Number.isFinite(dueMs)) return void this.#dueMs.delete(item);
    this.#dueMs.set(item, dueMs);
    this.#timer.setBy(dueMs);
  }

  /** Call the callback with an item in `delayMs`, instead of at the time set before. */
  setIn(item: Item, delayMs: number): void {
    this.set(item, this.#clock.now().monotonicMs + delayMs);
  }

  #fire(): void {
    const nowMs = this.#clock.now().monotonicMs;
    const due: Item[] = [];
    let nextMs = Infinity;
    for (const [item, dueMs] of this.#dueMs) {
      if (dueMs <= nowMs) due.push(item);
      else nextMs = Math.min(nextMs, dueMs);
    }
    if (nextMs < Infinity) this.#timer.set(nextMs);
    for (const item of due) {
      // The callback of another item may have moved its time.
      if ((this.#dueMs.get(item) ?? Infinity) > nowMs) continue;
      this.#dueMs.delete(item);
      this.#onDue(item);
    }
  }
}

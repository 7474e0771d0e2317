import { type Clock, type Instant, systemClock, type Timer } from "../platform/clock.ts";

interface PendingTimer {
  readonly dueMs: number;
  readonly callback: () => void;
}

/** A clock that others move. Promises and turns of the event loop run as ever. */
export class VirtualClock implements Clock {
  readonly #startMs: number;
  readonly #timers = new Set<PendingTimer>();
  #elapsedMs = 0;

  /** @param startMs epoch ms */
  constructor(startMs: number) {
    this.#startMs = startMs;
  }

  now(): Instant {
    return { wallMs: this.#startMs + this.#elapsedMs, monotonicMs: this.#elapsedMs };
  }

  timer(delayMs: number, callback: () => void): Timer {
    const pending = { dueMs: this.#elapsedMs + Math.max(0, delayMs), callback };
    this.#timers.add(pending);
    return { cancel: () => void this.#timers.delete(pending) };
  }

  defer(callback: () => void): void {
    systemClock.defer(callback);
  }

  /** Move to the next timer until a time, and fire it. @returns false without one */
  fireNext(untilMs: number): boolean {
    let next: PendingTimer | null = null;
    for (const timer of this.#timers) {
      if (timer.dueMs <= untilMs && (next === null || timer.dueMs < next.dueMs)) next = timer;
    }
    if (next === null) return false;
    this.#timers.delete(next);
    this.#elapsedMs = Math.max(this.#elapsedMs, next.dueMs);
    next.callback();
    return true;
  }

  /** Move on, past no timer. */
  moveTo(elapsedMs: number): void {
    this.#elapsedMs = Math.max(this.#elapsedMs, elapsedMs);
  }
}

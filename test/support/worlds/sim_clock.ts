import { setImmediate } from "node:timers";
import type { Clock, Instant, Timer } from "../../../src/platform/clock.ts";

interface PendingTimer {
  readonly dueMs: number;
  readonly order: number;
  readonly callback: () => void;
}

/** How many turns of promises are run between two events of the simulation, at most. */
const SETTLE_TURNS = 10_000;
/** Wait until no promise has anything left to do, whatever their number, on each runtime. */
export function promisesRan(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/**
 * A clock that moves only when told. Timers fire in order of due time; deferred callbacks run in
 * order, after the promises of the turn. Several nodes may each have one view of it with its own
 * skew: see {@link SimClock.view}.
 */
export class SimClock implements Clock {
  #monotonicMs = 0;
  #wallOffsetMs: number;
  #order = 0;
  readonly #timers = new Set<PendingTimer>();
  readonly #deferred: (() => void)[] = [];

  constructor(startWallMs: number = Date.UTC(2026, 0, 1)) {
    this.#wallOffsetMs = startWallMs;
  }

  now(): Instant {
    return { wallMs: this.#wallOffsetMs + this.#monotonicMs, monotonicMs: this.#monotonicMs };
  }

  timer(delayMs: number, callback: () => void): Timer {
    const pending: PendingTimer = {
      dueMs: this.#monotonicMs + Math.max(0, delayMs),
      order: this.#order++,
      callback,
    };
    this.#timers.add(pending);
    return { cancel: () => void this.#timers.delete(pending) };
  }

  defer(callback: () => void): void {
    this.#deferred.push(callback);
  }

  /** Move the wall clock alone, as an operator or NTP would. */
  shiftWall(deltaMs: number): void {
    this.#wallOffsetMs += deltaMs;
  }

  /** A node's own view: its wall clock is `skewMs` off; it shares timers and turns. */
  view(skewMs: number): Clock {
    return {
      now: () => {
        const { wallMs, monotonicMs } = this.now();
        return { wallMs: wallMs + skewMs, monotonicMs };
      },
      timer: (delayMs, callback) => this.timer(delayMs, callback),
      defer: (callback) => this.defer(callback),
    };
  }

  /** Due time of the next timer on the monotonic clock; null when none is pending. */
  nextTimerMs(): number | null {
    let nextMs: number | null = null;
    for (const timer of this.#timers) {
      if (nextMs === null || timer.dueMs < nextMs) nextMs = timer.dueMs;
    }
    return nextMs;
  }

  /** Run promises and deferred callbacks until nothing is left to do at this moment. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < SETTLE_TURNS; turn++) {
      await promisesRan();
      const callbacks = this.#deferred.splice(0);
      if (callbacks.length === 0) return;
      for (const callback of callbacks) callback();
    }
    throw new Error("The simulation does not come to rest: deferred callbacks keep coming");
  }

  /** Move time by `deltaMs`, firing every timer on the way at its own time. */
  async advance(deltaMs: number): Promise<void> {
    const endMs = this.#monotonicMs + deltaMs;
    await this.settle();
    for (;;) {
      const next = this.#takeDue(endMs);
      if (!next) break;
      this.#monotonicMs = Math.max(this.#monotonicMs, next.dueMs);
      next.callback();
      await this.settle();
    }
    this.#monotonicMs = endMs;
    await this.settle();
  }

  #takeDue(untilMs: number): PendingTimer | null {
    let next: PendingTimer | null = null;
    for (const timer of this.#timers) {
      if (timer.dueMs > untilMs) continue;
      if (
        !next || timer.dueMs < next.dueMs ||
        (timer.dueMs === next.dueMs && timer.order < next.order)
      ) next = timer;
    }
    if (next) this.#timers.delete(next);
    return next;
  }
}

/** A clock of a world with a server: it comes to rest when the server has answered everything. */
export class ServedClock extends SimClock {
  /** False after a wait for the server. */
  isResting: () => Promise<boolean> = () => Promise.resolve(true);

  override async settle(): Promise<void> {
    do await super.settle(); while (!(await this.isResting()));
  }
}

import type { JobError } from "../../core/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import type { ReplicaMedium } from "./medium.ts";
import { cannotReach, PATIENCE_MS, reachError, unreachable } from "./unreachable.ts";

interface Waiter {
  /** Infinity until it is known. */
  version: number;
  readonly overMs: number;
  readonly resolve: () => void;
  readonly reject: (error: JobError) => void;
}

/** Those who wait until a replica has reached a version, each for a time. */
export class Waiters {
  readonly #medium: ReplicaMedium;
  readonly #clock: Clock;
  readonly #asked: (version: number) => void;
  readonly #waiters = new Set<Waiter>();
  #asking: Promise<number> | null = null;
  #onMove: (() => void)[] = [];

  /** @param asked told of every version that the medium names */
  constructor(medium: ReplicaMedium, clock: Clock, asked: (version: number) => void) {
    this.#medium = medium;
    this.#clock = clock;
    this.#asked = asked;
  }

  get isEmpty(): boolean {
    return this.#waiters.size === 0;
  }

  /** The medium's version: one question for all that ask in this turn. */
  ask(): Promise<number> {
    return this.#asking ??= new Promise((resolve, reject) => {
      this.#clock.defer(() => {
        this.#asking = null;
        this.#medium.version().then((version) => {
          this.#asked(version);
          resolve(version);
        }, reject);
      });
    });
  }

  wait(version: number): Promise<void> {
    return new Promise((resolve, reject) => this.#add({ version, resolve, reject }));
  }

  /** Wait for everything that anybody has committed. */
  waitForAll(): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter = this.#add({ version: Infinity, resolve, reject });
      this.ask().then((version) => {
        waiter.version = version;
      }, (thrown) => {
        if (!this.#waiters.delete(waiter)) return;
        reject(reachError(thrown, cannotReach(this.#medium)));
      });
    });
  }

  /** The replica is at a version, and nothing that it has is undecided. Answers how many waited for it. */
  reached(version: number): number {
    let count = 0;
    for (const waiter of this.#waiters) {
      if (waiter.version > version) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
      count += 1;
    }
    return count;
  }

  /** Resolves when it is known what became of a commit, or of what waits. */
  moved(): Promise<void> {
    return new Promise((resolve) => this.#onMove.push(resolve));
  }

  tellMoved(): void {
    const waiting = this.#onMove;
    this.#onMove = [];
    for (const resolve of waiting) resolve();
  }

  /** Give up those that have waited too long. */
  rejectOver(): void {
    const nowMs = this.#clock.now().monotonicMs;
    for (const waiter of this.#waiters) {
      if (waiter.overMs > nowMs) continue;
      this.#waiters.delete(waiter);
      waiter.reject(unreachable(this.#medium));
    }
  }

  rejectAll(error: JobError): void {
    for (const waiter of this.#waiters) waiter.reject(error);
    this.#waiters.clear();
  }

  #add(given: Omit<Waiter, "overMs">): Waiter {
    const waiter = { ...given, overMs: this.#clock.now().monotonicMs + PATIENCE_MS };
    this.#waiters.add(waiter);
    return waiter;
  }
}

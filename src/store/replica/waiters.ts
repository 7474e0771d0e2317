import type { JobError } from "../../core/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import type { ReplicaMedium } from "./medium.ts";
import { cannotReach, type Patience, reachError, unreachable } from "./unreachable.ts";

interface Waiter {
  /** Infinity until it is known. */
  version: number;
  readonly sinceMs: number;
  readonly resolve: () => void;
  readonly reject: (error: JobError) => void;
}

/** Reads that wait until the replica has reached a version, each for a limited time. */
export class Waiters {
  readonly #medium: ReplicaMedium;
  readonly #clock: Clock;
  readonly #patience: Patience;
  readonly #asked: (version: number) => void;
  readonly #waiters = new Set<Waiter>();
  #asking: Promise<number> | null = null;
  #onMove: (() => void)[] = [];

  /** @param options `asked` is called with every version that the medium reports */
  constructor(
    options: {
      readonly medium: ReplicaMedium;
      readonly clock: Clock;
      readonly patience: Patience;
      readonly asked: (version: number) => void;
    },
  ) {
    this.#medium = options.medium;
    this.#clock = options.clock;
    this.#patience = options.patience;
    this.#asked = options.asked;
  }

  get isEmpty(): boolean {
    return this.#waiters.size === 0;
  }

  /** The medium's version; all requests of this turn share one call. */
  ask(): Promise<number> {
    return this.#asking ??= new Promise((resolve, reject) => {
      this.#clock.defer(() => {
        this.#asking = null;
        this.#medium.version().then((version) => {
          this.#patience.responded();
          this.#asked(version);
          resolve(version);
        }, reject);
      });
    });
  }

  wait(version: number): Promise<void> {
    return new Promise((resolve, reject) => this.#add({ version, resolve, reject }));
  }

  /** Wait for everything that anyone has committed. */
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

  /**
   * The replica is at a version, and nothing in it is undecided. @returns how many waited for it
   */
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

  /** Resolves when a commit, or a waiting operation, is decided. */
  moved(): Promise<void> {
    return new Promise((resolve) => this.#onMove.push(resolve));
  }

  notifyMoved(): void {
    const waiting = this.#onMove;
    this.#onMove = [];
    for (const resolve of waiting) resolve();
  }

  /** Reject those that have waited too long. */
  rejectOver(): void {
    const lastMs = this.#clock.now().monotonicMs - this.#patience.ms;
    for (const waiter of this.#waiters) {
      if (waiter.sinceMs > lastMs) continue;
      this.#patience.gaveUp();
      this.#waiters.delete(waiter);
      waiter.reject(unreachable(this.#medium));
    }
  }

  rejectAll(error: JobError): void {
    for (const waiter of this.#waiters) waiter.reject(error);
    this.#waiters.clear();
  }

  #add(given: Omit<Waiter, "sinceMs">): Waiter {
    const waiter = { ...given, sinceMs: this.#clock.now().monotonicMs };
    this.#waiters.add(waiter);
    return waiter;
  }
}

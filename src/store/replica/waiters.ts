import type { JobError } from "../../core/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import type { ReplicaMedium } from "./medium.ts";
import { cannotReach, type Patience, reachError, unreachable } from "./unreachable.ts";

interface Waiter {
  /** Infinity while unknown. */
  version: number;
  readonly sinceMs: number;
  readonly resolve: () => void;
  readonly reject: (error: JobError) => void;
}

/** Parts of {@link Waiters}. */
interface WaitersOptions {
  readonly medium: ReplicaMedium;
  readonly clock: Clock;
  readonly patience: Patience;
  /** Called with every version that the medium reports. */
  readonly asked: (version: number) => void;
}

/** Reads that wait until the replica has reached a version, each for a limited time. */
export class Waiters {
  readonly #options: WaitersOptions;
  readonly #waiters = new Set<Waiter>();
  #asking: Promise<number> | null = null;
  #onMove: (() => void)[] = [];

  constructor(options: WaitersOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#waiters.size === 0;
  }

  /** The medium's version; all requests of this turn share one call. */
  ask(): Promise<number> {
    const { clock, medium, patience, asked } = this.#options;
    return this.#asking ??= new Promise((resolve, reject) => {
      clock.defer(() => {
        this.#asking = null;
        medium.version().then((version) => {
          patience.responded();
          asked(version);
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
        reject(reachError(thrown, cannotReach(this.#options.medium)));
      });
    });
  }

  /** The replica is at a version without undecided changes. @returns number of waiters for it */
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

  /** Reject operations that have waited too long. */
  rejectOver(): void {
    const { clock, medium, patience } = this.#options;
    const lastMs = clock.now().monotonicMs - patience.ms;
    for (const waiter of this.#waiters) {
      if (waiter.sinceMs > lastMs) continue;
      patience.gaveUp();
      this.#waiters.delete(waiter);
      waiter.reject(unreachable(medium));
    }
  }

  rejectAll(error: JobError): void {
    for (const waiter of this.#waiters) waiter.reject(error);
    this.#waiters.clear();
  }

  #add(given: Omit<Waiter, "sinceMs">): Waiter {
    const waiter = { ...given, sinceMs: this.#options.clock.now().monotonicMs };
    this.#waiters.add(waiter);
    return waiter;
  }
}

import type { Clock } from "../../platform/clock.ts";

/** Rate of an event: a burst, and a number per second after that. */
export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/** Most names that are remembered; the oldest is forgotten. */
const REMEMBERED_MAX = 10_000;

interface Bucket {
  left: number;
  atMs: number;
}

/** Limits the rate of an event by name. */
export class Buckets {
  readonly #clock: Clock;
  readonly #rate: Rate;
  readonly #byName = new Map<string, Bucket>();

  constructor(clock: Clock, rate: Rate) {
    this.#clock = clock;
    this.#rate = rate;
  }

  /** True if a name is remembered. */
  has(name: string): boolean {
    return this.#byName.has(name);
  }

  /** True if it may happen again. */
  hasRoom(name: string): boolean {
    return this.#bucketOf(name).left >= 1;
  }

  /** Count one more, if allowed. */
  take(name: string): boolean {
    const bucket = this.#bucketOf(name);
    if (bucket.left < 1) return false;
    bucket.left -= 1;
    return true;
  }

  /** Take back the last count. */
  giveBack(name: string): void {
    const bucket = this.#bucketOf(name);
    bucket.left = Math.min(this.#rate.burst, bucket.left + 1);
  }

  /** Remember a name without counts. */
  add(name: string): void {
    this.#bucketOf(name);
  }

  forget(name: string): void {
    this.#byName.delete(name);
  }

  #bucketOf(name: string): Bucket {
    const { burst, perSecond } = this.#rate;
    const nowMs = this.#clock.now().monotonicMs;
    let bucket = this.#byName.get(name);
    if (bucket === undefined) {
      bucket = { left: burst, atMs: nowMs };
      this.#byName.set(name, bucket);
      if (this.#byName.size > REMEMBERED_MAX) {
        this.#byName.delete(this.#byName.keys().next().value!);
      }
    }
    const passedMs = Math.max(0, nowMs - bucket.atMs);
    bucket.left = Math.min(burst, bucket.left + passedMs * perSecond / 1_000);
    bucket.atMs = nowMs;
    return bucket;
  }
}

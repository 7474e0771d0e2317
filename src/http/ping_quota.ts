import { createHash } from "node:crypto";
import type { Clock } from "../platform/clock.ts";

/** Pings of one address, or with one key: so many at once, and so many a second after that. */
const OF_ONE = { burst: 100, perSecond: 10 };
/** Pings of all addresses together. */
const OF_ALL = { burst: 500, perSecond: 100 };
/** Most addresses and keys that are remembered; the one that came first is forgotten. */
const REMEMBERED_MAX = 10_000;

interface Bucket {
  left: number;
  atMs: number;
}

/**
 * Limits how often clients may ping, before anything else is done for them. A key that was right
 * counts for itself: strangers, who may have the same address behind a proxy, must not keep the
 * pings of jobs from being taken.
 */
export class PingQuota {
  readonly #clock: Clock;
  readonly #all: Bucket;
  readonly #byAddress = new Map<string, Bucket>();
  /** By the hashes of keys that were right. */
  readonly #byKey = new Map<string, Bucket>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#all = { left: OF_ALL.burst, atMs: clock.now().monotonicMs };
  }

  /** True if another ping of an address with a key may be taken; it is counted then. */
  takes(address: string, key: string): boolean {
    const nowMs = this.#clock.now().monotonicMs;
    const known = this.#byKey.get(hashOf(key));
    if (known) {
      refill(known, OF_ONE, nowMs);
      return take(known);
    }
    let own = this.#byAddress.get(address);
    if (!own) {
      own = { left: OF_ONE.burst, atMs: nowMs };
      remember(this.#byAddress, address, own);
    }
    refill(own, OF_ONE, nowMs);
    refill(this.#all, OF_ALL, nowMs);
    if (own.left < 1 || this.#all.left < 1) return false;
    return take(own) && take(this.#all);
  }

  /** Keep in mind whether a key is right. */
  learn(key: string, isRight: boolean): void {
    const hash = hashOf(key);
    if (!isRight) this.#byKey.delete(hash);
    else if (!this.#byKey.has(hash)) {
      const atMs = this.#clock.now().monotonicMs;
      remember(this.#byKey, hash, { left: OF_ONE.burst, atMs });
    }
  }
}

function remember(buckets: Map<string, Bucket>, name: string, bucket: Bucket): void {
  buckets.set(name, bucket);
  if (buckets.size > REMEMBERED_MAX) buckets.delete(buckets.keys().next().value!);
}

function take(bucket: Bucket): boolean {
  if (bucket.left < 1) return false;
  bucket.left -= 1;
  return true;
}

function hashOf(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

function refill(bucket: Bucket, { burst, perSecond }: typeof OF_ALL, nowMs: number): void {
  const passedMs = Math.max(0, nowMs - bucket.atMs);
  bucket.left = Math.min(burst, bucket.left + passedMs * perSecond / 1_000);
  bucket.atMs = nowMs;
}

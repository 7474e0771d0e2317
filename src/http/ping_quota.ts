import type { Clock } from "../platform/clock.ts";

/** Pings of one address: so many at once, and so many a second after that. */
const OF_ADDRESS = { burst: 100, perSecond: 10 };
/** Pings of all addresses together. */
const OF_ALL = { burst: 500, perSecond: 100 };
/** Most addresses that are remembered; the one that pinged first is forgotten. */
const ADDRESSES_MAX = 10_000;

interface Bucket {
  left: number;
  atMs: number;
}

/** Limits how often clients may ping, before anything else is done for them. */
export class PingQuota {
  readonly #clock: Clock;
  readonly #all: Bucket;
  readonly #byAddress = new Map<string, Bucket>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#all = { left: OF_ALL.burst, atMs: clock.now().monotonicMs };
  }

  /** True if another ping of an address may be taken; it is counted then. */
  takes(address: string): boolean {
    const nowMs = this.#clock.now().monotonicMs;
    let own = this.#byAddress.get(address);
    if (!own) {
      own = { left: OF_ADDRESS.burst, atMs: nowMs };
      this.#byAddress.set(address, own);
      if (this.#byAddress.size > ADDRESSES_MAX) {
        this.#byAddress.delete(this.#byAddress.keys().next().value!);
      }
    }
    refill(own, OF_ADDRESS, nowMs);
    refill(this.#all, OF_ALL, nowMs);
    if (own.left < 1 || this.#all.left < 1) return false;
    own.left -= 1;
    this.#all.left -= 1;
    return true;
  }
}

function refill(bucket: Bucket, { burst, perSecond }: typeof OF_ALL, nowMs: number): void {
  const passedMs = Math.max(0, nowMs - bucket.atMs);
  bucket.left = Math.min(burst, bucket.left + passedMs * perSecond / 1_000);
  bucket.atMs = nowMs;
}

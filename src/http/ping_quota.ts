import { createHash } from "node:crypto";
import type { Clock } from "../platform/clock.ts";
import { Buckets } from "./buckets.ts";

/** Pings of one address, or with one key: so many at once, and so many a second after that. */
const OF_ONE = { burst: 100, perSecond: 10 };
/** Pings of all addresses together. */
const OF_ALL = { burst: 500, perSecond: 100 };
/** Name of the bucket of all addresses. */
const ALL = "";

/**
 * Limits how often clients may ping, before anything else is done for them. A key that was right
 * counts for itself: strangers, who may have the same address behind a proxy, must not keep the
 * pings of jobs from being taken.
 */
export class PingQuota {
  readonly #all: Buckets;
  readonly #byAddress: Buckets;
  /** By the hashes of keys that were right. */
  readonly #byKey: Buckets;

  constructor(clock: Clock) {
    this.#all = new Buckets(clock, OF_ALL);
    this.#byAddress = new Buckets(clock, OF_ONE);
    this.#byKey = new Buckets(clock, OF_ONE);
  }

  /** True if another ping of an address with a key may be taken; it is counted then. */
  takes(address: string, key: string): boolean {
    const hash = hashOf(key);
    if (this.#byKey.has(hash)) return this.#byKey.take(hash);
    if (!this.#byAddress.hasRoom(address) || !this.#all.hasRoom(ALL)) return false;
    return this.#byAddress.take(address) && this.#all.take(ALL);
  }

  /** Keep in mind whether a key is right. */
  learn(key: string, isRight: boolean): void {
    const hash = hashOf(key);
    if (isRight) this.#byKey.add(hash);
    else this.#byKey.forget(hash);
  }
}

function hashOf(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

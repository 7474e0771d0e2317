import { readAddress } from "../../core/public_address.ts";
import type { Clock } from "../../platform/clock.ts";

/** Attempts: a burst, and one more each time this many ms have passed. */
export interface Attempts {
  readonly burst: number;
  readonly everyMs: number;
}

/** Limits of an {@link AddressQuota}. */
export interface AddressLimits {
  /** Limit of one address, or network of IPv6. */
  readonly ofOne: Attempts;
  /** For all together. It only holds for addresses that have used half of their quota. */
  readonly ofAll: Attempts;
}

/** Most addresses that are remembered; the oldest is forgotten. */
const ADDRESSES_MAX = 10_000;

/** The time when all attempts will be allowed again, in monotonic ms. Each attempt moves it. */
interface Bucket {
  fullMs: number;
}

/**
 * Limits the failures of clients. A flood, from any number of addresses, keeps out nobody whose
 * own address has hardly failed recently.
 */
export class AddressQuota {
  readonly #clock: Clock;
  readonly #limits: AddressLimits;
  readonly #all: Bucket;
  readonly #byAddress = new Map<string, Bucket>();

  constructor(clock: Clock, limits: AddressLimits) {
    this.#clock = clock;
    this.#limits = limits;
    this.#all = { fullMs: this.#nowMs() };
  }

  /**
   * Count an attempt from an address before it is inspected: otherwise many concurrent ones would
   * each look like the first. Returns false if it must not be inspected.
   */
  takes(address: string): boolean {
    const { ofOne, ofAll } = this.#limits;
    const own = this.#bucketOf(address);
    const used = this.#usedOf(own, ofOne);
    if (used > ofOne.burst - 1) return false;
    const isFree = used < ofOne.burst / 2;
    if (!isFree && this.#usedOf(this.#all, ofAll) > ofAll.burst - 1) return false;
    this.#take(own, ofOne);
    this.#take(this.#all, ofAll);
    return true;
  }

  /** The attempt was right: it does not count. */
  giveBack(address: string): void {
    const { ofOne, ofAll } = this.#limits;
    this.#bucketOf(address).fullMs -= ofOne.everyMs;
    this.#all.fullMs -= ofAll.everyMs;
  }

  #bucketOf(address: string): Bucket {
    const network = networkOf(address);
    let bucket = this.#byAddress.get(network);
    if (bucket === undefined) {
      bucket = { fullMs: this.#nowMs() };
      this.#byAddress.set(network, bucket);
      if (this.#byAddress.size > ADDRESSES_MAX) {
        this.#byAddress.delete(this.#byAddress.keys().next().value!);
      }
    }
    return bucket;
  }

  #usedOf({ fullMs }: Bucket, { everyMs }: Attempts): number {
    return (fullMs - this.#nowMs()) / everyMs;
  }

  /** After a flood of any length, room returns equally fast. */
  #take(bucket: Bucket, { burst, everyMs }: Attempts): void {
    const nowMs = this.#nowMs();
    bucket.fullMs = Math.min(Math.max(bucket.fullMs, nowMs) + everyMs, nowMs + burst * everyMs);
  }

  #nowMs(): number {
    return this.#clock.now().monotonicMs;
  }
}

/** The owner of an IPv6 address usually has a network of 64 bits. */
function networkOf(address: string): string {
  const words = readAddress(address);
  if (words === null) return address;
  const isFour = words.slice(0, 5).every((word) => word === 0) && words[5] === 0xffff;
  return words.slice(0, isFour ? 8 : 4).join(":");
}

import { readAddress } from "../../core/public_address.ts";
import type { Clock } from "../../platform/clock.ts";

/** Failed logins from one address: so many at once, and one more each time this long has passed. */
const OF_ONE = { burst: 10, everyMs: 6_000 };
/** Failed logins from all addresses together. */
const OF_ALL = { burst: 100, everyMs: 500 };
/** Most addresses that are remembered; the one that came first is forgotten. */
const ADDRESSES_MAX = 10_000;

/** When all attempts will be allowed again, in monotonic ms. Each attempt moves it. */
interface Bucket {
  fullMs: number;
}

/** Limits how often clients may fail to log in. */
export class LoginQuota {
  readonly #clock: Clock;
  readonly #all: Bucket;
  readonly #byAddress = new Map<string, Bucket>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#all = { fullMs: this.#nowMs() };
  }

  /**
   * Count an attempt from an address before it is looked at: many at the same time would otherwise
   * all be the first. Returns false if it must not be looked at.
   */
  takes(address: string): boolean {
    const own = this.#bucketOf(address);
    if (!this.#hasRoom(own, OF_ONE) || !this.#hasRoom(this.#all, OF_ALL)) return false;
    this.#take(own, OF_ONE);
    this.#take(this.#all, OF_ALL);
    return true;
  }

  /** The attempt was right: it does not count. */
  giveBack(address: string): void {
    this.#bucketOf(address).fullMs -= OF_ONE.everyMs;
    this.#all.fullMs -= OF_ALL.everyMs;
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

  #hasRoom({ fullMs }: Bucket, { burst, everyMs }: typeof OF_ALL): boolean {
    return fullMs - this.#nowMs() <= (burst - 1) * everyMs;
  }

  #take(bucket: Bucket, { everyMs }: typeof OF_ALL): void {
    bucket.fullMs = Math.max(bucket.fullMs, this.#nowMs()) + everyMs;
  }

  #nowMs(): number {
    return this.#clock.now().monotonicMs;
  }
}

/** Whoever has an IPv6 address usually has a network of 64 bits. */
function networkOf(address: string): string {
  const words = readAddress(address);
  if (words === null) return address;
  const isFour = words.slice(0, 5).every((word) => word === 0) && words[5] === 0xffff;
  return words.slice(0, isFour ? 8 : 4).join(":");
}

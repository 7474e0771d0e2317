import { createHash } from "node:crypto";
import type { Clock } from "../../platform/clock.ts";
import { type AddressLimits, AddressQuota } from "../../rpc/guard/address_quota.ts";
import { Paced } from "../../rpc/guard/paced.ts";
import { Buckets } from "../request/buckets.ts";

/** Pings with one key: the burst, and the rate per second after it. */
const OF_KEY = { burst: 100, perSecond: 10 };
/** Pings with wrong keys. */
const WRONG: AddressLimits = {
  ofOne: { burst: 100, everyMs: 100 },
  ofAll: { burst: 500, everyMs: 10 },
};
/** Reads of the keys; concurrent pings with unknown keys share the next one. */
const READS = { burst: 50, everyMs: 100 };

/** The verdict on a ping: only a right key is processed. */
export type PingVerdict = "right" | "wrong" | "too many";

/**
 * Decides about pings by their keys, before anything else is done for them. A key is looked up
 * first, and only wrong keys count for their address: strangers behind the same proxy must not
 * block the pings of jobs.
 */
export class PingQuota {
  readonly #wrong: AddressQuota;
  /** By the hashes of right keys. */
  readonly #byKey: Buckets;
  readonly #reads: Paced<ReadonlySet<string>>;
  /** Hashes of the right keys, as last read. */
  #known: ReadonlySet<string> = new Set();

  /** @param readKeys reads the hashes of all keys */
  constructor(clock: Clock, readKeys: () => Promise<ReadonlySet<string>>) {
    this.#wrong = new AddressQuota(clock, WRONG);
    this.#byKey = new Buckets(clock, OF_KEY);
    this.#reads = new Paced(clock, readKeys, READS);
  }

  /** Count a ping of an address with a key. @throws JobError if the keys cannot be read */
  async judge(address: string, key: string): Promise<PingVerdict> {
    const hash = createHash("sha256").update(key).digest("hex");
    if (await this.#isRight(hash)) return this.#byKey.take(hash) ? "right" : "too many";
    return this.#wrong.takes(address) ? "wrong" : "too many";
  }

  /** A right key has become invalid. */
  forget(): void {
    this.#known = new Set();
  }

  async #isRight(hash: string): Promise<boolean> {
    if (!this.#known.has(hash)) this.#known = await this.#reads.get();
    return this.#known.has(hash);
  }
}

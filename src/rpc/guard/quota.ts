import { JobError } from "../../core/errors.ts";
import type { Origin } from "./call_tracker.ts";

/** The limits of a {@link Quota}. */
export interface QuotaLimits {
  readonly max: number;
  /** Of one caller, over all of its connections. */
  readonly ofHolderMax: number;
  /** Of one connection. */
  readonly ofPeerMax: number;
}

/** Limits long-lived things, such as streams: in total, per caller and per connection. */
export class Quota {
  readonly #name: string;
  readonly #limits: QuotaLimits;
  readonly #peers = new Counts();
  readonly #holders = new Counts();
  #count = 0;

  /** @param name plural name of the things, for messages */
  constructor(name: string, limits: QuotaLimits) {
    this.#name = name;
    this.#limits = limits;
  }

  /**
   * Count one more.
   *
   * @returns a function that releases it; call it once
   * @throws JobError `resource_exhausted`
   */
  take({ peer, holder }: Origin): () => void {
    const { max, ofHolderMax, ofPeerMax } = this.#limits;
    if (this.#peers.of(peer) >= ofPeerMax) throw this.#full(ofPeerMax, " on this connection");
    if (this.#holders.of(holder) >= ofHolderMax) throw this.#full(ofHolderMax, " of this caller");
    if (this.#count >= max) throw this.#full(max, "");
    this.#add(peer, holder, 1);
    return () => this.#add(peer, holder, -1);
  }

  #add(peer: string, holder: string, change: number): void {
    this.#count += change;
    this.#peers.add(peer, change);
    this.#holders.add(holder, change);
  }

  #full(max: number, where: string): JobError {
    return new JobError(
      "resource_exhausted",
      `Cannot start: there are already ${max} ${this.#name}${where}`,
      { hint: "End some of them first, or try again later" },
    );
  }
}

/** How many there are, by name. */
class Counts {
  readonly #counts = new Map<string, number>();

  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  add(name: string, change: number): void {
    const count = this.of(name) + change;
    if (count > 0) this.#counts.set(name, count);
    else this.#counts.delete(name);
  }
}

import { JobError } from "../../core/errors.ts";
import type { Origin } from "./call_tracker.ts";

/** The limits of a {@link Quota}. */
export interface QuotaLimits {
  readonly max: number;
  /** Most of one principal, over all its connections. */
  readonly ofPrincipalMax: number;
  /** Most of one connection. */
  readonly ofPeerMax: number;
}

/** Limits concurrent long-lived items such as streams: in total, per principal, per connection. */
export class Quota {
  readonly #name: string;
  readonly #limits: QuotaLimits;
  readonly #peers = new Counts();
  readonly #principals = new Counts();
  #count = 0;

  /** @param name plural name of the items, for messages */
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
  take({ peer, principal }: Origin): () => void {
    const { max, ofPrincipalMax, ofPeerMax } = this.#limits;
    if (this.#peers.of(peer) >= ofPeerMax) throw this.#full(ofPeerMax, " on this connection");
    if (this.#principals.of(principal) >= ofPrincipalMax) {
      throw this.#full(ofPrincipalMax, " of this caller");
    }
    if (this.#count >= max) throw this.#full(max, "");
    this.#add(peer, principal, 1);
    return () => this.#add(peer, principal, -1);
  }

  #add(peer: string, principal: string, change: number): void {
    this.#count += change;
    this.#peers.add(peer, change);
    this.#principals.add(principal, change);
  }

  #full(max: number, where: string): JobError {
    return new JobError(
      "resource_exhausted",
      `Cannot start: there are already ${max} ${this.#name}${where}`,
      { hint: "End some of them first, or try again later" },
    );
  }
}

/** Numbers of items by name. */
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

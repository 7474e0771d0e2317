import { JobError } from "../core/errors.ts";

/** What grpc-js calls the peer of a connection without an address: one over a Unix socket. */
const NO_ADDRESS = "unknown";

/** How many of something lasting there may be at once, in all and for one connection. */
export class Quota {
  readonly #name: string;
  readonly #max: number;
  readonly #ofPeerMax: number;
  readonly #peers = new Map<string, number>();
  #count = 0;

  /** @param name of the things, in the plural, for messages */
  constructor(name: string, limits: { readonly max: number; readonly ofPeerMax: number }) {
    this.#name = name;
    this.#max = limits.max;
    this.#ofPeerMax = limits.ofPeerMax;
  }

  /**
   * Count one more.
   *
   * @param peer the connection's address; those over a Unix socket cannot be told apart, and only count in all
   * @returns how to give it back, once
   * @throws JobError `resource_exhausted`
   */
  take(peer: string): () => void {
    const ofPeer = peer === NO_ADDRESS ? 0 : this.#peers.get(peer) ?? 0;
    if (ofPeer >= this.#ofPeerMax) throw this.#full(this.#ofPeerMax, " on this connection");
    if (this.#count >= this.#max) throw this.#full(this.#max, "");
    this.#count += 1;
    this.#peers.set(peer, ofPeer + 1);
    return () => {
      this.#count -= 1;
      const left = (this.#peers.get(peer) ?? 1) - 1;
      if (left > 0) this.#peers.set(peer, left);
      else this.#peers.delete(peer);
    };
  }

  #full(max: number, where: string): JobError {
    return new JobError(
      "resource_exhausted",
      `Cannot begin: there are already ${max} ${this.#name}${where}`,
      { hint: "End some of them first, or try again later" },
    );
  }
}

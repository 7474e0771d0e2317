import type { NodeStatus, Peers } from "./peers.ts";
import type { Registry } from "../registry.ts";

/** Which node has and runs which jobs. */
export class RunnableKinds {
  readonly #registry: Registry;
  readonly #peers: Peers;

  constructor(options: { readonly registry: Registry; readonly peers: Peers }) {
    this.#registry = options.registry;
    this.#peers = options.peers;
  }

  /** Of some kinds those that no live node runs. */
  async unserved(kinds: Iterable<string>): Promise<ReadonlySet<string>> {
    const left = new Set([...kinds].filter((kind) => !this.#registry.kinds.has(kind)));
    if (left.size === 0) return left;
    for (const node of await this.#peers.others()) {
      if (!node.isDraining) { for (const kind of node.kinds) left.delete(kind); }
    }
    return left;
  }

  /** Whether this node has a job, or another node seen within the last hour. */
  async isKnown(kind: string): Promise<boolean> {
    if (this.#registry.find(kind)) return true;
    return (await this.#nodesWith(kind)).length > 0;
  }

  /** @throws JobError `not_found` when no node of the last hour has the job */
  async assertKnown(kind: string): Promise<void> {
    if (!await this.isKnown(kind)) this.#registry.get(kind);
  }

  async #nodesWith(kind: string): Promise<readonly NodeStatus[]> {
    const nodes = await this.#peers.list();
    return nodes.filter(({ kinds, idle }) => kinds.includes(kind) || idle.includes(kind));
  }
}

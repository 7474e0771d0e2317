import type { Registry } from "../registry.ts";
import { hasKind, type Peers } from "./peers.ts";

/** The kinds that the nodes on the store have and can run. */
export class RunnableKinds {
  readonly #registry: Registry;
  readonly #peers: Peers;

  constructor(options: { readonly registry: Registry; readonly peers: Peers }) {
    this.#registry = options.registry;
    this.#peers = options.peers;
  }

  /** The given kinds that no live node can run. */
  async unserved(kinds: Iterable<string>): Promise<ReadonlySet<string>> {
    const left = new Set([...kinds].filter((kind) => !this.#registry.kinds.has(kind)));
    if (left.size === 0) return left;
    for (const node of await this.#peers.others()) {
      if (!node.isDraining) { for (const kind of node.kinds) left.delete(kind); }
    }
    return left;
  }

  /** True if this node has a job, or another node seen within the last hour has it. */
  async isKnown(kind: string): Promise<boolean> {
    if (this.#registry.find(kind)) return true;
    return (await this.#peers.list()).some((node) => hasKind(node, kind));
  }

  /** @throws JobError `not_found` if no node seen within the last hour has the job */
  async assertKnown(kind: string): Promise<void> {
    if (!await this.isKnown(kind)) this.#registry.get(kind);
  }
}

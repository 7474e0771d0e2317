import type { Instance } from "../../../core/instance.ts";

/** Current claims, of all nodes and of each. */
export interface Slots {
  total: number;
  readonly byNode: Map<string, number>;
}

const NONE: Slots = { total: 0, byNode: new Map() };

/** Current claims of one kind, and of each of its queues. */
class KindUsage {
  readonly all: Slots = { total: 0, byNode: new Map() };
  readonly queues = new Map<string, Slots>();

  change({ queueKey, node }: Instance, by: 1 | -1): void {
    let queue = this.queues.get(queueKey);
    if (!queue) this.queues.set(queueKey, queue = { total: 0, byNode: new Map() });
    for (const slots of [this.all, queue]) {
      slots.total += by;
      slots.byNode.set(node!, (slots.byNode.get(node!) ?? 0) + by);
    }
    if (queue.total === 0) this.queues.delete(queueKey);
  }
}

/** Counts the current claims of kinds with limits; other kinds cost nothing. */
export class Usage {
  readonly #kinds = new Map<string, KindUsage>();
  readonly #claimed: () => Iterable<Instance>;

  /** @param claimed every claimed instance */
  constructor(claimed: () => Iterable<Instance>) {
    this.#claimed = claimed;
  }

  ofKind(kind: string): Slots {
    return this.#kind(kind).all;
  }

  ofQueue(kind: string, queueKey: string): Slots {
    return this.#kind(kind).queues.get(queueKey) ?? NONE;
  }

  /** The queues of a kind that have claims. */
  queuesOf(kind: string): Iterable<string> {
    return this.#kind(kind).queues.keys();
  }

  has(kind: string): boolean {
    return this.#kinds.has(kind);
  }

  kinds(): Iterable<string> {
    return this.#kinds.keys();
  }

  /** A claim began or ended. */
  change(instance: Instance, by: 1 | -1): void {
    this.#kinds.get(instance.kind)?.change(instance, by);
  }

  /** Count again when next needed. */
  clear(): void {
    this.#kinds.clear();
  }

  #kind(kind: string): KindUsage {
    let usage = this.#kinds.get(kind);
    if (usage) return usage;
    this.#kinds.set(kind, usage = new KindUsage());
    for (const instance of this.#claimed()) if (instance.kind === kind) usage.change(instance, 1);
    return usage;
  }
}

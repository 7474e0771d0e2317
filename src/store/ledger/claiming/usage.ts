import type { Instance } from "../../../core/instance.ts";
import { isFinal } from "../../../core/state.ts";

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

/** The slot that an unfinished instance keeps; null without one. */
function slotOf({ slotKey, state }: Instance): string | null {
  return slotKey === null || isFinal(state) ? null : slotKey;
}

/** Counts the current claims of kinds with limits; other kinds cost nothing. */
export class Usage {
  readonly #kinds = new Map<string, KindUsage>();
  /** Kept slots of a kind by queue, once asked for. */
  readonly #kept = new Map<string, Map<string, number>>();
  readonly #claimed: () => Iterable<Instance>;
  readonly #keptSlots: (kind: string) => Map<string, number>;

  /**
   * @param claimed every claimed instance
   * @param keptSlots counts the kept slots of a kind in the tables
   */
  constructor(
    claimed: () => Iterable<Instance>,
    keptSlots: (kind: string) => Map<string, number>,
  ) {
    this.#claimed = claimed;
    this.#keptSlots = keptSlots;
  }

  ofKind(kind: string): Slots {
    return this.#kind(kind).all;
  }

  ofQueue(kind: string, queueKey: string): Slots {
    return this.#kind(kind).queues.get(queueKey) ?? NONE;
  }

  /** Slots of a queue that instances keep, running or waiting; {@link ofQueue} lacks them. */
  keptOf(kind: string, queueKey: string): number {
    let kept = this.#kept.get(kind);
    if (!kept) this.#kept.set(kind, kept = this.#keptSlots(kind));
    return kept.get(queueKey) ?? 0;
  }

  /** The queues of a kind that have claims or kept slots. */
  queuesOf(kind: string): Iterable<string> {
    const kept = this.#kept.get(kind);
    const queues = this.#kind(kind).queues.keys();
    return kept ? new Set([...queues, ...kept.keys()]) : queues;
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

  /** A row changed; null for none. It may have begun or ended to keep a slot. */
  changeKept(before: Instance | null, after: Instance | null): void {
    if (this.#kept.size === 0) return;
    for (const [instance, by] of [[before, -1], [after, 1]] as const) {
      const slotKey = instance && slotOf(instance);
      const kept = instance && this.#kept.get(instance.kind);
      if (!kept || slotKey === null) continue;
      const count = (kept.get(slotKey) ?? 0) + by;
      if (count === 0) kept.delete(slotKey);
      else kept.set(slotKey, count);
    }
  }

  /** Count again when next needed. */
  clear(): void {
    this.#kinds.clear();
    this.#kept.clear();
  }

  #kind(kind: string): KindUsage {
    let usage = this.#kinds.get(kind);
    if (usage) return usage;
    this.#kinds.set(kind, usage = new KindUsage());
    for (const instance of this.#claimed()) if (instance.kind === kind) usage.change(instance, 1);
    return usage;
  }
}

import {
  type Block,
  type ClaimLimits,
  type ConcurrencyLimit,
  isOfQueue,
  type JobLimits,
  keptSlots,
  type RateLimit,
} from "../../../core/job/limits.ts";
import type { Instance } from "../../../core/instance.ts";
import type { ClaimRequest } from "../../store.ts";
import { isKeyed } from "../tables/row.ts";
import type { LedgerState, Moment } from "../state.ts";
import type { QueueName } from "../tables/tables.ts";
import type { Slots } from "./usage.ts";

/** The limits of a node without any. */
export const NO_LIMITS: ClaimLimits = { kinds: new Map(), pools: [] };

/** The limits of a kind, separated into the whole kind's and each queue's. */
interface Parted {
  readonly kind: JobLimits;
  readonly queue: JobLimits;
  /** Identifies the rates of the queues, as text. */
  readonly stamp: string;
}

const NO_PARTS: Parted = {
  kind: { concurrency: [], rate: [] },
  queue: { concurrency: [], rate: [] },
  stamp: "",
};
const parted = new WeakMap<JobLimits, Parted>();

/** The claims that one node may make at one moment, by its limits and the store's counts. */
export class Gate {
  readonly #state: LedgerState;
  readonly #moment: Moment;
  readonly #node: string;
  readonly limits: ClaimLimits;

  constructor(
    state: LedgerState,
    moment: Moment,
    request: Partial<Pick<ClaimRequest, "node" | "limits">>,
  ) {
    this.#state = state;
    this.#moment = moment;
    this.#node = request.node ?? "";
    this.limits = request.limits ?? NO_LIMITS;
  }

  /** True if claims of a kind may be limited. */
  isLimited(kind: string): boolean {
    return this.limits.kinds.has(kind) || this.limits.pools.some(({ kinds }) => kinds.has(kind));
  }

  stampOf(kind: string): string {
    return this.#parts(kind).stamp;
  }

  /** The block of a whole kind; null for none. */
  blockOfKind(kind: string): Block | null {
    const { usage } = this.#state;
    for (const { name, kinds, max } of this.limits.pools) {
      if (!kinds.has(kind)) continue;
      let used = 0;
      for (const one of kinds) used += usage.ofKind(one).byNode.get(this.#node) ?? 0;
      if (used >= max) return { limit: "pool", name, used, max, opensAt: null };
    }
    const { concurrency, rate } = this.#parts(kind).kind;
    if (concurrency.length > 0) {
      const block = this.#blockBySlots(kind, concurrency, usage.ofKind(kind));
      if (block) return block;
    }
    return this.#blockByRate(kind, rate, { kind, queueKey: "" });
  }

  /** The block of one queue of a kind (without a key, the default one); null if unblocked. */
  blockOfQueue(queue: QueueName): Block | null {
    if (!isKeyed(queue)) return null;
    const { kind, queueKey } = queue;
    const { concurrency, rate } = this.#parts(kind).queue;
    if (concurrency.length > 0) {
      const { usage } = this.#state;
      const kept = concurrency[0]!.hold === "instance" ? usage.keptOf(kind, queueKey) : 0;
      const block = this.#blockBySlots(queueKey, concurrency, usage.ofQueue(kind, queueKey), kept);
      if (block) return block;
    }
    return this.#blockByRate(queueKey, rate, queue);
  }

  /** A claimed instance with the slot that it keeps from its first attempt, if its job says so. */
  withSlot(instance: Instance): Instance {
    if (!isKeyed(instance)) return instance;
    const limits = this.limits.kinds.get(instance.kind);
    if (!limits || !keptSlots(limits)) return instance;
    return { ...instance, queueKey: instance.kind, slotKey: instance.queueKey };
  }

  /** Count the start of an attempt: now, or at its due time if it is claimed early. */
  started(instance: Instance): void {
    // It continues its attempt.
    if (instance.waits !== null) return;
    const startAt = this.#state.dueBy(this.#moment, { dueBy: instance.dueAt });
    const parts = this.#parts(instance.kind);
    this.#count(parts.kind.rate, { kind: instance.kind, queueKey: "" }, startAt);
    if (isKeyed(instance)) this.#count(parts.queue.rate, instance, startAt);
  }

  #parts(kind: string): Parted {
    const limits = this.limits.kinds.get(kind);
    if (!limits) return NO_PARTS;
    let parts = parted.get(limits);
    if (!parts) parted.set(limits, parts = partsOf(limits));
    return parts;
  }

  #blockBySlots(
    name: string,
    limits: readonly ConcurrencyLimit[],
    { total, byNode }: Slots,
    kept = 0,
  ): Block | null {
    for (const { max, per } of limits) {
      const used = per === "node" ? byNode.get(this.#node) ?? 0 : total + kept;
      if (used >= max) return { limit: "concurrency", name, used, max, opensAt: null };
    }
    return null;
  }

  #blockByRate(name: string, limits: readonly RateLimit[], queue: QueueName): Block | null {
    let block: Block | null = null;
    const { wallMs } = this.#moment;
    for (const { max, perMs } of limits) {
      const window = { kind: queue.kind, queueKey: queue.queueKey, perMs };
      const opensAt = this.#state.rates.opensAt(window, max, wallMs);
      if (opensAt <= wallMs || (block && opensAt <= block.opensAt!)) continue;
      const used = this.#state.rates.used(window, wallMs);
      block = { limit: "rate", name, used, max, opensAt };
    }
    return block;
  }

  #count(limits: readonly RateLimit[], { kind, queueKey }: QueueName, startAt: number): void {
    const { wallMs } = this.#moment;
    const counted = new Set<number>();
    for (const limit of limits) {
      if (counted.has(limit.perMs)) continue;
      counted.add(limit.perMs);
      const window = { kind, queueKey, perMs: limit.perMs };
      this.#state.rates.add(window, limit, { wallMs, startAt });
    }
  }
}

function partsOf({ concurrency, rate }: JobLimits): Parted {
  const isOfKind = (limit: RateLimit | ConcurrencyLimit) => !isOfQueue(limit);
  const queueRates = rate.filter(isOfQueue);
  return {
    kind: { concurrency: concurrency.filter(isOfKind), rate: rate.filter(isOfKind) },
    queue: { concurrency: concurrency.filter(isOfQueue), rate: queueRates },
    stamp: queueRates.map(({ max, perMs }) => `${max}/${perMs}`).join(" "),
  };
}

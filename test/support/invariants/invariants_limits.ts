import type { Instance } from "../../../src/core/instance.ts";
import type { JobLimits } from "../../../src/core/job/limits.ts";
import type { Report, Tracked } from "./invariants_replay.ts";
import type { StoreRecord } from "../servers/recording_store.ts";

type Claim = Extract<StoreRecord, { readonly type: "claim" }>;
type Placed = Pick<Instance, "kind" | "queueKey">;

/**
 * B1: no more claims of a kind or a queue than run at once; B2: no span with more starts than its
 * rate.
 */
export class LimitReplay {
  readonly #report: Report;
  readonly #aheadMs: number;
  readonly #nodes = new Map<Tracked, string>();
  /** Times of the starts, by kind and by queue. */
  readonly #starts = new Map<string, number[]>();

  /** @param aheadMs how long before its due time an instance may be claimed */
  constructor(report: Report, { aheadMs }: { readonly aheadMs: number }) {
    this.#report = report;
    this.#aheadMs = aheadMs;
  }

  /** A claim was made; what it holds counts until {@link ended}. */
  started(record: Claim, tracked: Tracked): void {
    const { as } = tracked;
    this.#nodes.set(tracked, record.node);
    // An early claim starts when its instance is due.
    const startAt = Math.max(record.t, Math.min(tracked.dueAt, record.t + this.#aheadMs));
    for (const key of [as.kind, queueOf(as)]) {
      this.#starts.set(key, [...this.#starts.get(key) ?? [], startAt]);
    }
    const limits = record.limits?.get(as.kind);
    if (!limits) return;
    for (const text of this.#reached(as, limits, record, 1)) {
      this.#report(text.startsWith("rate") ? "B2" : "B1", `${as.id} at ${record.rev}: ${text}`);
    }
  }

  /** A claim ended. */
  ended(tracked: Tracked): void {
    this.#nodes.delete(tracked);
  }

  /** Whether a limit of the claiming node holds an instance back. */
  isBlocked(instance: Placed, record: Claim): boolean {
    const limits = record.limits?.get(instance.kind);
    return limits !== undefined && this.#reached(instance, limits, record, 0).length > 0;
  }

  /** The limits with more than `max` less one, and `over`, in use. */
  #reached(instance: Placed, limits: JobLimits, record: Claim, over: 0 | 1): readonly string[] {
    const reached: string[] = [];
    // What waits in its kind's own queue has no key.
    const isKeyed = instance.queueKey !== instance.kind;
    for (const { max, by, per } of limits.concurrency) {
      if (by.length > 0 && !isKeyed) continue;
      let used = 0;
      for (const [{ as }, node] of this.#nodes) {
        const isSame = by.length > 0
          ? queueOf(as) === queueOf(instance)
          : as.kind === instance.kind;
        if (isSame && (per === "cluster" || node === record.node)) used += 1;
      }
      if (used >= max + over) reached.push(`slots: ${used} of ${max}`);
    }
    for (const { max, perMs, by } of limits.rate) {
      if (by.length > 0 && !isKeyed) continue;
      const key = by.length > 0 ? queueOf(instance) : instance.kind;
      const used = (this.#starts.get(key) ?? []).filter((at) => at > record.t - perMs).length;
      if (used >= max + over) reached.push(`rate: ${used} of ${max} in ${perMs} ms`);
    }
    return reached;
  }
}

function queueOf({ kind, queueKey }: Placed): string {
  return `${kind}/${queueKey}`;
}

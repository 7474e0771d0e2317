import type { Instance } from "../../src/core/instance.ts";
import type { Block, ClaimLimits, RateLimit } from "../../src/core/job/limits.ts";
import type { ClaimRequest } from "../../src/store/store.ts";
import type { ModelRow, StoreModel } from "./store_model.ts";

/** The claiming node, and the time. */
interface Asker {
  readonly node: string;
  readonly limits: ClaimLimits;
  readonly wallMs: number;
}

/** Limits as documented: current claims are counted, starts are a list of times. */
export class ModelLimits {
  readonly #model: StoreModel;
  readonly #starts = new Map<string, number[]>();

  constructor(model: StoreModel) {
    this.#model = model;
  }

  /** Count a start in the windows that the claimer's limits have. */
  started(instance: Instance, limits: ClaimLimits | undefined): void {
    const windows = new Set<string>();
    for (const limit of limits?.kinds.get(instance.kind)?.rate ?? []) {
      const window = windowOf(instance, limit);
      if (window !== null) windows.add(window);
    }
    for (const window of windows) {
      const starts = this.#starts.get(window) ?? [];
      starts.push(this.#model.wallMs);
      this.#starts.set(window, starts);
    }
  }

  /** The limit that blocks an instance; null for none. */
  blockOf(instance: Instance, asker: Asker): Block["limit"] | null {
    const { kind } = instance;
    const { node, limits } = asker;
    const running = this.#model.rows.filter(({ leaseUntilMs }) => leaseUntilMs !== null)
      .map((row) => row.instance);
    const isFull = limits.pools.some(({ kinds, max }) =>
      kinds.has(kind) &&
      running.filter((one) => kinds.has(one.kind) && one.node === node).length >= max
    );
    if (isFull) return "pool";
    const own = limits.kinds.get(kind);
    for (const { max, by, per } of own?.concurrency ?? []) {
      if (by.length > 0 && instance.queueKey === kind) continue;
      const used = running.filter((one) =>
        one.kind === kind && (by.length === 0 || one.queueKey === instance.queueKey) &&
        (per === "cluster" || one.node === node)
      );
      if (used.length >= max) return "concurrency";
    }
    return this.opensAt(instance, asker) > asker.wallMs ? "rate" : null;
  }

  /** When the last of an instance's rates has room. */
  opensAt(instance: Instance, { limits, wallMs }: Asker): number {
    let opensAt = wallMs;
    for (const limit of limits.kinds.get(instance.kind)?.rate ?? []) {
      const window = windowOf(instance, limit);
      if (window === null) continue;
      const counted = (this.#starts.get(window) ?? []).filter((at) => at + limit.perMs > wallMs);
      // It opens when all but max − 1 of them have expired.
      const last = counted[counted.length - limit.max];
      if (last !== undefined) opensAt = Math.max(opensAt, last + limit.perMs);
    }
    return opensAt;
  }
}

function windowOf({ kind, queueKey }: Instance, { by, perMs }: RateLimit): string | null {
  if (by.length === 0) return `${perMs} ${kind}`;
  return queueKey === kind ? null : `${perMs} ${kind} ${queueKey}`;
}

/** The claimable instances at a time, in claim order. */
export function claimableNow(
  model: StoreModel,
  { node, kinds, limits = NO_LIMITS }: Pick<ClaimRequest, "node" | "kinds" | "limits">,
  wallMs: number,
): readonly ModelRow[] {
  const rows = model.rows.filter(({ instance, isHeld, isSeenDue }) =>
    instance.state === "scheduled" && !isHeld && (isSeenDue || instance.dueAt <= wallMs) &&
    kinds.has(instance.kind) && !model.isPaused(instance.kind, wallMs) &&
    model.limits.blockOf(instance, { node, limits, wallMs }) === null
  );
  return rows.sort((left, right) =>
    left.instance.priority - right.instance.priority ||
    left.instance.dueAt - right.instance.dueAt || left.seq - right.seq
  );
}

/** Times at which something may become claimable by itself, after `wallMs`, ascending. */
export function changeTimes(
  model: StoreModel,
  { node, limits = NO_LIMITS }: Pick<ClaimRequest, "node" | "limits">,
  wallMs: number,
): readonly number[] {
  const times = new Set<number>();
  for (const { instance } of model.rows) {
    if (instance.state !== "scheduled") continue;
    times.add(instance.dueAt);
    times.add(model.limits.opensAt(instance, { node, limits, wallMs }));
  }
  for (const { until } of model.pauses.values()) if (until !== null) times.add(until);
  return [...times].filter((time) => time > wallMs).sort((left, right) => left - right);
}

const NO_LIMITS: ClaimLimits = { kinds: new Map(), pools: [] };

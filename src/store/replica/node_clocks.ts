import { JobError } from "../../core/errors.ts";

/** A node's report about its clock and its peers' clocks. */
export interface ClockReport {
  /** Its clock at the time of the report, epoch ms. */
  readonly at: number;
  /** By node: its clock when it last heard from that node, minus the reported clock, in ms. */
  readonly heard: Readonly<Record<string, number>>;
  /** True if the others should report at once. */
  readonly asks: boolean;
}

interface Peer {
  /** Our clock when we last heard from it, minus its reported clock: our greatest possible lead. */
  readonly aheadMax: number;
  /** We are ahead by at least this, by the last report that it received from us. */
  readonly aheadMin: number;
  /** True if it has reported since we asked. */
  readonly hasReported: boolean;
}

/** Our clock, compared with clocks that certainly differ too much. */
interface ClockProblem {
  /** Least distance by which it is ahead of theirs, in milliseconds; negative if behind. */
  readonly aheadMs: number;
  readonly peers: readonly string[];
}

/**
 * A node's knowledge of its clock compared with its peers'. A report takes an unknown time, so
 * receiving one bounds the difference from above, and the peer's receipt of ours bounds it from
 * below. Slow networks and stopped processes only widen the bounds.
 */
export class NodeClocks {
  readonly #self: string;
  readonly #maxSkewMs: number;
  readonly #peers = new Map<string, Peer>();

  constructor(self: string, maxSkewMs: number) {
    this.#self = self;
    this.#maxSkewMs = maxSkewMs;
  }

  /** @param nowMs our clock when the report was received; null for an old report */
  heard(node: string, report: ClockReport, nowMs: number | null): void {
    if (node === this.#self) return;
    const ofUs = report.heard[this.#self];
    const known = this.#peers.get(node);
    this.#peers.set(node, {
      aheadMax: nowMs === null ? known?.aheadMax ?? Infinity : nowMs - report.at,
      aheadMin: ofUs === undefined || nowMs === null ? known?.aheadMin ?? -Infinity : -ofUs,
      hasReported: nowMs !== null,
    });
  }

  /** A node is gone. */
  gone(node: string): void {
    this.#peers.delete(node);
  }

  /** Forget all other nodes. */
  keep(nodes: ReadonlySet<string>): void {
    for (const node of this.#peers.keys()) if (!nodes.has(node)) this.#peers.delete(node);
  }

  /** Forget all bounds: our clock was set. */
  forget(): void {
    for (const node of this.#peers.keys()) {
      this.#peers.set(node, { aheadMax: Infinity, aheadMin: -Infinity, hasReported: false });
    }
  }

  /** True if every peer has reported since we asked. */
  get haveAllReported(): boolean {
    return [...this.#peers.values()].every(({ hasReported }) => hasReported);
  }

  report(nowMs: number, asks: boolean): ClockReport {
    const heard: Record<string, number> = {};
    for (const [node, { aheadMax }] of this.#peers) {
      if (Number.isFinite(aheadMax)) heard[node] = aheadMax;
    }
    return { at: nowMs, heard, asks };
  }

  /** Certain lead of our clock over a peer's, in milliseconds; 0 if they may be equal. */
  aheadOf(node: string): number {
    const { aheadMax, aheadMin } = this.#peers.get(node) ??
      { aheadMax: Infinity, aheadMin: -Infinity };
    return aheadMin > 0 ? aheadMin : Math.min(0, aheadMax);
  }

  /** A node's certain distance from the median clock, in ms; null if unknown or without peers. */
  skewOf(node: string): number | null {
    if (this.#peers.size === 0 || (node !== this.#self && !this.#peers.has(node))) return null;
    const own = [...this.#peers.keys()].map((peer) => -this.aheadOf(peer));
    const all = [0, ...own].sort((a, b) => a - b);
    const middle = all[(all.length - 1) >> 1]!;
    return Math.round((node === this.#self ? 0 : -this.aheadOf(node)) - middle);
  }

  /** The peers whose clocks differ too much from ours, if they are the majority; null otherwise. */
  problem(): ClockProblem | null {
    const far = [...this.#peers.keys()].filter((node) =>
      Math.abs(this.aheadOf(node)) > this.#maxSkewMs
    );
    if (far.length * 2 <= this.#peers.size) return null;
    const all = far.map((node) => this.aheadOf(node)).sort((a, b) => a - b);
    return { aheadMs: all[all.length >> 1]!, peers: far.sort() };
  }

  /**
   * Refuse an action that depends on our clock while it may be wrong.
   *
   * @param isAsking true while unreported peers may still report
   * @throws JobError `unavailable`
   */
  check(action: string, isAsking: boolean): void {
    if (isAsking && !this.haveAllReported) {
      throw new JobError("unavailable", `Cannot ${action}: the peers' clocks are not known yet`);
    }
    const problem = this.problem();
    if (problem === null) return;
    const { aheadMs, peers } = problem;
    const seconds = (Math.abs(aheadMs) / 1_000).toFixed(1);
    const shown = peers.slice(0, 3).map((peer) => `"${peer}"`).join(", ");
    throw new JobError(
      "unavailable",
      `Cannot ${action}: the clock of node "${this.#self}" is ${seconds} s ${
        aheadMs > 0 ? "ahead of" : "behind"
      } that of ${peers.length} of its peers, such as ${shown}, and ${
        this.#maxSkewMs / 1_000
      } s are allowed`,
      { hint: "Set the clocks (NTP); store.max_skew is how far they may differ" },
    );
  }
}

/** The report in a key's value; null for anything else. */
export function parseReport(text: string): ClockReport | null {
  try {
    const { at, heard, asks } = JSON.parse(text) as Partial<ClockReport>;
    if (typeof at !== "number" || typeof heard !== "object" || heard === null) return null;
    return { at, heard, asks: asks === true };
  } catch {
    return null;
  }
}

/** What a node says of its clock, and of those of its peers. */
export interface ClockReport {
  /** Its clock as it wrote this, epoch ms. */
  readonly at: number;
  /**
   * By node: its clock when it last heard from that one, less what that one said, in milliseconds.
   */
  readonly heard: Readonly<Record<string, number>>;
  /** Whether it wants the others to report at once. */
  readonly asks: boolean;
}

interface Peer {
  /** Our clock when we last heard from it, less what it said: at most so far are we ahead. */
  readonly aheadMax: number;
  /** Our clock less its own is at least so much, by what it last heard from us. */
  readonly aheadMin: number;
  /** Whether it reported since we asked. */
  readonly hasAnswered: boolean;
}

/** Our clock beside those of the nodes that it differs from for certain. */
export interface ClockProblem {
  /** How far it is ahead of theirs at least, in milliseconds; negative when behind. */
  readonly aheadMs: number;
  readonly peers: readonly string[];
}

/**
 * What is known of a node's clock beside those of its peers. A report takes some time, and nobody
 * knows how much: so one heard bounds the difference from above, and what the peer heard of ours
 * from below. Slow ways and stopped processes widen the bounds, and never make two clocks look
 * apart that are not.
 */
export class NodeClocks {
  readonly #self: string;
  readonly #maxSkewMs: number;
  readonly #peers = new Map<string, Peer>();

  constructor(self: string, maxSkewMs: number) {
    this.#self = self;
    this.#maxSkewMs = maxSkewMs;
  }

  /** @param nowMs our clock as the report was received; null for one that was written before */
  heard(node: string, report: ClockReport, nowMs: number | null): void {
    if (node === this.#self) return;
    const ofUs = report.heard[this.#self];
    const known = this.#peers.get(node);
    this.#peers.set(node, {
      aheadMax: nowMs === null ? known?.aheadMax ?? Infinity : nowMs - report.at,
      aheadMin: ofUs === undefined || nowMs === null ? known?.aheadMin ?? -Infinity : -ofUs,
      hasAnswered: nowMs !== null,
    });
  }

  /** A node is no longer there. */
  gone(node: string): void {
    this.#peers.delete(node);
  }

  /** Only these nodes are there now. */
  keep(nodes: ReadonlySet<string>): void {
    for (const node of this.#peers.keys()) if (!nodes.has(node)) this.#peers.delete(node);
  }

  /** What was known no longer counts: our clock was set. */
  forget(): void {
    for (const node of this.#peers.keys()) {
      this.#peers.set(node, { aheadMax: Infinity, aheadMin: -Infinity, hasAnswered: false });
    }
  }

  /** Whether every peer has reported since. */
  get haveAllAnswered(): boolean {
    return [...this.#peers.values()].every(({ hasAnswered }) => hasAnswered);
  }

  /** What to say of our clock. */
  report(nowMs: number, asks: boolean): ClockReport {
    const heard: Record<string, number> = {};
    for (const [node, { aheadMax }] of this.#peers) {
      if (Number.isFinite(aheadMax)) heard[node] = aheadMax;
    }
    return { at: nowMs, heard, asks };
  }

  /**
   * How far our clock is for certain ahead of a peer's, in milliseconds; 0 when they may be equal.
   */
  aheadOf(node: string): number {
    const { aheadMax, aheadMin } = this.#peers.get(node) ??
      { aheadMax: Infinity, aheadMin: -Infinity };
    return aheadMin > 0 ? aheadMin : Math.min(0, aheadMax);
  }

  /**
   * How far a node's clock is from the one in the middle, for certain, in milliseconds; null for
   * one that is not there or alone.
   */
  skewOf(node: string): number | null {
    if (this.#peers.size === 0 || (node !== this.#self && !this.#peers.has(node))) return null;
    const own = [...this.#peers.keys()].map((peer) => -this.aheadOf(peer));
    const all = [0, ...own].sort((a, b) => a - b);
    const middle = all[(all.length - 1) >> 1]!;
    return Math.round((node === this.#self ? 0 : -this.aheadOf(node)) - middle);
  }

  /**
   * The peers that our clock is too far from, when they are most of them; null when we may go on.
   */
  problem(): ClockProblem | null {
    const far = [...this.#peers.keys()].filter((node) =>
      Math.abs(this.aheadOf(node)) > this.#maxSkewMs
    );
    if (far.length * 2 <= this.#peers.size) return null;
    const all = far.map((node) => this.aheadOf(node)).sort((a, b) => a - b);
    return { aheadMs: all[all.length >> 1]!, peers: far.sort() };
  }
}

/** The report that a key's value holds; null for something else. */
export function parseReport(text: string): ClockReport | null {
  try {
    const { at, heard, asks } = JSON.parse(text) as Partial<ClockReport>;
    if (typeof at !== "number" || typeof heard !== "object" || heard === null) return null;
    return { at, heard, asks: asks === true };
  } catch {
    return null;
  }
}

import type { Instant } from "../../platform/clock.ts";
import type { PeerClocks } from "../ledger/owner.ts";
import type { LedgerState } from "../ledger/state.ts";
import { type ClockReport, NodeClocks } from "./node_clocks.ts";

/** The report of a peer that has not reported yet. */
const UNKNOWN: ClockReport = { at: 0, heard: {}, asks: false };
/** Longest wait for live peers' reports after a join: they come within a third of a lease. */
const REPORTS_MS_MAX = 6_000;

/**
 * Compares the nodes' clocks by rows that each writes with its reports, for a medium without a
 * clock check. A node whose clock is too far from most live peers' claims nothing, fires nothing
 * and takes nothing back.
 */
export class ClockWatch implements PeerClocks {
  readonly #state: LedgerState;
  readonly #maxSkewMs: number;
  readonly #now: () => Instant;
  #joinedMs = 0;
  #self: string | null = null;
  #clocks: NodeClocks | null = null;

  /** @param now this node's clocks */
  constructor(state: LedgerState, maxSkewMs: number, now: () => Instant) {
    this.#state = state;
    this.#maxSkewMs = maxSkewMs;
    this.#now = now;
  }

  /** This process is now this node, and does not know its peers' clocks yet. */
  joining(id: string): void {
    this.#self = id;
    this.#joinedMs = this.#now().monotonicMs;
    this.#clocks = new NodeClocks(id, this.#maxSkewMs);
    for (const peer of this.#livePeers()) this.#clocks.heard(peer, UNKNOWN, null);
  }

  /** This node's clock report for its row; null for other nodes. */
  reportOf(id: string): ClockReport | null {
    return id === this.#self ? this.#clocks!.report(this.#now().wallMs, false) : null;
  }

  /** @param isNew true if it was written just now */
  heard(id: string, report: ClockReport, isNew: boolean): void {
    this.#clocks?.heard(id, report, isNew ? this.#now().wallMs : null);
  }

  gone(id: string): void {
    this.#clocks?.gone(id);
  }

  /** @throws JobError `unavailable` while this node's clock may be too far from most live peers' */
  check(action: string): void {
    if (!this.#clocks) return;
    this.#clocks.keep(this.#livePeers());
    const isNew = this.#now().monotonicMs - this.#joinedMs < REPORTS_MS_MAX;
    this.#clocks.check(action, isNew);
  }

  #livePeers(): ReadonlySet<string> {
    const { monotonicMs } = this.#now();
    return new Set(
      [...this.#state.nodes].filter(([, { untilMs }]) => untilMs > monotonicMs).map(([id]) => id),
    );
  }
}

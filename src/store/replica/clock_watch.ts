import { JobError } from "../../core/errors.ts";
import type { Instant } from "../../platform/clock.ts";
import type { PeerClocks } from "../ledger/owner.ts";
import type { LedgerState } from "../ledger/state.ts";
import { type ClockReport, NodeClocks } from "./node_clocks.ts";

/** What is known of a peer that has not reported yet. */
const UNKNOWN: ClockReport = { at: 0, heard: {}, asks: false };
/**
 * How long nothing is claimed after a join while live peers have not reported: they do so within a
 * third of a lease.
 */
const ANSWERS_MS_MAX = 6_000;

/**
 * Compares the clocks of the nodes by rows that each writes with its reports, for a medium that has
 * no means of its own: one whose clock is too far from those of most of its live peers claims
 * nothing, fires nothing and takes nothing back.
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

  /** This process is the node from now on; its peers' clocks are not known yet. */
  joining(id: string): void {
    this.#self = id;
    this.#joinedMs = this.#now().monotonicMs;
    this.#clocks = new NodeClocks(id, this.#maxSkewMs);
    for (const peer of this.#livePeers()) this.#clocks.heard(peer, UNKNOWN, null);
  }

  /** What this node says of its clock in its row; null for the row of another. */
  reportOf(id: string): ClockReport | null {
    return id === this.#self ? this.#clocks!.report(this.#now().wallMs, false) : null;
  }

  /** @param isNew whether it was written just now */
  heard(id: string, report: ClockReport, isNew: boolean): void {
    this.#clocks?.heard(id, report, isNew ? this.#now().wallMs : null);
  }

  gone(id: string): void {
    this.#clocks?.gone(id);
  }

  /**
   * @throws JobError `unavailable` while this node's clock is too far from those of most live
   * peers, or may be
   */
  check(action: string): void {
    if (!this.#clocks) return;
    this.#clocks.keep(this.#livePeers());
    const isNew = this.#now().monotonicMs - this.#joinedMs < ANSWERS_MS_MAX;
    if (isNew && !this.#clocks.haveAllAnswered) {
      throw new JobError("unavailable", `Cannot ${action}: the peers' clocks are not known yet`);
    }
    const problem = this.#clocks.problem();
    if (!problem) return;
    const { aheadMs, peers } = problem;
    const seconds = (Math.abs(aheadMs) / 1_000).toFixed(1);
    throw new JobError(
      "unavailable",
      `Cannot ${action}: the clock of node "${this.#self}" is ${seconds} s ${
        aheadMs > 0 ? "ahead of" : "behind"
      } that of ${peers.length} of its peers, and ${this.#maxSkewMs / 1_000} s are allowed`,
      { hint: "Set the clocks (NTP); store.max_skew is how far they may differ" },
    );
  }

  #livePeers(): ReadonlySet<string> {
    const { monotonicMs } = this.#now();
    return new Set(
      [...this.#state.nodes].filter(([, { untilMs }]) => untilMs > monotonicMs).map(([id]) => id),
    );
  }
}

import type { JobError } from "../../core/errors.ts";
import type { Instant } from "../../platform/clock.ts";
import type { Committed, OpenRequest, StoreInfo } from "../store.ts";
import type { LedgerState, Moment } from "./state.ts";

/** An owner's knowledge of an operation before it runs. */
export interface OperationOptions {
  /** If it writes nothing, its result may miss the latest writes of other owners. */
  readonly canBeLate?: boolean;
  /** True if it would not use the tables now: alone, it then costs a sole owner no transaction. */
  readonly isIdle?: (state: LedgerState, moment: Moment) => boolean;
}

/**
 * Freshness of the state for a read: "committed" includes everything acknowledged to anyone before,
 * "own" only this owner's acknowledgments.
 */
export type Freshness = "committed" | "own";

/** Compares this node's clock with its peers', where due times go by the nodes' clocks. */
export interface PeerClocks {
  /** Called before a node of this process joins. */
  joining?(id: string): void;
  /** Called after it has joined. */
  joined?(id: string, leaseMs: number): Promise<void>;
  /** Called before it leaves, and at the end for nodes that have not left. */
  left?(id: string): Promise<void>;
  close?(): Promise<void>;
  /** @throws JobError `unavailable`, naming the action, if this node's clock may be wrong */
  check(action: string): void;
  /** A node's clock minus most others', ms; null if unknown, undefined without a comparison. */
  skewOf?(id: string): number | null | undefined;
}

/** Owns the state of a ledger: opens it, and runs the operations on it. */
export interface LedgerOwner {
  readonly state: LedgerState;
  /** Why nothing may be written now; null if allowed, absent if unknown. */
  readonly problem?: JobError | null | undefined;
  /** Absent: one clock decides for all nodes, or there is one node. */
  readonly clocks?: PeerClocks | undefined;
  open(request: OpenRequest): Promise<StoreInfo>;
  /** Finish the queued operations, then release the data. */
  close(): Promise<void>;
  /** Queue one operation; it must check before it writes. */
  run<T>(
    at: Instant,
    operation: (state: LedgerState, moment: Moment) => T,
    options?: OperationOptions,
  ): Promise<Committed<T>>;
  /** The moment of an operation at `at`. */
  momentOf(at: Instant): Moment;
  /** Resolves once the state is this new; absent for a sole owner, whose state always is. */
  refresh?(freshness: Freshness): Promise<void>;
  /** Resolves after everything else that waits in the event loop. */
  turn(): Promise<void>;
}

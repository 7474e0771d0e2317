import type { ErrorInfo, Instance, LogEntry, Progress, Reason } from "../core/instance.ts";
import type { ClaimLimits } from "../core/job/limits.ts";
import type { FinalState } from "../core/state.ts";
import type { Instant } from "../platform/clock.ts";

/** How long before it is due something may be claimed, in milliseconds. */
export const AHEAD_MS_MAX = 6;

/** Who claims what. */
export interface ClaimRequest {
  readonly at: Instant;
  readonly node: string;
  /** The kinds that the node serves; keep the same set object while it does not change. */
  readonly kinds: ReadonlySet<string>;
  /** What holds kinds back; keep the same object while it does not change. */
  readonly limits?: ClaimLimits;
  readonly limit: number;
  readonly leaseMs: number;
  /**
   * Epoch ms, at most {@link AHEAD_MS_MAX} beyond `at`: what becomes due until then is claimed too, and its node keeps it from
   * beginning before. A store that goes by a clock of its own gives nothing before its time.
   */
  readonly dueBy?: number;
}

/** Names one claim. */
export interface ClaimKey {
  readonly id: string;
  readonly fence: number;
}

/** Which leases to prolong: they run for `leaseMs` from `at`. */
export interface RenewRequest {
  readonly at: Instant;
  readonly node: string;
  readonly claims: readonly ClaimKey[];
  readonly leaseMs: number;
}

/** What became of one claim that was to be renewed. */
export interface RenewResult extends ClaimKey {
  /** "canceling": renewed, and a cancel was requested; "stale": the claim is no longer held. */
  readonly status: "renewed" | "canceling" | "stale";
}

/** What an attempt came to. A requested cancel turns every outcome into Canceled. */
export type Settlement = ClaimKey & {
  /** Written in the same transaction. */
  readonly logs: readonly LogEntry[];
  /** Version of the code that ran; absent when none ran or nobody knows. */
  readonly version?: string;
  /** Absent when it is as it was. */
  readonly progress?: Progress;
  readonly outcome:
    | {
      readonly type: "final";
      readonly state: FinalState;
      readonly reason: Reason;
      readonly resultsJson: string | null;
      readonly error: ErrorInfo | null;
      /** Whether the attempt counts as failed. */
      readonly isFailure: boolean;
    }
    /** The attempt failed and another follows. */
    | {
      readonly type: "retry";
      readonly dueAt: number;
      readonly reason: Reason;
      readonly error: ErrorInfo;
    }
    /** The worker was lost: scheduled again at `dueAt`, or Terminated with reason "lost" past `crashesMax`. */
    | { readonly type: "crash"; readonly dueAt: number; readonly error: ErrorInfo }
    /** It goes on at `dueAt`: neither a failure nor a crash. */
    | { readonly type: "snooze"; readonly dueAt: number }
    /**
     * Given back unfinished at drain: neither a failure nor a crash. With `isUnstarted` it never
     * ran: the claim does not count as an attempt, and the history does not mention it.
     */
    | { readonly type: "release"; readonly dueAt: number; readonly isUnstarted?: boolean };
};

/** What became of one settlement. */
export interface SettleResult extends ClaimKey {
  /** "repeated": the same settlement was recorded before; "stale": the claim is no longer held, nothing was written. */
  readonly status: "settled" | "repeated" | "stale";
  /** The instance after the operation; null when it does not exist. */
  readonly instance: Instance | null;
}

/** Lines for the log of one claim; under fence 0 for what runs after a commit and holds no claim. */
export interface LogAppend extends ClaimKey {
  readonly logs: readonly LogEntry[];
  /** Absent when it is as it was. */
  readonly progress?: Progress;
}

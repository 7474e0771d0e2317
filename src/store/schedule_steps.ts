import type { Instance } from "../core/instance.ts";
import type { Overlap, ScheduleRecord, TickFate } from "../core/job/schedule.ts";
import type { Instant } from "../platform/clock.ts";
import type { NewInstance } from "./store.ts";

/** One step of a recurring schedule: a compare-and-set on (generation, cursor). */
export interface Advance {
  readonly scheduleId: string;
  readonly generation: number;
  readonly expectedCursor: number;
  readonly cursor: number;
  readonly nextAt: number | null;
  /**
   * Ticks to fire, oldest first, each with `scheduleId` and `scheduledFor`. What becomes of each is decided at that point of
   * the transaction by `skipReason`: a skipped one is recorded with its reason. While an instance of the schedule is
   * unfinished, one under overlap "queue" or "replace" is accepted and held until those before it are final, and under
   * "replace" those before it are canceled, reason "replaced".
   */
  readonly fires: readonly NewInstance[];
  /** Fates that the scheduler decided itself: missed, coalesced, skipped. */
  readonly fates: readonly Omit<TickFate, "at" | "scheduleId">[];
  readonly overlap: Overlap;
  /** Whether the ticks are made up for: under overlap "skip" too each is held until those before it are final. */
  readonly isCatchUp?: boolean;
  /**
   * Whether its tick is still to come, so that the instance may be claimed before its time. Such a step is made only if it fires
   * one tick that nothing is in the way of: what is in the way now may be gone by then. A store that goes by a clock of its
   * own makes none.
   */
  readonly isAhead?: boolean;
  /** Version of the time zone database that `nextAt` was computed with. */
  readonly tzVersion?: string;
}

/** Past ticks of a schedule that are to run after all. Its cursor stays. */
export interface Backfill {
  readonly scheduleId: string;
  /**
   * Oldest first, each with `scheduleId` and `scheduledFor`. A tick that has a run already is left out, and one whose unique key is held. Each is held until
   * those before it are final, unless the overlap is "allow".
   */
  readonly fires: readonly NewInstance[];
  readonly overlap: Overlap;
}

/** What became of one step of a schedule. */
export interface AdvanceResult {
  readonly scheduleId: string;
  /**
   * "conflict": another node was first, or the spec changed; "gone": no such schedule; "early": it is ahead and to be asked for
   * at its time. Nothing was written then.
   */
  readonly status: "advanced" | "conflict" | "gone" | "early";
  readonly accepted: readonly Instance[];
  /** Due times of ticks that were skipped, as their fates say why. */
  readonly skipped: readonly number[];
  /** Instances that were canceled, or marked when they run, since a tick replaces them. */
  readonly replaced: readonly Instance[];
}

/** Which schedules; all given conditions must hold. */
export interface ScheduleQuery {
  readonly kind?: string;
  readonly origin?: "config" | "runtime";
  /** Also those removed from the config, whose place is kept. */
  readonly withRemoved?: boolean;
}

/** A schedule to write, and what must be stored for it. */
export interface PutSchedule {
  readonly at: Instant;
  readonly record: ScheduleRecord;
  readonly expectedGeneration: number | null;
  readonly expectedCursor?: number;
  /**
   * Whether it uses the node's clock, as a step does: refused with `unavailable` if that clock is
   * too far from its peers'.
   */
  readonly isByClock?: boolean;
}

/** Which schedules are due: those with `nextAt` ≤ `at`. */
export interface DueSchedulesRequest {
  readonly at: Instant;
  readonly limit: number;
  /** So many of them, the earliest, are left out. */
  readonly skip?: number;
  /** Epoch ms, a moment beyond `at`: those that become due until then too; of a store with a clock of its own none of them. */
  readonly dueBy?: number;
}

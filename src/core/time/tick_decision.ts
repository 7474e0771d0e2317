import { isBlackedOut } from "./blackout.ts";
import { type Overlap, QUEUE_MAX, type ScheduleRecord } from "./schedule.ts";

/** Facts for the store's decision on a due tick. */
export interface TickFacts {
  readonly overlap: Overlap;
  /** Number of ticks that became instances. */
  readonly runs: number;
  /** Number of ticks still to skip on request. */
  readonly skipNext: number;
  /** True if the kind, or everything, is paused. */
  readonly isPaused: boolean;
  /** True if an instance of the schedule is unfinished. */
  readonly isBusy: boolean;
  /** Instances of the schedule that wait for an earlier one. */
  readonly queuedCount: number;
  /** True if a late tick is caught up on (misfire "all"): it waits in line, like a backfill. */
  readonly isCatchUp: boolean;
}

/** Reason for a skipped tick. The first applicable reason is recorded. */
export type SkipReason = "runs_max" | "skip requested" | "blackout" | "paused" | "overlap";

/** Why a due tick, epoch ms, is skipped; null when it becomes a run. */
export function skipReason(
  record: Pick<ScheduleRecord, "spec" | "skipUntil">,
  tick: number,
  facts: TickFacts,
): SkipReason | null {
  const { spec, skipUntil = -Infinity } = record;
  if (spec.runsMax !== undefined && facts.runs >= spec.runsMax) return "runs_max";
  if (tick < skipUntil || facts.skipNext > 0) return "skip requested";
  if (isBlackedOut(spec.blackout ?? [], spec.timezone, tick)) return "blackout";
  if (facts.isPaused) return "paused";
  if (!facts.isBusy || facts.isCatchUp) return null;
  if (facts.overlap === "allow" || facts.overlap === "replace") return null;
  if (facts.overlap === "skip") return "overlap";
  return facts.queuedCount >= (spec.queueMax ?? QUEUE_MAX) ? "overlap" : null;
}

/**
 * Delay of a schedule's runs on a node, in milliseconds. It comes from a hash: it survives
 * restarts, and schedules and nodes with the same time spread out.
 */
export function jitterOf(scheduleId: string, node: string, jitterMs: number): number {
  if (jitterMs <= 0) return 0;
  // FNV-1a, then a finish that spreads differences in the last characters.
  let hash = 0x811c9dc5;
  for (const character of `${scheduleId}\n${node}`) {
    hash = Math.imul(hash ^ character.codePointAt(0)!, 0x01000193);
  }
  hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b);
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35);
  return Math.floor((((hash ^ hash >>> 16) >>> 0) / 2 ** 32) * jitterMs);
}

import type { ScheduleRecord } from "./schedule.ts";
import { lastTickOf, nextTickOf } from "./ticks.ts";

/** One tick of a schedule. */
export interface TickKey {
  readonly scheduleId: string;
  /** Epoch ms. */
  readonly tick: number;
}

/** Most that a run may begin before its tick, because clocks differ. */
const EARLY_MS = 30_000;
/** Longest distance of a run from its tick. */
const LATE_MS_MAX = 400 * 86_400_000;

/**
 * The tick of a run elsewhere: the last tick before it began, or the next one if that is nearer and
 * at most 30 s ahead.
 *
 * @param at its start, or its end if only that is known, epoch ms
 * @returns null if there is none
 */
export function tickOfRun(schedules: readonly ScheduleRecord[], at: number): TickKey | null {
  let best: TickKey | null = null;
  for (const { id: scheduleId, spec, startAt } of schedules) {
    const span = { afterMs: Math.max(startAt, at - LATE_MS_MAX), untilMs: at };
    const next = nextTickOf(spec, startAt, at);
    const ticks = [lastTickOf(spec, startAt, span), next !== null && next - at <= EARLY_MS && next];
    for (const tick of ticks) {
      if (tick === null || tick === false) continue;
      if (best && Math.abs(tick - at) >= Math.abs(best.tick - at)) continue;
      best = { scheduleId, tick };
    }
  }
  return best;
}

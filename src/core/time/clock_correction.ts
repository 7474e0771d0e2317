import type { Instance } from "../instance.ts";
import type { ClockCorrection, ScheduleRecord, TickFate } from "./schedule.ts";
import { CORRECTION_MS, countTicksOf, lastTickOf, nextTickOf } from "./ticks.ts";
import { isFinal } from "../state.ts";

/** Smallest lead of a clock, in milliseconds, whose effects are corrected. */
export const AHEAD_MS_MIN = 10_000;

/** True if a recorded time came from a clock that was ahead and has been corrected since. */
export function isFromAhead(recordedMs: number, nowMs: number): boolean {
  return recordedMs - nowMs > CORRECTION_MS;
}

/**
 * The corrected record of a schedule whose cursor is hours ahead; null if the schedule is fine.
 *
 * @param fromMs it continues with the first tick after this time, epoch ms
 * @throws JobError `invalid_argument` for an unreadable spec
 */
export function correctSchedule(
  record: ScheduleRecord,
  nowMs: number,
  fromMs: number = nowMs,
): ScheduleRecord | null {
  const { spec, cursor, startAt, createdAt, updatedAt, skipUntil } = record;
  if (!isFromAhead(cursor, nowMs) && !isFromAhead(startAt, nowMs)) return null;
  const start = correctStart(record, fromMs);
  const at = Math.min(cursor, fromMs);
  const isSkipAhead = skipUntil !== undefined && isFromAhead(updatedAt, nowMs);
  const { runs = 0, removedAt } = record;
  const isDone = runs >= (spec.runsMax ?? Infinity) || removedAt !== undefined;
  return {
    ...record,
    cursor: at,
    startAt: start,
    nextAt: isDone ? null : nextTickOf(spec, start, at),
    createdAt: Math.min(createdAt, fromMs),
    updatedAt: Math.min(updatedAt, fromMs),
    ...(removedAt === undefined ? {} : { removedAt: Math.min(removedAt, nowMs) }),
    ...(isSkipAhead ? { skipUntil: nowMs + Math.max(0, skipUntil - updatedAt) } : {}),
    correction: { at, cursor },
  };
}

// Interval ticks keep their phase, so that past ticks are recognized.
function correctStart({ spec, startAt }: ScheduleRecord, fromMs: number): number {
  if (startAt <= fromMs) return startAt;
  if (spec.everyMs === null) return fromMs;
  return startAt - Math.ceil((startAt - fromMs) / spec.everyMs) * spec.everyMs;
}

/** The correction of a schedule that restarts at a time; undefined if its cursor was not ahead. */
export function correctionOf(
  before: Pick<ScheduleRecord, "cursor" | "correction"> | null,
  nowMs: number,
): ClockCorrection | undefined {
  if (before === null) return undefined;
  if (isFromAhead(before.cursor, nowMs)) return { at: nowMs, cursor: before.cursor };
  const { correction } = before;
  return correction === undefined || correction.cursor <= nowMs ? undefined : correction;
}

/** True if the record of a tick after the cursor is void, because a fast clock decided it. */
export function isVoidFate(
  { correction }: Pick<ScheduleRecord, "correction">,
  { fate }: Pick<TickFate, "fate">,
  tick: number,
): boolean {
  return correction !== undefined && fate !== "fired" &&
    tick > correction.at && tick <= correction.cursor;
}

/** The valid part of a fate: up to the cursor if a fast clock decided it; null without one. */
export function decidedPart(record: ScheduleRecord, fate: TickFate): TickFate | null {
  const { spec, startAt, cursor } = record;
  if (fate.to <= cursor || !isVoidFate(record, fate, fate.to)) return fate;
  if (fate.from > cursor) return null;
  const span = { afterMs: fate.from - 1, untilMs: cursor };
  const to = lastTickOf(spec, startAt, span);
  return to === null ? null : { ...fate, to, count: countTicksOf(spec, startAt, span) };
}

/**
 * The corrected form of an instance with times from a fast clock; null if it is fine. A wait for
 * another attempt keeps its length, counted from now, and retention of an ended instance counts
 * from now. An instance that was accepted to run at once is due now; any other untried one keeps
 * its due time, which its caller chose.
 */
export function correctInstance(instance: Instance, nowMs: number): Instance | null {
  const { state, attempt, dueAt, scheduledAt, settledAt, processedAt, uniqueUntil } = instance;
  const began = processedAt === null ? null : Math.min(processedAt, nowMs);
  if (isFinal(state)) {
    if (settledAt === null || !isFromAhead(settledAt, nowMs)) return null;
    const until = uniqueUntil === null ? null : uniqueUntil - (settledAt - nowMs);
    return { ...instance, settledAt: nowMs, processedAt: began, uniqueUntil: until };
  }
  if (wasDueAtOnce(instance)) {
    return dueAt - nowMs > AHEAD_MS_MIN ? { ...instance, dueAt: nowMs } : null;
  }
  const waits = state === "scheduled" && attempt > 0 && dueAt > nowMs && dueAt >= scheduledAt;
  if (!waits || !isFromAhead(scheduledAt, nowMs)) return null;
  return {
    ...instance,
    dueAt: nowMs + dueAt - scheduledAt,
    scheduledAt: nowMs,
    processedAt: began,
  };
}

/** True if an instance waits that was accepted to run at once, and was never tried. */
function wasDueAtOnce({ state, attempt, dueAt, createdAt, scheduleId }: Instance): boolean {
  return state === "scheduled" && attempt === 0 && dueAt === createdAt && scheduleId === null;
}

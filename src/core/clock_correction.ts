import type { Instance } from "./instance.ts";
import type { ClockCorrection, ScheduleRecord, TickFate } from "./schedule.ts";
import { CORRECTION_MS, countTicksOf, lastTickOf, nextTickOf } from "./ticks.ts";
import { isFinal } from "./state.ts";

/** Whether a time that lies behind us was recorded by a clock that has been corrected since. */
export function isFromAhead(recordedMs: number, nowMs: number): boolean {
  return recordedMs - nowMs > CORRECTION_MS;
}

/**
 * A schedule whose cursor lies hours ahead, taken back; null for one that is in order.
 *
 * @param fromMs it goes on with the first tick after this time, epoch ms
 * @throws JobError `invalid_argument` for a spec that cannot be read
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

// The ticks of an interval stay where they are, so that those that ran are known.
function correctStart({ spec, startAt }: ScheduleRecord, fromMs: number): number {
  if (startAt <= fromMs) return startAt;
  if (spec.everyMs === null) return fromMs;
  return startAt - Math.ceil((startAt - fromMs) / spec.everyMs) * spec.everyMs;
}

/** The correction of a schedule that starts anew at a time; undefined when its cursor was not ahead. */
export function correctionOf(
  before: Pick<ScheduleRecord, "cursor" | "correction"> | null,
  nowMs: number,
): ClockCorrection | undefined {
  if (before === null) return undefined;
  if (isFromAhead(before.cursor, nowMs)) return { at: nowMs, cursor: before.cursor };
  const { correction } = before;
  return correction === undefined || correction.cursor <= nowMs ? undefined : correction;
}

/** Whether what was recorded of a tick that comes after the cursor is void, as a clock that was ahead decided it. */
export function isVoidFate(
  { correction }: Pick<ScheduleRecord, "correction">,
  { fate }: Pick<TickFate, "fate">,
  tick: number,
): boolean {
  return correction !== undefined && fate !== "fired" &&
    tick > correction.at && tick <= correction.cursor;
}

/** What counts of a recorded fate: its ticks up to the cursor, if a clock that was ahead decided it; null when none does. */
export function decidedPart(record: ScheduleRecord, fate: TickFate): TickFate | null {
  const { spec, startAt, cursor } = record;
  if (fate.to <= cursor || !isVoidFate(record, fate, fate.to)) return fate;
  if (fate.from > cursor) return null;
  const span = { afterMs: fate.from - 1, untilMs: cursor };
  const to = lastTickOf(spec, startAt, span);
  return to === null ? null : { ...fate, to, count: countTicksOf(spec, startAt, span) };
}

/**
 * An instance with times of a clock that was ahead, as it is by the one that counts now; null for one that is in order. The wait for
 * another attempt is as long as it was, from now on; one that ended is kept as if it had ended now. When one that was never
 * tried is due was said by who asked for it, and stays.
 */
export function correctInstance(instance: Instance, nowMs: number): Instance | null {
  const { state, attempt, dueAt, scheduledAt, settledAt, processedAt, uniqueUntil } = instance;
  const began = processedAt === null ? null : Math.min(processedAt, nowMs);
  if (isFinal(state)) {
    if (settledAt === null || !isFromAhead(settledAt, nowMs)) return null;
    const until = uniqueUntil === null ? null : uniqueUntil - (settledAt - nowMs);
    return { ...instance, settledAt: nowMs, processedAt: began, uniqueUntil: until };
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

import { isFinished, type ScheduleRecord } from "./schedule.ts";
import { blackoutSpans, isBlackedOut } from "./blackout.ts";
import { DAY } from "./calendar.ts";
import { nextTickOf } from "./ticks.ts";

/** Most ticks that are passed because of a requested skip. */
const SKIPS_MAX = 10_000;
/** Span in which windows are looked at together, in milliseconds. */
const LOOK_MS = 32 * DAY * 1_000;
/** Most such looks: more than a year. */
const LOOKS_MAX = 13;

/** A pause of a job, or for null of all jobs; without an end, until resumed. */
interface Pause {
  readonly kind: string | null;
  readonly until: number | null;
}

/** End of a job's pauses, epoch ms, Infinity if one has no end; null without a pause. */
export function pausedUntil(kind: string, pauses: readonly Pause[]): number | null {
  const ends = pauses.filter((pause) => pause.kind === null || pause.kind === kind)
    .map(({ until }) => until ?? Infinity);
  return ends.length === 0 ? null : Math.max(...ends);
}

/**
 * The next tick of a schedule that is expected to run: not skipped on request, in a blackout or in
 * a pause. Overlaps are not foreseen.
 *
 * @param pauseEnd of its job, as {@link pausedUntil} returns it
 * @returns epoch ms; null if there is none, or none in the next year
 */
export function nextRunAt(record: ScheduleRecord, pauseEnd: number | null): number | null {
  const { spec, startAt, skipUntil = -Infinity, skipNext = 0 } = record;
  if (record.removedAt !== undefined || isFinished(record)) return null;
  let tick = record.nextAt;
  for (let left = Math.min(skipNext, SKIPS_MAX); left > 0 && tick !== null; left--) {
    tick = nextTickOf(spec, startAt, tick);
  }
  const openAt = Math.max(skipUntil, pauseEnd ?? -Infinity);
  if (openAt === Infinity) return null;
  if (tick !== null && tick < openAt) tick = nextTickOf(spec, startAt, openAt - 1);
  const { blackout = [], timezone } = spec;
  for (let look = 0; look < LOOKS_MAX && tick !== null; look++) {
    if (!isBlackedOut(blackout, timezone, tick)) return tick;
    const [[, end] = [0, tick + LOOK_MS]] = blackoutSpans(blackout, timezone, tick, tick + LOOK_MS);
    tick = nextTickOf(spec, startAt, end - 1);
  }
  return null;
}

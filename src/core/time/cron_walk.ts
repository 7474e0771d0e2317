import { countWallSeconds, DAY, nextWallSecond } from "./calendar.ts";
import type { CronExpression } from "./cron_expression.ts";
import { LAST_SECOND, type Zone, type ZoneSegment } from "./zone.ts";

// Clock changes work as in cronie's cron(8). If the change is below three hours, skipped fixed
// times run at the change, and repeated ones run the first time only. A larger change is a
// correction of the clock: the new time applies at once.

/** Forward changes of at least this many seconds are corrections. */
const CORRECTION = 3 * 3_600;
/** Backward changes beyond this many seconds are: cronie compares with a clock 1 minute ahead. */
const CORRECTION_BACK = CORRECTION + 60;
/** No expression has ticks farther apart, except where its dates never exist. */
const HORIZON = 50 * 366 * DAY;

/** True if the clock skipped a fixed time when the segment began. */
export function hasSkippedTick(expression: CronExpression, segment: ZoneSegment): boolean {
  const skipped = segment.offset - segment.previousOffset;
  if (!expression.isFixed || skipped <= 0 || skipped >= CORRECTION) return false;
  const wall = nextWallSecond(expression, segment.from + segment.previousOffset);
  return wall !== null && wall < segment.from + segment.offset;
}

/** The first wall second from `from` on that may match, without repeated fixed times. */
function firstWallSecond(expression: CronExpression, segment: ZoneSegment, from: number): number {
  const wall = from + segment.offset;
  const repeated = segment.previousOffset - segment.offset;
  if (!expression.isFixed || repeated <= 0 || repeated > CORRECTION_BACK) return wall;
  return Math.max(wall, segment.from + segment.previousOffset);
}

/** The first tick after an instant, epoch ms; null if there is none before the year 10000. */
export function nextCronTick(
  expression: CronExpression,
  zone: Zone,
  afterMs: number,
): number | null {
  let from = Math.floor(afterMs / 1_000) + 1;
  const last = Math.min(from + HORIZON, LAST_SECOND);
  while (from <= last) {
    const segment = zone.segmentAt(from);
    if (segment.from === from && hasSkippedTick(expression, segment)) return from * 1_000;
    const wall = nextWallSecond(expression, firstWallSecond(expression, segment, from));
    if (wall === null) return null;
    const second = wall - segment.offset;
    if (second < segment.until) return second * 1_000;
    // A clock change moves a match by less than two days, so far from both ends none comes earlier.
    const isSettled = segment.until - from > 2 * DAY;
    from = isSettled ? Math.max(segment.until, second - 2 * DAY) : segment.until;
  }
  return null;
}

/**
 * Number of ticks after `afterMs`, up to and including `untilMs`, computed without listing them.
 * Clock changes more than 50 years ahead are ignored to bound the work.
 */
export function countCronTicks(
  expression: CronExpression,
  zone: Zone,
  afterMs: number,
  untilMs: number,
): number {
  let from = Math.floor(afterMs / 1_000) + 1;
  const end = Math.min(Math.floor(untilMs / 1_000), LAST_SECOND) + 1;
  const horizon = from + HORIZON;
  let count = 0;
  while (from < end) {
    const segment = zone.segmentAt(from);
    const until = from > horizon ? end : Math.min(segment.until, end);
    const wall = firstWallSecond(expression, segment, from);
    count += countWallSeconds(expression, wall, until + segment.offset);
    const isStart = segment.from === from;
    // A fixed time at the change itself is the same tick.
    if (isStart && hasSkippedTick(expression, segment)) {
      count += 1 - countWallSeconds(expression, wall, wall + 1);
    }
    from = until;
  }
  return count;
}

import { nextWallSecond } from "./calendar.ts";
import { parseCron } from "./cron.ts";
import { hasSkippedTick } from "./cron_walk.ts";
import { REBOOT } from "./schedule.ts";
import type { ScheduleTimes } from "./ticks.ts";
import { openZone } from "./zone.ts";

/** Changes from this many seconds on are corrections of the clock, which cron applies at once. */
const CORRECTION = 3 * 3_600;

function timeText(wallSecond: number): string {
  const text = new Date(wallSecond * 1_000).toISOString().slice(11, 19);
  return text.endsWith(":00") ? text.slice(0, 5) : text;
}

/**
 * Note on a clock change's effect on a tick, epoch ms; null without one.
 *
 * @throws JobError `invalid_argument` for an unreadable spec
 */
export function clockNote(spec: ScheduleTimes, at: number): string | null {
  if (spec.cron === null || spec.cron === REBOOT) return null;
  const expression = parseCron(spec.cron);
  const zone = openZone(spec.timezone);
  const second = Math.floor(at / 1_000);
  const segment = zone.segmentAt(second);
  const wall = second + segment.offset;
  if (segment.from === second && hasSkippedTick(expression, segment)) {
    const skipped = nextWallSecond(expression, segment.from + segment.previousOffset)!;
    return `moved by a clock change: ${timeText(skipped)} does not exist on this day`;
  }
  const passed = segment.previousOffset - segment.offset;
  if (passed > 0 && passed <= CORRECTION && second < segment.from + passed) {
    return `clock change: ${timeText(wall)} for the second time`;
  }
  const repeated = segment.offset - zone.segmentAt(segment.until).offset;
  if (repeated <= 0 || repeated > CORRECTION || second < segment.until - repeated) return null;
  return expression.isFixed
    ? `clock change: ${timeText(wall)} comes twice, runs the first time only`
    : `clock change: ${timeText(wall)} for the first time`;
}

import { DAY, nextWallSecond, weekdayOf } from "./calendar.ts";
import { clockNote } from "./clock_notes.ts";
import { parseCron } from "./cron.ts";
import type { CronExpression } from "./cron_expression.ts";
import { formatLocal } from "./local_time.ts";
import { REBOOT, type ScheduleSpec } from "./schedule.ts";
import { formatScheduleText, lastTickOf, nextTickOf } from "./ticks.ts";
import { openZone } from "./zone.ts";

const WEEKDAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
/** Span in which to search for the previous tick, in milliseconds. Rarer ticks are not found. */
const BACK_MS = 9 * 366 * DAY * 1_000;

/** The ticks of a schedule before and after an instant, epoch ms. */
export interface TickNeighbours {
  readonly previousAt: number | null;
  readonly nextAt: number | null;
}

/** The last tick before an instant and the first after it. */
export function neighboursOf(spec: ScheduleSpec, startAt: number, atMs: number): TickNeighbours {
  const afterMs = Math.max(spec.everyMs === null ? -Infinity : startAt, atMs - BACK_MS);
  return {
    previousAt: lastTickOf(spec, startAt, { afterMs, untilMs: atMs - 1 }),
    nextAt: nextTickOf(spec, startAt, atMs),
  };
}

/** True if a schedule has a tick at an instant. */
export function isTick(spec: ScheduleSpec, startAt: number, atMs: number): boolean {
  return nextTickOf(spec, startAt, atMs - 1) === atMs;
}

/** Why a schedule has a tick: its expression, zone, local time, and a clock change's effect. */
export function tickRule(spec: ScheduleSpec, atMs: number): string {
  const text = formatScheduleText(spec);
  const rule = `"${text}" in ${spec.timezone}: ${formatLocal(atMs, spec.timezone)}`;
  if (spec.cron === REBOOT) {
    return `"${text}": the daemon started at ${formatLocal(atMs, spec.timezone)}`;
  }
  const note = clockNote(spec, atMs);
  return note === null ? rule : `${rule}; ${note}`;
}

/** Why a schedule has no tick at an instant. */
export function whyNoTick(spec: ScheduleSpec, startAt: number, atMs: number): string {
  const { startsAt = -Infinity, endsAt = Infinity, timezone } = spec;
  const local = formatLocal(atMs, timezone);
  if (atMs < startsAt) return `it starts at ${formatLocal(startsAt, timezone)}`;
  if (atMs >= endsAt) return `it ended at ${formatLocal(endsAt, timezone)}`;
  if (spec.cron === REBOOT) return "it runs when the daemon starts, not by the clock";
  const text = formatScheduleText(spec);
  if (spec.everyMs !== null) {
    return `"${text}" counts from ${formatLocal(spec.startsAt ?? startAt, timezone)}`;
  }
  const expression = parseCron(spec.cron!);
  const zone = openZone(timezone);
  const second = Math.floor(atMs / 1_000);
  const wall = second + zone.offsetAt(second);
  const mismatch = firstMismatch(expression, wall);
  if (mismatch !== null) return `at ${local} ${mismatch}`;
  const segment = zone.segmentAt(second);
  if (segment.previousOffset > segment.offset) {
    return `at ${local} the clock shows this time again; fixed times run the first time only`;
  }
  return `"${text}" has no tick at ${local}`;
}

/** The first mismatch of a wall second with an expression. */
function firstMismatch(expression: CronExpression, wall: number): string | null {
  const day = Math.floor(wall / DAY);
  const found = nextWallSecond(expression, day * DAY);
  if (found === null || found >= (day + 1) * DAY) {
    const weekday = WEEKDAYS[weekdayOf(day)];
    const { dayOfMonth, month, dayOfWeek } = expression;
    return `the day, a ${weekday}, does not match day of month "${dayOfMonth.text}", month "${month.text}", day of week "${dayOfWeek.text}"`;
  }
  const time = wall - day * DAY;
  const parts = [
    ["hour", Math.floor(time / 3_600), expression.hour],
    ["minute", Math.floor(time / 60) % 60, expression.minute],
    ["second", time % 60, expression.second],
  ] as const;
  for (const [name, value, field] of parts) {
    if (!field.values.includes(value)) return `${name} ${value} is not in "${field.text}"`;
  }
  return null;
}

import { JobError } from "../errors.ts";
import { DAY } from "./calendar.ts";
import { instantOfWall } from "./wall_time.ts";
import { openZone, type Zone } from "./zone.ts";

/** Most days, or hours, of one calendar. */
const CALENDAR_SPANS_MAX = 800;

/** A day or an hour of a zone. Times are epoch ms. */
export interface CalendarSpan {
  /** `2026-03-29`, for an hour `2026-03-29T02:00` by the local clock at its start. */
  readonly name: string;
  readonly from: number;
  /** The start of the next one. */
  readonly to: number;
  /**
   * Seconds by which clocks are set forward (or back, negative) during it, for an hour at its end;
   * usually 0.
   */
  readonly clockChange: number;
}

/**
 * The days of a zone that a span of time touches, whole, or the hours of these days. A day has 23
 * or 25 hours if clocks are changed during it.
 *
 * @throws JobError `invalid_argument` for an unknown zone, an empty span, and too many days
 */
export function calendarSpans(
  timezone: string,
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
  unit: "day" | "hour",
): readonly CalendarSpan[] {
  const zone = openZone(timezone);
  const daysMax = unit === "day" ? CALENDAR_SPANS_MAX : Math.floor(CALENDAR_SPANS_MAX / 25);
  const first = dayOf(zone, fromMs);
  const last = dayOf(zone, toMs - 1);
  if (!(toMs > fromMs) || last - first >= daysMax) {
    const found = toMs > fromMs ? `${last - first + 1} days` : "no time";
    throw new JobError(
      "invalid_argument",
      `Cannot make a calendar of ${found}: wanted 1 to ${daysMax} days`,
      { path: "to", hint: unit === "hour" ? "Ask for days instead of hours" : undefined },
    );
  }
  const spans: CalendarSpan[] = [];
  let from = startOf(zone, first);
  for (let day = first; day <= last; day++) {
    const to = startOf(zone, day + 1);
    const clockChange = DAY - (to - from) / 1_000;
    if (unit === "day") spans.push({ name: dateText(day), from, to, clockChange });
    else spans.push(...hoursOf(zone, from, to));
    from = to;
  }
  return spans;
}

function hoursOf(zone: Zone, dayFrom: number, dayTo: number): CalendarSpan[] {
  const hours: CalendarSpan[] = [];
  for (let from = dayFrom; from < dayTo; from += 3_600_000) {
    const to = Math.min(from + 3_600_000, dayTo);
    const [offset, offsetAfter] = [from, to].map((ms) => zone.offsetAt(ms / 1_000));
    const name = new Date(from + offset! * 1_000).toISOString().slice(0, 16);
    hours.push({ name, from, to, clockChange: offsetAfter! - offset! });
  }
  return hours;
}

/** The number of the local day at an instant. */
function dayOf(zone: Zone, ms: number): number {
  const second = Math.floor(ms / 1_000);
  return Math.floor((second + zone.offsetAt(second)) / DAY);
}

/** Start of a local day, epoch ms. If clocks skip its midnight, the time of that change. */
function startOf(zone: Zone, day: number): number {
  return instantOfWall(zone, day * DAY) * 1_000;
}

function dateText(day: number): string {
  return new Date(day * DAY * 1_000).toISOString().slice(0, 10);
}

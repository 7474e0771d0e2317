import { timeParts } from "../../text/format_time.ts";

/** A span of time, in epoch milliseconds. */
export interface TimeRange {
  readonly from: number;
  readonly to: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Distances between marks of the axis. */
const STEPS: readonly number[] = [
  1_000,
  5_000,
  15_000,
  30_000,
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE_MS),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR_MS),
  ...[1, 2, 7, 14].map((days) => days * DAY_MS),
];

/** Shortest and longest span that is shown: a minute and a month. */
export const SPAN_MS_MIN = MINUTE_MS;
/** Longest span that is shown. */
export const SPAN_MS_MAX = 31 * DAY_MS;

/** A mark of the axis. */
export interface AxisMark {
  readonly at: number;
  readonly text: string;
  /** True at the begin of a day. */
  readonly isDay: boolean;
}

/** The time of the local day, in milliseconds since its midnight by the clock. */
function clockMs(at: number, zone: string): number {
  const [hours, minutes, seconds] = timeParts(at, zone).time.split(":").map(Number);
  return ((hours! * 60 + minutes!) * 60 + seconds!) * 1_000;
}

/** The marks of an axis, at round times of a zone. @param marksMax approximate number that fits */
export function axisMarks(range: TimeRange, zone: string, marksMax: number): readonly AxisMark[] {
  const span = range.to - range.from;
  const step = STEPS.find((one) => span / one <= marksMax) ?? STEPS.at(-1)!;
  const marks: AxisMark[] = [];
  // Aligned with the local clock: zones may be half an hour apart.
  const begin = range.from - clockMs(range.from, zone) % Math.min(step, DAY_MS);
  for (let at = begin; at <= range.to && marks.length <= marksMax * 2; at += step) {
    // A change of clocks between two marks moves the next ones.
    const off = clockMs(at, zone) % Math.min(step, DAY_MS);
    const shown = at - (off > Math.min(step, DAY_MS) / 2 ? off - Math.min(step, DAY_MS) : off);
    if (shown < range.from || shown > range.to) continue;
    const { date, time, weekday } = timeParts(shown, zone);
    const isDay = time === "00:00:00";
    const text = isDay ? `${weekday} ${date.slice(5)}` : step < MINUTE_MS ? time : time.slice(0, 5);
    marks.push({ at: shown, text, isDay });
  }
  return marks;
}

/** A moment at which clocks are changed. */
export interface ClockChange {
  readonly at: number;
  readonly text: string;
}

/** The changes of clocks in a span of time. */
export function clockChanges(range: TimeRange, zone: string): readonly ClockChange[] {
  const changes: ClockChange[] = [];
  const offset = (at: number) => timeParts(at, zone).offset;
  let before = offset(range.from);
  for (let at = range.from; at < range.to; at += DAY_MS) {
    const end = Math.min(range.to, at + DAY_MS);
    const next = offset(end);
    if (next === before) continue;
    let low = at;
    let high = end;
    while (high - low > MINUTE_MS) {
      const middle = (low + high) / 2;
      if (offset(middle) === before) low = middle;
      else high = middle;
    }
    changes.push({ at: Math.round(high / MINUTE_MS) * MINUTE_MS, text: `${before} → ${next}` });
    before = next;
  }
  return changes;
}

/** A span around the middle of another, longer by a factor, within the limits. */
export function zoomed({ from, to }: TimeRange, factor: number): TimeRange {
  const span = Math.min(SPAN_MS_MAX, Math.max(SPAN_MS_MIN, (to - from) * factor));
  const middle = (from + to) / 2;
  return { from: Math.round(middle - span / 2), to: Math.round(middle + span / 2) };
}

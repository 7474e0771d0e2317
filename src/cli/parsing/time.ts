import { orElse, succeeds } from "../../core/or_else.ts";
import { parseDuration } from "../../core/time/duration.ts";
import { JobError } from "../../core/errors.ts";
import { changeThatSkips, instantOfWall } from "../../core/time/wall_time.ts";
import type { Zone } from "../../core/time/zone.ts";

/** Meaning of a time of day without a date and of a bare duration: ahead or back. */
export type Direction = "future" | "past";

const TIME_HINT = 'Write "2026-11-24 09:00", "2026-11-24T09:00:00Z", "09:00", "tomorrow 9:00", ' +
  '"monday 9:00", "today", "now", "+10m" or "2h ago"';

const CLOCK = String.raw`(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?`;
const DATE_TIME = new RegExp(
  String.raw`^(\d{4})-(\d{2})-(\d{2})(?:[Tt ]+${CLOCK}\s*([Zz]|[+-]\d{2}:?\d{2})?)?$`,
);
const NAMED_DAY = new RegExp(`^(today|tomorrow|yesterday)(?:\\s+(?:at\\s+)?${CLOCK})?$`, "i");
const DAY_NAMES =
  "sun(?:day)?|mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:rs(?:day)?)?|fri(?:day)?|sat(?:urday)?";
const WEEKDAY = new RegExp(`^(${DAY_NAMES})(?:\\s+(?:at\\s+)?${CLOCK})?$`, "i");
const CLOCK_ONLY = new RegExp(`^${CLOCK}$`);
const SIGNED = /^([+-])\s*(.+)$/;
const AGO = /^(.+?)\s+ago$/i;
const FROM_NOW = /^in\s+(.+)$/i;
const DAY_OFFSET: Readonly<Record<string, number>> = { yesterday: -1, today: 0, tomorrow: 1 };
/** First letters of the days of a week, by number. */
const WEEKDAYS = ["su", "mo", "tu", "we", "th", "fr", "sa"];
// Limit of a Date, so that arithmetic never gives an invalid one.
const EPOCH_MS_MAX = 8.64e15;

interface TimeOfDay {
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly ms: number;
}

const MIDNIGHT: TimeOfDay = { hour: 0, minute: 0, second: 0, ms: 0 };

/** Settings for reading a time. */
export interface TimeOptions {
  readonly nowMs: number;
  readonly direction: Direction;
  /** Name of the time in messages. */
  readonly what: string;
  /** Zone of a text without a zone; by default the local one. */
  readonly zone?: Zone;
  /**
   * True if a time that a clock change skips in `zone` means the change, like for a job that is due
   * then. By default it means the instant by the earlier offset.
   */
  readonly isDueTime?: boolean;
}

/** Settings for converting a wall-clock time. */
type Reading = Pick<TimeOptions, "zone" | "isDueTime">;

/** Date and time of a wall clock. */
interface WallTime extends TimeOfDay {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
}

/** True if a text is a wall-clock time, whose instant depends on the zone. */
export function isWallTime(text: string): boolean {
  const trimmed = text.trim();
  const calendar = DATE_TIME.exec(trimmed);
  return calendar !== null ? calendar[8] === undefined : NAMED_DAY.test(trimmed) ||
    WEEKDAY.test(trimmed) || CLOCK_ONLY.test(trimmed);
}

/** True if {@link parseTime} can read the text. */
export function isTime(text: string): boolean {
  return succeeds(() => parseTime(text, { nowMs: 0, direction: "future", what: "" }));
}

/**
 * A point in time as people write it, in epoch milliseconds.
 *
 * RFC 3339 and dates, `09:00`, `today`, `tomorrow 9:00`, `monday 9:00`, `now`, `+10m`, `in 10m`,
 * `-2h`, `2h ago`. A bare time of day or weekday is the next or the last one, and a bare duration
 * leads ahead or back, depending on `direction`.
 *
 * @throws JobError `invalid_argument` for other text
 */
export function parseTime(
  text: string,
  options: TimeOptions,
): number {
  const trimmed = text.trim();
  const atMs = parseNamed(trimmed, options) ?? parseCalendar(trimmed, options) ??
    parseRelative(trimmed, options);
  if (atMs !== null && Math.abs(atMs) <= EPOCH_MS_MAX) return Math.round(atMs);
  throw new JobError("invalid_argument", `Cannot read ${options.what} "${text}": not a time`, {
    hint: TIME_HINT,
  });
}

function parseNamed(
  text: string,
  { nowMs, direction, ...reading }: TimeOptions,
): number | null {
  if (text.toLowerCase() === "now") return nowMs;
  const named = NAMED_DAY.exec(text);
  if (named) {
    const offset = DAY_OFFSET[named[1]!.toLowerCase()]!;
    const clock = named[2] === undefined ? MIDNIGHT : readClock(named.slice(2));
    return clock && dayAt(nowMs, offset, clock, reading);
  }
  const weekday = WEEKDAY.exec(text);
  if (weekday) {
    const clock = weekday[2] === undefined ? MIDNIGHT : readClock(weekday.slice(2));
    const day = WEEKDAYS.indexOf(weekday[1]!.slice(0, 2).toLowerCase());
    return clock && weekdayAt(day, clock, { nowMs, direction, ...reading });
  }
  const bare = CLOCK_ONLY.exec(text);
  const clock = bare && readClock(bare.slice(1));
  if (!clock) return null;
  const today = dayAt(nowMs, 0, clock, reading);
  if (direction === "future") return today > nowMs ? today : dayAt(nowMs, 1, clock, reading);
  return today <= nowMs ? today : dayAt(nowMs, -1, clock, reading);
}

/** A time of day on the next or the last day of this number in its week. */
function weekdayAt(
  day: number,
  clock: TimeOfDay,
  { nowMs, direction, ...reading }: Omit<TimeOptions, "what">,
): number {
  const { zone } = reading;
  const today = zone === undefined
    ? new Date(nowMs).getDay()
    : new Date(nowMs + zone.offsetAt(Math.floor(nowMs / 1_000)) * 1_000).getUTCDay();
  const ahead = (day - today + 7) % 7;
  if (direction === "future") {
    const next = dayAt(nowMs, ahead, clock, reading);
    return next > nowMs ? next : dayAt(nowMs, ahead + 7, clock, reading);
  }
  const back = ahead === 0 ? 0 : ahead - 7;
  const last = dayAt(nowMs, back, clock, reading);
  return last <= nowMs ? last : dayAt(nowMs, back - 7, clock, reading);
}

/** The instant of a wall-clock time. A day past the end of its month runs into the next one. */
function instantOf(wall: WallTime, { zone, isDueTime }: Reading): number {
  const { year, month, day, hour, minute, second, ms } = wall;
  if (zone === undefined) {
    return new Date(year, month - 1, day, hour, minute, second, ms).getTime();
  }
  const wallSecond = Date.UTC(year, month - 1, day, hour, minute, second) / 1_000;
  const change = isDueTime ? changeThatSkips(zone, wallSecond) : null;
  return change === null ? instantOfWall(zone, wallSecond) * 1_000 + ms : change * 1_000;
}

/** A time of day, some days from today in the zone. */
function dayAt(
  nowMs: number,
  dayOffset: number,
  clock: TimeOfDay,
  reading: Reading,
): number {
  const { zone } = reading;
  const now = new Date(nowMs);
  if (zone === undefined) {
    const [year, month] = [now.getFullYear(), now.getMonth() + 1];
    return instantOf({ year, month, day: now.getDate() + dayOffset, ...clock }, reading);
  }
  const wall = new Date(nowMs + zone.offsetAt(Math.floor(nowMs / 1_000)) * 1_000);
  const [year, month] = [wall.getUTCFullYear(), wall.getUTCMonth() + 1];
  return instantOf({ year, month, day: wall.getUTCDate() + dayOffset, ...clock }, reading);
}

function readClock(groups: readonly (string | undefined)[]): TimeOfDay | null {
  const [hour, minute, second] = [Number(groups[0]), Number(groups[1]), Number(groups[2] ?? 0)];
  if (hour > 23 || minute > 59 || second > 59) return null;
  const ms = groups[3] === undefined ? 0 : Math.floor(Number(`0.${groups[3]}`) * 1_000);
  return { hour, minute, second, ms };
}

function parseCalendar(text: string, reading: Reading): number | null {
  const match = DATE_TIME.exec(text);
  if (!match) return null;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const clock = match[4] === undefined ? MIDNIGHT : readClock(match.slice(4, 8));
  const daysInMonth = new Date(Date.UTC(year, month, 0)).getUTCDate();
  if (!clock || month < 1 || month > 12 || day < 1 || day > daysInMonth) return null;
  const offset = match[8];
  if (offset === undefined) return instantOf({ year, month, day, ...clock }, reading);
  const { hour, minute, second, ms } = clock;
  return Date.UTC(year, month - 1, day, hour, minute, second, ms) - offsetMs(offset);
}

function offsetMs(zone: string): number {
  if (zone.toUpperCase() === "Z") return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2));
  return (zone[0] === "-" ? -minutes : minutes) * 60_000;
}

function parseRelative(
  text: string,
  { nowMs, direction }: { readonly nowMs: number; readonly direction: Direction },
): number | null {
  const signed = SIGNED.exec(text);
  if (signed) return shift(nowMs, signed[2]!, signed[1] === "-" ? -1 : 1);
  const ago = AGO.exec(text);
  if (ago) return shift(nowMs, ago[1]!, -1);
  const ahead = FROM_NOW.exec(text);
  if (ahead) return shift(nowMs, ahead[1]!, 1);
  return shift(nowMs, text, direction === "past" ? -1 : 1);
}

function shift(nowMs: number, duration: string, sign: 1 | -1): number | null {
  return orElse(() => nowMs + sign * parseDuration(duration), null);
}

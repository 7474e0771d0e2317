import { isJobError, JobError } from "../../core/errors.ts";

// cronie's own rules, from its source (entry.c and cron.c of version 1.7), for comparison with the
// product's results. It shares no code with src/core: it reads the text itself and walks every
// minute, like the daemon does.

const MINUTE_MS = 60_000;
const MINUTES_PER_DAY = 1_440;
/** A longer jump of the clock, in minutes, is a correction and not a change to summer time. */
const LARGE_JUMP = 180;
/** A jump of at most this many minutes only means that the daemon woke up late. */
const SMALL_JUMP = 5;
/** Minutes between look-ups of a zone's offset, which counts as constant between equal ones. */
const PROBE_MINUTES = 15;
const MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split(" ");
const WEEKDAYS = "sun mon tue wed thu fri sat".split(" ");

/** One line of a crontab as cronie keeps it: a flag for each value of a field. */
export interface CronieEntry {
  readonly minute: readonly boolean[];
  readonly hour: readonly boolean[];
  readonly dayOfMonth: readonly boolean[];
  readonly month: readonly boolean[];
  readonly dayOfWeek: readonly boolean[];
  /** MIN_STAR or HR_STAR: it follows the clock. */
  readonly isWild: boolean;
  /** DOM_STAR or DOW_STAR: both day fields must match. */
  readonly isDayStar: boolean;
}

/** Draws a number from `low` to `high`, both included, for `~`. */
export type Draw = (field: string, low: number, high: number) => number;

/** A field of a crontab: its values, and the names that some of them have. */
export interface CronField {
  readonly field: string;
  readonly low: number;
  readonly high: number;
  readonly names: readonly string[];
}

/** The fields of a crontab, in their order. */
export const CRON_FIELDS: readonly CronField[] = [
  { field: "minute", low: 0, high: 59, names: [] },
  { field: "hour", low: 0, high: 23, names: [] },
  { field: "day-of-month", low: 1, high: 31, names: [] },
  { field: "month", low: 1, high: 12, names: MONTHS },
  { field: "day-of-week", low: 0, high: 7, names: WEEKDAYS },
];

const NICKNAMES: Readonly<Record<string, string>> = {
  yearly: "0 0 1 1 *",
  annually: "0 0 1 1 *",
  monthly: "0 0 1 * *",
  weekly: "0 0 * * 0",
  daily: "0 0 * * *",
  midnight: "0 0 * * *",
  hourly: "0 * * * *",
};

/** Longest text shown in a message. */
const SHOWN_MAX = 80;

function badField({ field }: CronField): JobError {
  return new JobError("invalid_argument", `bad ${field}`);
}

/** The value of a number or a name in a field. */
export function readNumber(range: CronField, text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  const name = range.names.indexOf(text.toLowerCase());
  if (name < 0) throw badField(range);
  return range.low + name;
}

function setRange(range: CronField, item: string, draw: Draw, flags: boolean[]): void {
  const [, terms = "", stepText] = /^([^/]*)(?:\/(.*))?$/.exec(item) ?? [];
  const bad = badField(range);
  const step = stepText === undefined ? 1 : /^\d+$/.test(stepText) ? Number(stepText) : 0;
  if (step === 0 || item.split("/").length > 2) throw bad;
  let [first, last] = [range.low, range.high];
  const random = /^([^~]*)~([^~]*)$/.exec(terms);
  if (random !== null) {
    if (stepText !== undefined) throw bad;
    if (random[1] !== "") first = readNumber(range, random[1]!);
    if (random[2] !== "") last = readNumber(range, random[2]!);
    if (first > last) throw bad;
    first = last = draw(range.field, first, last);
  } else if (terms !== "*") {
    const [from = "", to, ...others] = terms.split("-");
    if (others.length > 0 || (to === undefined && stepText !== undefined)) throw bad;
    first = readNumber(range, from);
    last = to === undefined ? first : readNumber(range, to);
  }
  // A range that runs backwards sets nothing, without an error.
  for (let value = first; value <= last; value += step) {
    if (value < range.low || value > range.high) throw bad;
    flags[value] = true;
  }
}

function readField(range: CronField, text: string, draw: Draw): readonly boolean[] {
  const flags = new Array<boolean>(range.high + 1).fill(false);
  for (const item of text.split(",")) setRange(range, item, draw, flags);
  return flags;
}

/**
 * Read five fields, or a nickname such as `@daily`, as cronie reads them.
 *
 * @throws JobError `invalid_argument` with cronie's own words, such as `bad minute`
 */
export function readCronie(text: string, draw: Draw = (_field, low) => low): CronieEntry {
  const nickname = /^@(.*)$/.exec(text)?.[1];
  const expanded = nickname === undefined ? text : NICKNAMES[nickname];
  const fields = (expanded ?? "").split(/[ \t]+/);
  try {
    if (fields.length !== 5) throw new JobError("invalid_argument", "bad time specifier");
    const [minute, hour, dayOfMonth, month, dayOfWeek] = CRON_FIELDS.map((range, place) =>
      readField(range, fields[place]!, draw)
    ) as [boolean[], boolean[], boolean[], boolean[], boolean[]];
    const isSunday = dayOfWeek[0]! || dayOfWeek[7]!;
    const isStar = fields.map((field) => field.startsWith("*"));
    return {
      minute,
      hour,
      dayOfMonth,
      month,
      dayOfWeek: [isSunday, ...dayOfWeek.slice(1, 7)],
      isWild: isStar[0]! || isStar[1]!,
      isDayStar: isStar[2]! || isStar[4]!,
    };
  } catch (error) {
    if (!isJobError(error)) throw error;
    const shown = text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
    throw new JobError(error.code, `Cannot read "${shown}" as cron does: ${error.message}`);
  }
}

/** Days since 1970-01-01 on which an entry may run, computed once each. */
function dayMatcher(entry: CronieEntry): (day: number) => boolean {
  const known = new Map<number, boolean>();
  return (day) => {
    let isDay = known.get(day);
    if (isDay === undefined) {
      const date = new Date(day * MINUTES_PER_DAY * MINUTE_MS);
      const isMonthDay = entry.dayOfMonth[date.getUTCDate()]!;
      const isWeekday = entry.dayOfWeek[date.getUTCDay()]!;
      isDay = entry.month[date.getUTCMonth() + 1]! &&
        (entry.isDayStar ? isMonthDay && isWeekday : isMonthDay || isWeekday);
      known.set(day, isDay);
    }
    return isDay;
  };
}

function offsetReader(timezone: string): (minute: number) => number {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: timezone,
    timeZoneName: "longOffset",
  });
  return (minute) => {
    const text = format.format(minute * MINUTE_MS);
    const [, sign, hours, minutes] = /GMT(?:([+-])(\d\d):(\d\d))?/.exec(text)!;
    if (sign === undefined) return 0;
    return (Number(hours) * 60 + Number(minutes)) * (sign === "-" ? -1 : 1);
  };
}

const walls = new Map<string, Int32Array>();
const WALLS_MAX = 32;

/** Wall-clock time of a zone at each minute of a range, in minutes since 1970-01-01 00:00. */
function wallMinutes(timezone: string, from: number, until: number): Int32Array {
  const key = `${timezone} ${from} ${until}`;
  const known = walls.get(key);
  if (known !== undefined) return known;
  const offsetAt = offsetReader(timezone);
  const wall = new Int32Array(until - from + 1);
  for (let start = from; start <= until; start += PROBE_MINUTES) {
    const end = Math.min(start + PROBE_MINUTES, until + 1);
    const offset = offsetAt(start);
    const isConstant = offset === offsetAt(end);
    for (let minute = start; minute < end; minute++) {
      wall[minute - from] = minute + (isConstant ? offset : offsetAt(minute));
    }
  }
  if (walls.size >= WALLS_MAX) walls.clear();
  walls.set(key, wall);
  return wall;
}

/** A span of time after one instant and up to another, in epoch ms. */
export interface Span {
  readonly afterMs: number;
  readonly untilMs: number;
}

/** Returns a function: true if the entry runs in a minute of the wall clock. */
function wallMatcher(entry: CronieEntry): (wall: number) => boolean {
  const isDay = dayMatcher(entry);
  return (wall) => {
    const day = Math.floor(wall / MINUTES_PER_DAY);
    const time = wall - day * MINUTES_PER_DAY;
    return entry.minute[time % 60]! && entry.hour[Math.floor(time / 60)]! && isDay(day);
  };
}

/**
 * Instants at which busybox crond runs an entry. It follows the wall clock minute by minute, so a
 * clock change skips some runs and repeats others.
 *
 * @returns epoch ms
 */
export function wallRuns(
  entry: CronieEntry,
  timezone: string,
  span: Span,
): number[] {
  const from = Math.floor(span.afterMs / MINUTE_MS) + 1;
  const walls = wallMinutes(timezone, from, Math.floor(span.untilMs / MINUTE_MS));
  const isMatch = wallMatcher(entry);
  const runs: number[] = [];
  for (const [index, wall] of walls.entries()) {
    if (isMatch(wall)) runs.push((from + index) * MINUTE_MS);
  }
  return runs;
}

/**
 * Instants at which cronie runs an entry on a host in `timezone`: its main loop, minute by minute.
 *
 * @returns epoch ms
 */
export function cronieRuns(
  entry: CronieEntry,
  timezone: string,
  span: Span,
): number[] {
  // Start some days earlier, so that its virtual clock is right at the beginning of the span.
  const from = Math.floor(span.afterMs / MINUTE_MS) - 3 * MINUTES_PER_DAY;
  const until = Math.floor(span.untilMs / MINUTE_MS);
  const walls = wallMinutes(timezone, from, until);
  const isMatch = wallMatcher(entry);
  const runs: number[] = [];
  let virtual = walls[0]!;
  for (let index = 1; index < walls.length; index++) {
    const wall = walls[index]!;
    const jump = wall - virtual;
    let hasRun = false;
    if (jump === 1 || Math.abs(jump) > LARGE_JUMP) {
      hasRun = isMatch(wall);
      virtual = wall;
    } else if (jump > 0) {
      if (entry.isWild) hasRun = isMatch(wall);
      while (virtual < wall) {
        virtual += 1;
        const isServed = !entry.isWild || jump <= SMALL_JUMP;
        if (isServed && isMatch(virtual)) hasRun = true;
      }
    } else if (entry.isWild) hasRun = isMatch(wall);
    const at = (from + index) * MINUTE_MS;
    if (hasRun && at > span.afterMs) runs.push(at);
  }
  return runs;
}

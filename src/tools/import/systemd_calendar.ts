import { JobError } from "../../core/errors.ts";
import { parseScheduleText } from "../../core/time/ticks.ts";
import { openZone } from "../../core/time/zone.ts";

// Turns OnCalendar= values, as in systemd.time(7), into cron expressions.

const SHORTHANDS: Readonly<Record<string, string>> = {
  minutely: "* * * * *",
  hourly: "0 * * * *",
  daily: "0 0 * * *",
  weekly: "0 0 * * 1",
  monthly: "0 0 1 * *",
  quarterly: "0 0 1 1,4,7,10 *",
  semiannually: "0 0 1 1,7 *",
  "semi-annually": "0 0 1 1,7 *",
  yearly: "0 0 1 1 *",
  annually: "0 0 1 1 *",
  anually: "0 0 1 1 *",
};
const WEEKDAYS = "sun mon tue wed thu fri sat".split(" ");
/** Ranges of days that contain each weekday once, and the `#` suffix for each. */
const WEEKS: Readonly<Record<string, string>> = {
  "1-7": "#1",
  "8-14": "#2",
  "15-21": "#3",
  "22-28": "#4",
  "29-31": "#5",
};
/** `*` with a step that leaves only the first value. With `*` first, both day fields must match. */
const ONLY_FIRST_DAY = "*/32";
const ONLY_SUNDAY = "*/8";

function refuse(text: string, reason: string): JobError {
  return new JobError("invalid_argument", `Cannot convert OnCalendar=${text}: ${reason}`);
}

/** A component without leading zeros: `*`, `*` with a step, `a`, `a-b`, `a-b/n`, or a list. */
function component(text: string, whole: string, range: { low: number; high: number }): string {
  const items = text.split(",").map((item) => {
    const match = /^(?:(\*)|(\d+)(?:\.\.(\d+))?)(?:\/(\d+))?$/.exec(item);
    if (match === null) throw refuse(whole, `"${item}" is not understood`);
    const [, star, first, last, step] = match;
    if (star !== undefined) return step === undefined ? "*" : `*/${Number(step)}`;
    const from = Number(first);
    if (step === undefined) return last === undefined ? `${from}` : `${from}-${Number(last)}`;
    const to = last === undefined ? range.high : Number(last);
    return from === range.low && to === range.high
      ? `*/${Number(step)}`
      : `${from}-${to}/${Number(step)}`;
  });
  return items.includes("*") ? "*" : items.join(",");
}

function weekdays(text: string, whole: string): string {
  const numberOf = (name: string) => {
    const index = WEEKDAYS.findIndex((short) => name.toLowerCase().startsWith(short));
    if (index < 0) throw refuse(whole, `"${name}" is not a day of the week`);
    return index;
  };
  const items = text.split(",").filter((item) => item !== "").map((item) => {
    const [first = "", last] = item.split(/\.\.|-/);
    const low = numberOf(first);
    if (last === undefined) return `${low}`;
    // A week that ends on Sunday, or over it.
    const high = numberOf(last) || 7;
    return low <= high ? `${low}-${high}` : `${low}-7,1-${high}`;
  });
  const all = items.join(",");
  return all === "1-7" || all === "0-6" ? "*" : all;
}

interface CalendarDate {
  readonly month: string;
  readonly day: string;
  /** Days counted from the end of the month, the last seven or the last one. */
  readonly fromEnd: "none" | "last" | "last week";
}

function calendarDate(text: string | undefined, whole: string): CalendarDate {
  if (text === undefined) return { month: "*", day: "*", fromEnd: "none" };
  const match = /^(?:([^-~]+)-)?([^-~]+)([-~])([^-~]+)$/.exec(text);
  if (match === null) throw refuse(whole, `"${text}" is not a date`);
  const [, year = "*", month, sign, day] = match;
  if (year !== "*") throw refuse(whole, "a schedule here has no years");
  const months = component(month!, whole, { low: 1, high: 12 });
  if (sign === "-") {
    return { month: months, day: component(day!, whole, { low: 1, high: 31 }), fromEnd: "none" };
  }
  if (/^0*1$/.test(day!)) return { month: months, day: "L", fromEnd: "last" };
  if (/^0*7\/1$/.test(day!)) return { month: months, day: "*", fromEnd: "last week" };
  throw refuse(
    whole,
    "counted from the end, a schedule can have only the last day of a month or the last of a weekday",
  );
}

/** Fields for day of month and day of week that must both match, as in systemd. */
function bothDays(date: CalendarDate, weekday: string, whole: string): [string, string] {
  if (date.fromEnd === "last week") {
    if (!/^[0-7](?:,[0-7])*$/.test(weekday)) {
      throw refuse(
        whole,
        "a schedule cannot have the last seven days of a month without a weekday",
      );
    }
    return ["*", weekday.split(",").map((one) => `${one}L`).join(",")];
  }
  if (weekday === "*" || date.day === "*") return [date.day, weekday];
  if (date.fromEnd === "none") {
    const week = WEEKS[date.day];
    if (week !== undefined && /^[0-7](?:,[0-7])*$/.test(weekday)) {
      return ["*", weekday.split(",").map((one) => `${one}${week}`).join(",")];
    }
    if (date.day.startsWith("*")) return [date.day, weekday];
    if (date.day === "1") return [ONLY_FIRST_DAY, weekday];
    if (/^1[,-]/.test(date.day)) return [`${ONLY_FIRST_DAY},${date.day}`, weekday];
    if (/(?:^|[,-])[07]\b/.test(weekday)) return [date.day, `${ONLY_SUNDAY},${weekday}`];
  }
  throw refuse(whole, "a schedule cannot require both this weekday and this day of the month");
}

/**
 * The cron expression of an OnCalendar= value, with a `CRON_TZ=` prefix for a zone.
 *
 * @throws JobError `invalid_argument` for an inexpressible value
 */
export function calendarToCron(text: string): string {
  let words = text.trim().split(/\s+/);
  let zone = "";
  const last = words.at(-1) ?? "";
  if (/^(?:UTC|[A-Z][A-Za-z_]+\/[\w/+-]+)$/.test(last)) {
    zone = `CRON_TZ=${openZone(last).name} `;
    words = words.slice(0, -1);
  }
  const shorthand = words.length === 1 ? SHORTHANDS[words[0]!.toLowerCase()] : undefined;
  if (shorthand !== undefined) return zone + shorthand;
  const hasWeekday = /^[A-Za-z]/.test(words[0] ?? "");
  const weekday = hasWeekday ? weekdays(words[0]!, text) : "*";
  if (hasWeekday) words = words.slice(1);
  const time = words.find((word) => word.includes(":"));
  const rest = words.filter((word) => word !== time);
  if (rest.length > 1 || (rest.length === 0 && time === undefined && !hasWeekday)) {
    throw refuse(text, "it is not understood");
  }
  const date = calendarDate(rest[0], text);
  const [hour, minute, second = "0", ...others] = (time ?? "0:0:0").split(":");
  if (others.length > 0) throw refuse(text, `"${time}" is not a time of day`);
  if (/\.\d/.test(second.replaceAll("..", ""))) throw refuse(text, "it has parts of a second");
  const [day, days] = bothDays(date, weekday, text);
  const minuteRange = { low: 0, high: 59 };
  const seconds = component(second, text, minuteRange);
  const fields = [
    ...(seconds === "0" ? [] : [seconds]),
    component(minute!, text, minuteRange),
    component(hour!, text, { low: 0, high: 23 }),
    day,
    date.month,
    days,
  ];
  const expression = zone + fields.join(" ");
  parseScheduleText(expression);
  return expression;
}

const UNITS_MS: readonly (readonly [name: RegExp, ms: number])[] = [
  [/^(?:us|usec|µs)$/, 0.001],
  [/^(?:ms|msec)$/, 1],
  [/^(?:|s|sec|seconds?)$/, 1_000],
  [/^(?:m|min|minutes?)$/, 60_000],
  [/^(?:h|hr|hours?)$/, 3_600_000],
  [/^(?:d|days?)$/, 86_400_000],
  [/^(?:w|weeks?)$/, 604_800_000],
  [/^(?:M|months?)$/, 2_629_800_000],
  [/^(?:y|years?)$/, 31_557_600_000],
];

/**
 * A span of time such as `1h 30min` or `90` (seconds), in milliseconds; null for `infinity`.
 *
 * @throws JobError `invalid_argument`
 */
export function readTimeSpan(text: string): number | null {
  if (text.trim() === "infinity") return null;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)\s*([A-Za-zµ]*)\s*/g)];
  const units = parts.map(([, , name]) => UNITS_MS.find(([known]) => known.test(name!))?.[1]);
  const isWhole = parts.length > 0 && parts.map(([part]) => part).join("") === text.trimStart();
  if (isWhole && !units.includes(undefined)) {
    return Math.round(parts.reduce((sum, part, at) => sum + Number(part[1]) * units[at]!, 0));
  }
  throw new JobError(
    "invalid_argument",
    `Cannot read the time span "${text}": wanted for example 1h 30min`,
  );
}

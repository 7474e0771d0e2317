import { isJobError, JobError } from "../../core/errors.ts";
import { parseCron } from "../../core/time/cron.ts";
import { NICKNAMES } from "../../core/time/cron_expression.ts";
import type { CronieEntry } from "./cronie.ts";

// Like crond.c of busybox 1.37: an unreadable item is logged, and the items before it apply.

interface FieldRule {
  readonly name: string;
  readonly size: number;
  /** Added to a number to get its index in the flags. */
  readonly offset: number;
  readonly names: string;
}

const FIELDS: readonly FieldRule[] = [
  { name: "minute", size: 60, offset: 0, names: "" },
  { name: "hour", size: 24, offset: 0, names: "" },
  { name: "day of month", size: 32, offset: 0, names: "" },
  { name: "month", size: 12, offset: -1, names: "janfebmaraprmayjunjulaugsepoctnovdec" },
  { name: "day of week", size: 7, offset: 0, names: "sunmontuewedthufrisat" },
];
/** Number of values of a field that it visits before it reports the range as an error. */
const FAILSAFE = 1_024;

/** A schedule as busybox reads it. */
export interface BusyboxSchedule {
  /** The same runs in the product's syntax; null if it never runs. */
  readonly schedule: string | null;
  /** Fields that it reports as errors, but still uses up to the error. */
  readonly errors: readonly string[];
  readonly entry: CronieEntry;
}

function readOne(text: string, { offset, names }: FieldRule): readonly [number, string] | null {
  const digits = /^\d+/.exec(text)?.[0];
  if (digits !== undefined) return [Number(digits) + offset, text.slice(digits.length)];
  for (let place = 0; place < names.length; place += 3) {
    if (text.slice(0, 3).toLowerCase() === names.slice(place, place + 3)) {
      return [place / 3, text.slice(3)];
    }
  }
  return null;
}

/** Set the flags of one range. Returns true if its end was found. */
function fill(flags: boolean[], first: number, last: number, step: number): boolean {
  let until = 1;
  let at = first - 1;
  for (let round = 1; round < FAILSAFE; round++) {
    at = (at + 1) % flags.length;
    if (--until === 0) {
      flags[at] = true;
      until = step;
    }
    if (at === last) return true;
  }
  return false;
}

/** The flags of a field, and whether all of it was read. */
function readField(text: string, rule: FieldRule): readonly [boolean[], boolean] {
  const flags = new Array<boolean>(rule.size).fill(false);
  let rest = text;
  for (;;) {
    let first = 0;
    let last = rule.size - 1;
    if (rest.startsWith("*")) rest = rest.slice(1);
    else {
      const one = readOne(rest, rule);
      if (one === null) return [flags, false];
      [first, rest] = one;
      last = first;
      if (rest.startsWith("-")) {
        const other = readOne(rest.slice(1), rule);
        if (other === null) return [flags, false];
        [last, rest] = other;
      }
    }
    const step = /^\/(\d*)/.exec(rest);
    if (step !== null) rest = rest.slice(step[0].length);
    if (!fill(flags, first, last, step === null ? 1 : Number(step[1]))) return [flags, false];
    if (!rest.startsWith(",")) return [flags, rest === ""];
    rest = rest.slice(1);
  }
}

/** Flags as a field of a cron expression: `0-5,7`. */
function writeField(flags: readonly boolean[], offset: number): string {
  const parts: string[] = [];
  for (let first = 0; first < flags.length; first++) {
    if (!flags[first]) continue;
    let last = first;
    while (flags[last + 1]) last += 1;
    parts.push(first === last ? `${first + offset}` : `${first + offset}-${last + offset}`);
    first = last;
  }
  return parts.join(",");
}

/** True if our reading of an expression has the same runs. */
function isSame(text: string, entry: CronieEntry): boolean {
  try {
    const ours = parseCron(text);
    const has = (values: readonly number[], flags: readonly boolean[]) =>
      flags.every((flag, value) => flag === values.includes(value));
    const isSameTime = has(ours.minute.values, entry.minute) &&
      has(ours.hour.values, entry.hour) && has(ours.month.values, entry.month);
    if (!isSameTime) return false;
    for (let day = 1; day <= 31; day++) {
      for (let weekday = 0; weekday < 7; weekday++) {
        const isDay = ours.dayOfMonth.values.includes(day);
        const isWeekday = ours.dayOfWeek.values.includes(weekday);
        const isOurs = ours.isBothDays ? isDay && isWeekday : isDay || isWeekday;
        if (isOurs !== (entry.dayOfMonth[day]! || entry.dayOfWeek[weekday]!)) return false;
      }
    }
    return true;
  } catch (error) {
    if (isJobError(error)) return false;
    throw error;
  }
}

function writeSchedule(entry: CronieEntry, isDayRestricted: boolean, isWeekdayRestricted: boolean) {
  const plain = (flags: readonly boolean[]) =>
    flags.every((flag) => flag) ? "*" : writeField(flags, 0);
  const months = entry.month.slice(1);
  return [
    plain(entry.minute),
    plain(entry.hour),
    isDayRestricted ? writeField(entry.dayOfMonth.slice(1), 1) : "*",
    months.every((flag) => flag) ? "*" : writeField(months, 1),
    isWeekdayRestricted ? writeField(entry.dayOfWeek, 0) : "*",
  ].join(" ");
}

/**
 * Read five fields, or a nickname, like busybox crond.
 *
 * @throws JobError `invalid_argument` for an unknown nickname
 */
export function readBusyboxSchedule(text: string): BusyboxSchedule {
  const expanded = text.startsWith("@") ? NICKNAMES[text] : text;
  if (expanded === undefined) {
    throw new JobError("invalid_argument", `Cannot read "${text.slice(0, 80)}": no such nickname`);
  }
  const fields = expanded.split(" ");
  const read = FIELDS.map((rule, place) => readField(fields[place] ?? "", rule));
  const errors = FIELDS.flatMap(({ name }, place) =>
    read[place]![1] ? [] : [`${name} "${fields[place]!.slice(0, 40)}"`]
  );
  const [minute, hour, days, month, weekdays] = read.map(([flags]) => flags) as [
    boolean[],
    boolean[],
    boolean[],
    boolean[],
    boolean[],
  ];
  const isDayRestricted = days.includes(false);
  const isWeekdayRestricted = weekdays.includes(false);
  // A field that allows every day has no effect beside a restricted one.
  const isNone = (own: boolean, other: boolean) => !own && other;
  const entry: CronieEntry = {
    minute,
    hour,
    dayOfMonth: isNone(isDayRestricted, isWeekdayRestricted) ? days.map(() => false) : days,
    month: [false, ...month],
    dayOfWeek: isNone(isWeekdayRestricted, isDayRestricted) ? weekdays.map(() => false) : weekdays,
    isWild: true,
    isDayStar: false,
  };
  const hasDay = entry.dayOfMonth.includes(true, 1) || entry.dayOfWeek.includes(true);
  const isNever = !hasDay || [minute, hour, month].some((flags) => !flags.includes(true));
  const schedule = isNever
    ? null
    : isSame(expanded, entry)
    ? text
    : writeSchedule(entry, isDayRestricted, isWeekdayRestricted);
  return { schedule, errors, entry };
}

import type { CronExpression } from "./cron_expression.ts";

// Wall-clock arithmetic of cron expressions. A wall second is a local time as seconds since local
// 1970-01-01 00:00:00: no zones, no clock changes.

/** Seconds of a day without a clock change. */
export const DAY = 86_400;
/** Weekdays from Sunday on, as expressions name them. */
export const WEEKDAYS: readonly string[] = "sun mon tue wed thu fri sat".split(" ");
/** Every date falls on every weekday within 40 years, also around 2100. */
const MONTHS_SEARCHED = 50 * 12;
/** Most months cached: enough for most schedules. */
const MONTHS_KNOWN_MAX = 1_200;
/** Searches end with this year. */
const LAST_YEAR = 9_999;

interface Month {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  /** Days since 1970-01-01 of its first day. */
  readonly firstDay: number;
  readonly length: number;
}

/** Months by their number since year 0. Thousands of schedules search the same ones. */
const months = new Map<number, Month>();

function monthOf(year: number, month: number): Month {
  const number = year * 12 + month;
  const known = months.get(number);
  if (known !== undefined) return known;
  const first = new Date(0).setUTCFullYear(year, month - 1, 1) / (DAY * 1_000);
  const next = new Date(0).setUTCFullYear(year, month, 1) / (DAY * 1_000);
  const found = { year, month, firstDay: first, length: next - first };
  if (months.size >= MONTHS_KNOWN_MAX) months.clear();
  months.set(number, found);
  return found;
}

function monthAt(day: number): Month {
  const date = new Date(day * DAY * 1_000);
  return monthOf(date.getUTCFullYear(), date.getUTCMonth() + 1);
}

/** The month searched last and its matching days: the next tick is mostly in the same month. */
const lastMonths = new WeakMap<CronExpression, { readonly month: Month; readonly days: number }>();

function monthAfter({ year, month }: Month): Month {
  return month === 12 ? monthOf(year + 1, 1) : monthOf(year, month + 1);
}

/** The weekday of a day since 1970-01-01, which was a Thursday; 0 is Sunday. */
export function weekdayOf(day: number): number {
  return ((day + 4) % 7 + 7) % 7;
}

function bit(day: number): number {
  return 1 << (day - 1);
}

/** The day from Monday to Friday nearest to a day of the month, in the same month. */
function nearestWorkday(month: Month, day: number): number {
  switch (weekdayOf(month.firstDay + day - 1)) {
    case 6:
      return day === 1 ? 3 : day - 1;
    case 0:
      return day === month.length ? day - 2 : day + 1;
    default:
      return day;
  }
}

function daysOfMonth({ dayOfMonth }: CronExpression, month: Month): number {
  let mask = 0;
  for (const day of dayOfMonth.values) mask |= bit(day);
  if (dayOfMonth.isLastDay) mask |= bit(month.length);
  if (dayOfMonth.isLastWorkday) {
    const weekday = weekdayOf(month.firstDay + month.length - 1);
    mask |= bit(month.length - (weekday === 6 ? 1 : weekday === 0 ? 2 : 0));
  }
  for (const day of dayOfMonth.nearest) {
    if (day <= month.length) mask |= bit(nearestWorkday(month, day));
  }
  return mask;
}

function daysOfWeek({ dayOfWeek }: CronExpression, month: Month): number {
  const weekday = weekdayOf(month.firstDay);
  const firstOf = (wanted: number) => 1 + (wanted - weekday + 7) % 7;
  let mask = 0;
  for (const wanted of dayOfWeek.values) {
    // The same weekday four times more; the caller cuts off days beyond the month's end.
    const first = bit(firstOf(wanted));
    mask |= first | first << 7 | first << 14 | first << 21 | first << 28;
  }
  for (const [wanted, n] of dayOfWeek.nth) {
    const day = firstOf(wanted) + 7 * (n - 1);
    if (day <= month.length) mask |= bit(day);
  }
  for (const wanted of dayOfWeek.lastOf) {
    const first = firstOf(wanted);
    mask |= bit(first + 7 * Math.floor((month.length - first) / 7));
  }
  return mask;
}

/** Days of a month that match: bit 0 is the first. */
function matchingDays(expression: CronExpression, month: Month): number {
  if (!expression.month.values.includes(month.month)) return 0;
  const byMonth = daysOfMonth(expression, month);
  const byWeek = daysOfWeek(expression, month);
  const mask = expression.isBothDays ? byMonth & byWeek : byMonth | byWeek;
  return mask & (2 ** month.length - 1);
}

function firstAtLeast(values: readonly number[], low: number): number | undefined {
  return values.find((value) => value >= low);
}

/** The first matching second since midnight, from `low` on; null if there is none. */
function nextTimeOfDay({ hour, minute, second }: CronExpression, low: number): number | null {
  const lowHour = Math.floor(low / 3_600);
  const lowMinute = Math.floor(low / 60) % 60;
  const firstSecond = second.values[0]!;
  const firstMinute = minute.values[0]!;
  if (hour.values.includes(lowHour)) {
    if (minute.values.includes(lowMinute)) {
      const found = firstAtLeast(second.values, low % 60);
      if (found !== undefined) return lowHour * 3_600 + lowMinute * 60 + found;
    }
    const found = firstAtLeast(minute.values, lowMinute + 1);
    if (found !== undefined) return lowHour * 3_600 + found * 60 + firstSecond;
  }
  const found = firstAtLeast(hour.values, lowHour + 1);
  return found === undefined ? null : found * 3_600 + firstMinute * 60 + firstSecond;
}

/** The first matching wall second from `from` on; null if none in 50 years or before year 10000. */
export function nextWallSecond(expression: CronExpression, from: number): number | null {
  const fromDay = Math.floor(from / DAY);
  let known = lastMonths.get(expression);
  if (
    !known || fromDay < known.month.firstDay || fromDay >= known.month.firstDay + known.month.length
  ) {
    const month = monthAt(fromDay);
    known = { month, days: matchingDays(expression, month) };
    lastMonths.set(expression, known);
  }
  let { month, days: monthDays } = known;
  for (let searched = 0; searched <= MONTHS_SEARCHED && month.year <= LAST_YEAR; searched++) {
    let days = monthDays;
    if (fromDay >= month.firstDay) {
      days = (days >>> fromDay - month.firstDay) << fromDay - month.firstDay;
    }
    while (days !== 0) {
      const day = month.firstDay + 31 - Math.clz32(days & -days);
      const low = day === fromDay ? from - fromDay * DAY : 0;
      const time = nextTimeOfDay(expression, low);
      if (time !== null) return day * DAY + time;
      days &= days - 1;
    }
    month = monthAfter(month);
    monthDays = matchingDays(expression, month);
  }
  return null;
}

function countBelow(values: readonly number[], high: number): number {
  return values.filter((value) => value < high).length;
}

/** Number of matching seconds of a day before `high`, seconds since midnight. */
function countTimesOfDay({ hour, minute, second }: CronExpression, high: number): number {
  const highHour = Math.floor(high / 3_600);
  const highMinute = Math.floor(high / 60) % 60;
  const perMinute = second.values.length;
  let count = countBelow(hour.values, highHour) * minute.values.length * perMinute;
  if (!hour.values.includes(highHour)) return count;
  count += countBelow(minute.values, highMinute) * perMinute;
  if (!minute.values.includes(highMinute)) return count;
  return count + countBelow(second.values, high % 60);
}

function countBits(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}

/** Number of days that match from one day to before another. */
function countDays(expression: CronExpression, from: number, until: number): number {
  let count = 0;
  for (let month = monthAt(from); month.firstDay < until; month = monthAfter(month)) {
    const low = Math.max(from - month.firstDay, 0);
    const high = Math.min(until - month.firstDay, month.length);
    const days = matchingDays(expression, month) & (2 ** high - 1);
    count += countBits((days >>> low) << low);
  }
  return count;
}

/**
 * Number of matching wall seconds from `from` to before `until`. The cost grows with the months
 * between them, not with the seconds.
 */
export function countWallSeconds(expression: CronExpression, from: number, until: number): number {
  if (until <= from) return 0;
  const fromDay = Math.floor(from / DAY);
  const untilDay = Math.floor(until / DAY);
  const perDay = countTimesOfDay(expression, DAY);
  const countIn = (day: number, time: number) =>
    countDays(expression, day, day + 1) === 0 ? 0 : countTimesOfDay(expression, time);
  return countDays(expression, fromDay, untilDay) * perDay +
    countIn(untilDay, until - untilDay * DAY) - countIn(fromDay, from - fromDay * DAY);
}

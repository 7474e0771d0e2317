import type { CronExpression } from "../../src/core/cron.ts";

// cronie's main loop (cron(8)) as a reference: it wakes every minute, compares its virtual clock with the wall clock, and
// runs what matches. Slow and independent of how the product finds ticks.

const MINUTE = 60;

function offsets(timezone: string): (second: number) => number {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: timezone,
    timeZoneName: "longOffset",
  });
  return (second) => {
    const text = format.format(second * 1_000);
    const [, sign, hours, minutes] = /GMT(?:([+-])(\d\d):(\d\d))?/.exec(text)!;
    if (sign === undefined) return 0;
    return (Number(hours) * 60 + Number(minutes)) * MINUTE * (sign === "-" ? -1 : 1);
  };
}

/** Whether an expression without `L`, `W` and `#` matches a minute of the wall clock. */
function isMatch(expression: CronExpression, wallMinute: number): boolean {
  const date = new Date(wallMinute * MINUTE * 1_000);
  const isDay = expression.dayOfMonth.values.includes(date.getUTCDate());
  const isWeekday = expression.dayOfWeek.values.includes(date.getUTCDay());
  return expression.minute.values.includes(date.getUTCMinutes()) &&
    expression.hour.values.includes(date.getUTCHours()) &&
    expression.month.values.includes(date.getUTCMonth() + 1) &&
    (expression.isBothDays ? isDay && isWeekday : isDay || isWeekday);
}

/** Instants (epoch ms) at which cronie would run an expression of whole minutes, after one and up to another. */
export function cronieRuns(
  expression: CronExpression,
  timezone: string,
  afterMs: number,
  untilMs: number,
): number[] {
  const offsetAt = offsets(timezone);
  const wallMinuteAt = (second: number) => (second + offsetAt(second)) / MINUTE;
  const isWild = !expression.isFixed;
  const runs: number[] = [];
  // It has been running for some days, so that its virtual clock is right.
  const start = afterMs / 1_000 - 3 * 86_400;
  let virtual = wallMinuteAt(start);
  for (let second = start + MINUTE; second <= untilMs / 1_000; second += MINUTE) {
    const wall = wallMinuteAt(second);
    const difference = wall - virtual;
    let hasRun = false;
    if (difference === 1 || Math.abs(difference) > 180) {
      hasRun = isMatch(expression, wall);
      virtual = wall;
    } else if (difference > 0) {
      if (isWild) hasRun = isMatch(expression, wall);
      while (virtual < wall) {
        virtual += 1;
        if (!isWild && isMatch(expression, virtual)) hasRun = true;
      }
    } else if (isWild) hasRun = isMatch(expression, wall);
    if (hasRun && second * 1_000 > afterMs) runs.push(second * 1_000);
  }
  return runs;
}

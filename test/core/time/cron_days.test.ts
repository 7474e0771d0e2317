import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseCron } from "../../../src/core/time/cron.ts";
import { nextCronTick } from "../../../src/core/time/cron_walk.ts";
import { openZone } from "../../../src/core/time/zone.ts";
import { processorMs } from "../../support/processes/processor_time.ts";

// What cron has no words for, against its plain definition, day by day: nothing here is shared with
// the product.

const DAY = 86_400_000;

interface Day {
  readonly date: number;
  readonly weekday: number;
  readonly month: number;
  readonly length: number;
  /** Weekday of a day of the same month. */
  weekdayOf(date: number): number;
}

function dayAt(ms: number): Day {
  const at = new Date(ms);
  const [year, month] = [at.getUTCFullYear(), at.getUTCMonth()];
  return {
    date: at.getUTCDate(),
    weekday: at.getUTCDay(),
    month: month + 1,
    length: new Date(Date.UTC(year, month + 1, 0)).getUTCDate(),
    weekdayOf: (date) => new Date(Date.UTC(year, month, date)).getUTCDay(),
  };
}

const isWorkday = (day: Day, date: number) => ![0, 6].includes(day.weekdayOf(date));

/**
 * The workday of the month with the least distance to a date; of a Saturday the day before, if it
 * is in the month.
 */
function nearestWorkday(day: Day, wanted: number): number {
  const candidates = Array.from({ length: day.length }, (_, index) => index + 1)
    .filter((date) => isWorkday(day, date));
  const distance = (date: number) => Math.abs(date - wanted);
  return candidates.toSorted((a, b) => distance(a) - distance(b))[0]!;
}

const MONTH_DAYS: Readonly<Record<string, (day: Day) => boolean>> = {
  "*": () => true,
  "L": (day) => day.date === day.length,
  "LW": (day) =>
    isWorkday(day, day.date) &&
    !Array.from({ length: day.length - day.date }, (_, index) => day.date + 1 + index)
      .some((date) => isWorkday(day, date)),
  "1W": (day) => day.date === nearestWorkday(day, 1),
  "15W": (day) => day.date === nearestWorkday(day, 15),
  "30W": (day) => day.length >= 30 && day.date === nearestWorkday(day, 30),
  "31W": (day) => day.length >= 31 && day.date === nearestWorkday(day, 31),
  "13": (day) => day.date === 13,
  "29,L": (day) => day.date === 29 || day.date === day.length,
};
const WEEKDAYS: Readonly<Record<string, (day: Day) => boolean>> = {
  "*": () => true,
  "5L": (day) => day.weekday === 5 && day.date + 7 > day.length,
  "sunL": (day) => day.weekday === 0 && day.date + 7 > day.length,
  "mon#1": (day) => day.weekday === 1 && day.date <= 7,
  "3#5": (day) => day.weekday === 3 && day.date > 28,
  "7#2": (day) => day.weekday === 0 && day.date > 7 && day.date <= 14,
  "2": (day) => day.weekday === 2,
};
const MONTHS: Readonly<Record<string, (day: Day) => boolean>> = {
  "*": () => true,
  "2": (day) => day.month === 2,
  "*/5": (day) => day.month % 5 === 1,
};

function isMatch(day: Day, monthDay: string, month: string, weekday: string): boolean {
  if (!MONTHS[month]!(day)) return false;
  const [byMonth, byWeek] = [MONTH_DAYS[monthDay]!(day), WEEKDAYS[weekday]!(day)];
  const isBoth = monthDay.startsWith("*") || weekday.startsWith("*");
  return isBoth ? byMonth && byWeek : byMonth || byWeek;
}

test("nextCronTick() finds the days of L, W and # by their definition, from 1990 to 2100", () => {
  const days = fc.constantFrom(...Object.keys(MONTH_DAYS));
  const months = fc.constantFrom(...Object.keys(MONTHS));
  const weekdays = fc.constantFrom(...Object.keys(WEEKDAYS));
  const starts = fc.integer({ min: Date.UTC(1990, 0) / DAY, max: Date.UTC(2100, 0) / DAY });
  const zone = openZone("UTC");
  fc.assert(
    fc.property(days, months, weekdays, starts, (monthDay, month, weekday, startDay) => {
      const text = `0 0 ${monthDay} ${month} ${weekday}`;
      let expression;
      try {
        expression = parseCron(text);
      } catch {
        // It never comes, as 30W in February: then no day of 40 years matches.
        for (let day = 0; day < 40 * 366; day++) {
          assert.ok(!isMatch(dayAt((startDay + day) * DAY), monthDay, month, weekday), text);
        }
        return;
      }
      const [from, until] = [startDay * DAY, (startDay + 800) * DAY];
      const found: number[] = [];
      for (
        let tick = nextCronTick(expression, zone, from - 1);
        tick !== null && tick < until;
        tick = nextCronTick(expression, zone, tick)
      ) found.push(tick);
      const wanted: number[] = [];
      for (let at = from; at < until; at += DAY) {
        if (isMatch(dayAt(at), monthDay, month, weekday)) wanted.push(at);
      }
      assert.deepEqual(found, wanted, text);
    }),
    { numRuns: 150 },
  );
});

test("nextCronTick() finds the seconds of six fields one by one", () => {
  const field = fc.constantFrom("*", "*/7", "5", "0,59", "10-20/3", "58-59");
  const starts = fc.integer({ min: 0, max: Date.UTC(2100, 0) / 1_000 });
  const matches = (text: string, value: number): boolean => {
    if (text === "*") return true;
    if (text.startsWith("*/")) return value % Number(text.slice(2)) === 0;
    const range = /^(\d+)-(\d+)(?:\/(\d+))?$/.exec(text);
    if (range === null) return text.split(",").map(Number).includes(value);
    const [low, high, step] = [Number(range[1]), Number(range[2]), Number(range[3] ?? 1)];
    return value >= low && value <= high && (value - low) % step === 0;
  };
  fc.assert(
    fc.property(field, field, starts, (second, minute, start) => {
      const expression = parseCron(`${second} ${minute} * * * *`);
      let tick = nextCronTick(expression, openZone("UTC"), start * 1_000)!;
      for (let at = start + 1; at <= start + 7_200; at++) {
        const isWanted = matches(second, at % 60) && matches(minute, Math.floor(at / 60) % 60);
        assert.equal(tick === at * 1_000, isWanted, `${second} ${minute} at ${at}`);
        if (isWanted) tick = nextCronTick(expression, openZone("UTC"), tick)!;
      }
    }),
    { numRuns: 40 },
  );
});

test("nextCronTick() answers in bounded time, whatever is asked from wherever", () => {
  const start = processorMs();
  let count = 0;
  const texts = ["0 0 29 2 */7", "0 0 31W 12 *", "0 0 * * 3#5", "59 59 23 L 2 *", "30 2 * * *"];
  for (const text of texts) {
    for (const name of ["Europe/Berlin", "Pacific/Apia", "Australia/Lord_Howe"]) {
      for (let year = 1980; year <= 2100; year += 20) {
        nextCronTick(parseCron(text), openZone(name), Date.UTC(year, 5));
        count += 1;
      }
    }
  }
  const perTickMs = (processorMs() - start) / count;
  assert.ok(perTickMs < 50, `${perTickMs} ms each`);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { nextWallSecond } from "../../../src/core/time/calendar.ts";
import { CRON_LENGTH_MAX, parseCron } from "../../../src/core/time/cron.ts";
import { isJobError } from "../../../src/core/errors.ts";
import { processorMs } from "../../support/processes/processor_time.ts";

/** The first `count` matches after a wall time, as `YYYY-MM-DD HH:MM:SS`. */
function matches(text: string, after: string, count: number): string[] {
  const expression = parseCron(text);
  const found: string[] = [];
  let wall: number | null = Date.parse(`${after}Z`) / 1_000;
  while (found.length < count) {
    wall = nextWallSecond(expression, wall + 1);
    if (wall === null) break;
    found.push(new Date(wall * 1_000).toISOString().slice(0, 19).replace("T", " "));
  }
  return found;
}

/** Dates of the first matches after 2026-01-01 00:00:00, of an expression for midnight. */
function dates(days: string, count = 4): string[] {
  return matches(`0 0 ${days}`, "2026-01-01T00:00:00", count).map((text) => text.slice(0, 10));
}

const DATES: readonly [days: string, expected: string[]][] = [
  ["* * *", ["2026-01-02", "2026-01-03", "2026-01-04", "2026-01-05"]],
  ["31 * *", ["2026-01-31", "2026-03-31", "2026-05-31", "2026-07-31"]],
  ["29 2 *", ["2028-02-29", "2032-02-29", "2036-02-29", "2040-02-29"]],
  ["1 1,jul *", ["2026-07-01", "2027-01-01", "2027-07-01", "2028-01-01"]],
  // Either day field suffices, unless one begins with *.
  ["13 * fri", ["2026-01-02", "2026-01-09", "2026-01-13", "2026-01-16"]],
  ["* * 1", ["2026-01-05", "2026-01-12", "2026-01-19", "2026-01-26"]],
  ["*/2 * mon", ["2026-01-05", "2026-01-19", "2026-02-09", "2026-02-23"]],
  ["1-7 * */7", ["2026-01-04", "2026-02-01", "2026-03-01", "2026-04-05"]],
  ["? * 7", ["2026-01-04", "2026-01-11", "2026-01-18", "2026-01-25"]],
  ["* * 5-7", ["2026-01-02", "2026-01-03", "2026-01-04", "2026-01-09"]],
  ["* * SAT,sun", ["2026-01-03", "2026-01-04", "2026-01-10", "2026-01-11"]],
  ["L * *", ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]],
  ["LW * *", ["2026-01-30", "2026-02-27", "2026-03-31", "2026-04-30"]],
  ["1W * *", ["2026-02-02", "2026-03-02", "2026-04-01", "2026-05-01"]],
  ["15W * *", ["2026-01-15", "2026-02-16", "2026-03-16", "2026-04-15"]],
  ["31W * *", ["2026-01-30", "2026-03-31", "2026-05-29", "2026-07-31"]],
  ["* * fri#1", ["2026-01-02", "2026-02-06", "2026-03-06", "2026-04-03"]],
  ["* * 1#5", ["2026-03-30", "2026-06-29", "2026-08-31", "2026-11-30"]],
  ["* * 5L", ["2026-01-30", "2026-02-27", "2026-03-27", "2026-04-24"]],
  ["1,L * *", ["2026-01-31", "2026-02-01", "2026-02-28", "2026-03-01"]],
  ["29 2 */7", ["2032-02-29", "2060-02-29", "2088-02-29"]],
];
for (const [days, expected] of DATES) {
  test(`nextWallSecond() finds the dates of "0 0 ${days}"`, () => {
    assert.deepEqual(dates(days, expected.length), expected);
  });
}

const TIMES: readonly [text: string, expected: string[]][] = [
  ["*/25 * * * *", ["00:25:00", "00:50:00", "01:00:00"]],
  ["5-20/7 8,20 * * *", ["08:05:00", "08:12:00", "08:19:00", "20:05:00"]],
  ["*/20 * * * * *", ["00:00:20", "00:00:40", "00:01:00"]],
  ["59 59 23 * * *", ["23:59:59", "23:59:59"]],
  ["5,5,1-6/5 * * * *", ["00:01:00", "00:05:00", "00:06:00", "01:01:00"]],
  ["\t 0\t12   * * * ", ["12:00:00", "12:00:00"]],
  ["@hourly", ["01:00:00", "02:00:00"]],
];
for (const [text, expected] of TIMES) {
  test(`nextWallSecond() finds the times of ${JSON.stringify(text)}`, () => {
    const found = matches(text, "2026-01-01T00:00:00", expected.length);
    assert.deepEqual(found.map((time) => time.slice(11)), expected);
  });
}

const NICKNAMES: readonly [name: string, text: string][] = [
  ["@yearly", "0 0 1 1 *"],
  ["@annually", "0 0 1 1 *"],
  ["@monthly", "0 0 1 * *"],
  ["@weekly", "0 0 * * 0"],
  ["@daily", "0 0 * * *"],
  ["@midnight", "0 0 * * *"],
  ["@hourly", "0 * * * *"],
];
for (const [name, text] of NICKNAMES) {
  test(`parseCron() reads ${name}`, () => assert.equal(parseCron(name).text, text));
}

const REFUSED: readonly [text: string, message: RegExp][] = [
  ["", /it is empty/],
  ["* * * *", /4 fields, wanted five or six/],
  ["* * * * * * *", /7 fields/],
  ["* * * *\n*", /4 fields/],
  ["60 * * * *", /minute "60" is out of range, wanted 0 to 59/],
  ["* 24 * * *", /hour "24" is out of range, wanted 0 to 23/],
  ["* * 0 * *", /day of month "0" is out of range, wanted 1 to 31/],
  ["* * * 13 *", /month "13" is out of range, wanted 1 to 12 or jan to dec/],
  ["* * * * 8", /day of week "8" is out of range, wanted 0 to 7 or sun to sat/],
  ["60 * * * * *", /second "60"/],
  ["5/10 * * * *", /minute "5\/10" has a step but no range/],
  ["*/0 * * * *", /step that is not a positive number/],
  ["*/-5 * * * *", /step that is not a positive number/],
  ["*/5/5 * * * *", /two steps/],
  ["30-10 * * * *", /minute "30-10" runs backwards/],
  ["* * * * sat-sun", /day of week "sat-sun" runs backwards/],
  ["1--5 * * * *", /minute "1--5" is not understood/],
  ["1,,2 * * * *", /minute "1,,2" has an empty part/],
  ["1.5 * * * *", /minute "1.5" is not understood/],
  ["-1 * * * *", /minute "-1" is not understood/],
  ["* * * foo *", /month "foo" is not understood/],
  ["* * * january *", /month "january"/],
  ["mon * * * *", /minute "mon"/],
  ["? * * * *", /minute "\?"/],
  ["* L * * *", /hour "L"/],
  ["* * * * L", /day of week "L"/],
  ["* * 32W * *", /day of month "32W" is out of range/],
  ["* * * * 1#6", /day of week "1#6" names no week of a month, wanted # and 1 to 5/],
  ["** * * * *", /minute "\*\*"/],
  ["*5 * * * *", /minute "\*5"/],
  ["H * * * *", /minute "H" depends on the job/],
  ["0~30 * * * *", /minute "0~30" depends on the job/],
  ["@reboot", /no such nickname/],
  ["@Daily", /no such nickname/],
  ["@constructor", /no such nickname/],
  ["@every 5m", /no such nickname/],
  ["0 0 30 2 *", /day of month "30" never comes in month "2"/],
  ["0 0 31 4,jun,9,11 *", /day of month "31" never comes in month "4,jun,9,11"/],
  ["* * * * " + "0,".repeat(600) + "0", /characters, at most 1024/],
];
for (const [text, message] of REFUSED) {
  test(`parseCron() refuses ${JSON.stringify(text.slice(0, 40))}`, () => {
    assert.throws(
      () => parseCron(text),
      (error) => isJobError(error, "invalid_argument") && message.test(error.message),
    );
  });
}

test("parseCron() takes an impossible date when the weekday suffices", () => {
  assert.deepEqual(dates("30 2 mon", 2), ["2026-02-02", "2026-02-09"]);
});

test("fault 41: parseCron() refuses a date that never comes in 50 ms", () => {
  const start = processorMs();
  assert.throws(() => parseCron("0 0 30 2 *"), /day of month "30" never comes in month "2"/);
  assert.throws(() => parseCron("0 0 0 31 2,4,6,9,11 *"), /never comes/);
  assert.throws(() => parseCron("0 0 31W 2 ?"), /never comes/);
  assert.ok(processorMs() - start < 50);
});

test("fault 86: parseCron() refuses one megabyte and a list of 100,000 items in 50 ms", () => {
  const start = processorMs();
  assert.throws(() => parseCron("1,".repeat(500_000)), /characters, at most 1024/);
  assert.throws(() => parseCron(`${"0,".repeat(99_999)}0 * * * *`), /at most 1024/);
  assert.throws(() => parseCron(`${"*/1".repeat(300_000)} * * * *`), /at most 1024/);
  assert.ok(processorMs() - start < 50);
});

test("parseCron() takes an expression of the greatest length and none longer", () => {
  const longest = "* * * * *".padEnd(CRON_LENGTH_MAX);
  assert.equal(parseCron(longest).text, "* * * * *");
  assert.throws(() => parseCron(longest + " "));
});

test("parseCron() picks the same values for the same seed and spreads seeds", () => {
  const texts = Array.from(
    { length: 200 },
    (_, i) => parseCron("H H(0-7) H * *", { seed: `job-${i}` }).text,
  );
  assert.equal(parseCron("H H(0-7) H * *", { seed: "job-7" }).text, texts[7]);
  assert.ok(new Set(texts).size > 180);
  const fields = texts.map((text) => text.split(" ").map(Number));
  assert.ok(fields.every(([, hour, day]) => hour! <= 7 && day! >= 1 && day! <= 28));
});

test("parseCron() steps through the whole range when a hash has a step", () => {
  const { minute } = parseCron("H/15 * * * *", { seed: "a" });
  assert.equal(minute.values.length, 4);
  assert.ok(minute.values[0]! < 15);
});

test("parseCron() picks the end of the month when a random day may only be there", () => {
  for (let i = 0; i < 50; i++) {
    const { dayOfMonth } = parseCron("0 0 30~ 1 *", { seed: `job-${i}` });
    assert.ok(dayOfMonth.values[0]! >= 30 && dayOfMonth.values[0]! <= 31);
  }
});

test("parseCron() keeps to the limits of a random value", () => {
  for (let i = 0; i < 50; i++) {
    const { minute, hour } = parseCron("50~ 2~3 * * *", { seed: `job-${i}` });
    assert.ok(minute.values[0]! >= 50 && hour.values[0]! >= 2 && hour.values[0]! <= 3);
  }
});

test("parseCron() tells fixed times from those that follow the clock", () => {
  const fixed = ["0 2 * * *", "0-59 0-23 * * *", "* 30 2 * * *", "@daily"];
  const following = ["* 2 * * *", "*/15 2 * * *", "0 */2 * * *", "@hourly"];
  assert.deepEqual(fixed.map((text) => parseCron(text).isFixed), fixed.map(() => true));
  assert.deepEqual(following.map((text) => parseCron(text).isFixed), following.map(() => false));
});

test("parseCron() throws nothing but JobError whatever it is given", () => {
  const character = fc.constantFrom(..."0123456789*/-,LWH#~? ()@jansu\t".split(""));
  fc.assert(
    fc.property(fc.array(character, { maxLength: 40 }), (characters) => {
      try {
        parseCron(characters.join(""));
      } catch (error) {
        assert.ok(isJobError(error, "invalid_argument"), String(error));
        assert.ok(error.hint);
      }
    }),
    { numRuns: 500 },
  );
});

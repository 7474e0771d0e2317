import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseCron } from "../../src/core/time/cron.ts";
import { isJobError } from "../../src/core/errors.ts";
import { cronieRuns, readCronie } from "../../src/tools/import/cronie.ts";

/** Values whose flag is set. */
function valuesOf(flags: readonly boolean[]): number[] {
  return flags.flatMap((isSet, value) => isSet ? [value] : []);
}

// The answers of cronie 1.7.2's own load_entry().
const READ: readonly [text: string, field: "minute" | "dayOfWeek" | "month", values: number[]][] = [
  ["*/25 * * * *", "minute", [0, 25, 50]],
  ["5-20/7,50 * * * *", "minute", [5, 12, 19, 50]],
  ["*/70 * * * *", "minute", [0]],
  ["007 * * * *", "minute", [7]],
  ["30-10 * * * *", "minute", []],
  ["0 0 * * 0-7/7", "dayOfWeek", [0]],
  ["0 0 * * 5-7", "dayOfWeek", [0, 5, 6]],
  ["0 0 * * MON-fri/2", "dayOfWeek", [1, 3, 5]],
  ["0 0 * * fri-sun", "dayOfWeek", []],
  ["0 0 * jan,8-DEC/2 *", "month", [1, 8, 10, 12]],
  ["@weekly", "dayOfWeek", [0]],
];
for (const [text, field, values] of READ) {
  test(`readCronie() reads the ${field} of "${text}"`, () => {
    assert.deepEqual(valuesOf(readCronie(text)[field]), values);
  });
}

const REFUSED: readonly [text: string, words: string][] = [
  ["*/0 * * * *", "bad minute"],
  ["5/10 * * * *", "bad minute"],
  ["60 * * * *", "bad minute"],
  ["1,,2 * * * *", "bad minute"],
  ["* 1~2/2 * * *", "bad hour"],
  ["* * ? * *", "bad day-of-month"],
  ["* * L * *", "bad day-of-month"],
  ["* * * january *", "bad month"],
  ["* * * * mon#1", "bad day-of-week"],
  ["@reboot", "bad time specifier"],
  ["* * * *", "bad time specifier"],
];
for (const [text, words] of REFUSED) {
  test(`readCronie() refuses "${text}": ${words}`, () => {
    assert.throws(
      () => readCronie(text),
      (error) => isJobError(error, "invalid_argument") && error.message.endsWith(words),
    );
  });
}

test("readCronie() takes what is drawn for ~ from its range", () => {
  const drawn: unknown[] = [];
  const entry = readCronie("~ 2~5 * * *", (field, low, high) => {
    drawn.push([field, low, high]);
    return high;
  });
  assert.deepEqual(drawn, [["minute", 0, 59], ["hour", 2, 5]]);
  assert.deepEqual([valuesOf(entry.minute), valuesOf(entry.hour)], [[59], [5]]);
});

test("parseCron() reads the same values as cronie in whatever both take", () => {
  const item = fc.oneof(
    fc.constant("*"),
    fc.integer({ min: 0, max: 62 }).map(String),
    fc.tuple(fc.nat(32), fc.nat(62), fc.nat(20)).map(([a, b, n]) => `${a}-${b}/${n}`),
    fc.integer({ min: 0, max: 70 }).map((n) => `*/${n}`),
    fc.constantFrom("mon", "SAT-7", "jan-Mar", "sun", "0-6", "x", ""),
  );
  const field = fc.array(item, { minLength: 1, maxLength: 3 }).map((items) => items.join(","));
  const text = fc.tuple(field, field, field, field, field).map((fields) => fields.join(" "));
  let compared = 0;
  fc.assert(
    fc.property(text, (expression) => {
      let ours;
      try {
        ours = parseCron(expression);
      } catch (error) {
        assert.ok(isJobError(error, "invalid_argument"));
        return;
      }
      const entry = readCronie(expression);
      compared += 1;
      assert.deepEqual(valuesOf(entry.minute), ours.minute.values);
      assert.deepEqual(valuesOf(entry.hour), ours.hour.values);
      assert.deepEqual(valuesOf(entry.dayOfMonth), ours.dayOfMonth.values);
      assert.deepEqual(valuesOf(entry.month), ours.month.values);
      assert.deepEqual(valuesOf(entry.dayOfWeek), ours.dayOfWeek.values);
      assert.deepEqual([entry.isWild, entry.isDayStar], [!ours.isFixed, ours.isBothDays]);
    }),
    { numRuns: 20_000, seed: 1 },
  );
  assert.ok(compared > 20, `${compared} compared`);
});

test("cronieRuns() runs a fixed time that is skipped at the change, and a repeated one once", () => {
  const runs = (text: string, day: string) => {
    const afterMs = Date.parse(`${day}T00:00Z`);
    return cronieRuns(readCronie(text), "Europe/Berlin", { afterMs, untilMs: afterMs + 43_200_000 })
      .map((at) => new Date(at).toISOString().slice(11, 16));
  };
  assert.deepEqual(runs("30 2 * * *", "2026-03-29"), ["01:00"]);
  assert.deepEqual(runs("*/30 2 * * *", "2026-03-29"), []);
  assert.deepEqual(runs("30 2 * * *", "2026-10-25"), ["00:30"]);
  assert.deepEqual(runs("30 * 25 10 *", "2026-10-25").slice(0, 3), ["00:30", "01:30", "02:30"]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  DURATION_MS_MAX,
  formatDuration,
  formatRelative,
  parseDuration,
  roughDuration,
} from "../../../src/core/time/duration.ts";
import { isJobError } from "../../../src/core/errors.ts";

const READ: readonly [text: string, ms: number][] = [
  ["0", 0],
  ["0s", 0],
  ["10s", 10_000],
  ["1h30m", 5_400_000],
  ["250ms", 250],
  ["7d", 604_800_000],
  ["2w", 1_209_600_000],
  ["1.5h", 5_400_000],
  ["0.1s", 100],
  [" 5m ", 300_000],
  ["1d2h3m4s5ms", 93_784_005],
  ["36500d", DURATION_MS_MAX],
];
for (const [text, ms] of READ) {
  test(`parseDuration() reads "${text}"`, () => assert.equal(parseDuration(text), ms));
}

const REFUSED: readonly [text: string, reason: RegExp][] = [
  ["", /empty/],
  ["10", /unit is missing/],
  ["-5s", /negative/],
  ["5x", /"x" is not a unit/],
  ["5 s", /not a number with a unit/],
  ["1m1h", /largest to the smallest/],
  ["1m1m", /largest to the smallest/],
  ["0.5ms", /parts of a millisecond/],
  ["36501d", /100 years/],
  ["1e3s", /not a number with a unit|"e" is not a unit/],
  ["NaN", /not a number with a unit/],
  ["9".repeat(1_000_000) + "s", /too long/],
];
for (const [text, reason] of REFUSED) {
  test(`parseDuration() refuses "${text.slice(0, 20)}"`, () => {
    assert.throws(
      () => parseDuration(text),
      (error) => isJobError(error, "invalid_argument") && reason.test(error.message),
    );
  });
}

test("formatDuration() writes the shortest exact form", () => {
  assert.deepEqual([0, 1, 1_500, 5_400_000, 604_800_000, -60_000].map(formatDuration), [
    "0s",
    "1ms",
    "1s500ms",
    "1h30m",
    "7d",
    "-1m",
  ]);
});

test("roughDuration() leaves out what is too small to matter", () => {
  const minute = 60_000;
  const day = 1_440 * minute;
  const cases = [[0, "0s"], [7.5, "7ms"], [1_999, "1s"], [61_500, "1m1s"]] as const;
  for (const [ms, text] of cases) assert.equal(roughDuration(ms), text);
  assert.equal(roughDuration(60 * minute + 59_000), "1h");
  assert.equal(roughDuration(day + 119 * minute), "1d1h");
});

test("parseDuration() reads what formatDuration() writes", () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: DURATION_MS_MAX }), (ms) => {
    assert.equal(parseDuration(formatDuration(ms)), ms);
  }));
});

for (
  const [distanceMs, wanted] of [
    [0, "now"],
    [-999, "now"],
    [1_000, "in 1s"],
    [-61_500, "1m1s ago"],
    [1_400, "in 2s"],
    [7_199_100, "in 2h"],
    [-7_199_100, "1h59m ago"],
    [3_600_000 + 59_000, "in 1h"],
    [3_600_000 * 3 + 1_200_000, "in 3h20m"],
    [-86_400_000 * 2 - 3_599_000, "2d ago"],
  ] as const
) {
  test(`formatRelative() gives "${wanted}" for ${distanceMs} ms`, () => {
    assert.equal(formatRelative(1e12 + distanceMs, 1e12), wanted);
  });
}

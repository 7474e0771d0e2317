import assert from "node:assert/strict";
import { test } from "node:test";
import type { Expectations } from "../../../src/core/job/gen/job_options.ts";
import { JOB_DEFAULTS } from "../../../src/core/job/option_table.ts";
import {
  bandOf,
  checkEvery,
  checkRun,
  checkSuccess,
  describeBroken,
  type RunProgress,
  startWithinOf,
} from "../../../src/core/notices/expectations.ts";

const MINUTE = 60_000;
const NONE: Expectations = JOB_DEFAULTS.expect;
const BAND = { p50Ms: 52_000, p99Ms: 61_000 };

function waiting(ms: number, isScheduled = true): RunProgress {
  return { isScheduled, sinceDueMs: ms, waitedMs: ms, ranMs: null };
}

function running(ranMs: number, sinceDueMs = ranMs): RunProgress {
  return { isScheduled: true, sinceDueMs, waitedMs: null, ranMs };
}

function brokenBy(expect: Partial<Expectations>, run: RunProgress, band = BAND) {
  const { broken, nextMs } = checkRun({ ...NONE, ...expect }, run, band);
  return [broken.map(({ event, rule }) => `${event} ${rule}`), nextMs];
}

test("checkRun() finds a run of a schedule late after ten minutes, without any setting", () => {
  assert.deepEqual(brokenBy({}, waiting(10 * MINUTE - 1)), [[], 1]);
  assert.deepEqual(brokenBy({}, waiting(10 * MINUTE)), [["late start_within"], null]);
  assert.deepEqual(brokenBy({}, waiting(11 * MINUTE, false)), [[], null]);
  assert.deepEqual(brokenBy({ startWithinMs: 0 }, waiting(11 * MINUTE)), [[], null]);
  assert.equal(startWithinOf(NONE, true), 10 * MINUTE);
});

test("checkRun() finds any run late after the set time, until it starts", () => {
  const expect = { startWithinMs: 5_000 };
  assert.deepEqual(brokenBy(expect, waiting(4_999, false)), [[], 1]);
  assert.deepEqual(brokenBy(expect, waiting(5_000, false)), [["late start_within"], null]);
  assert.deepEqual(brokenBy(expect, running(60_000)), [[], null]);
});

test("checkRun() measures finish_within from the due time, whether it waits or runs", () => {
  const expect = { startWithinMs: 0, finishWithinMs: 3_000 };
  assert.deepEqual(brokenBy(expect, waiting(2_000)), [[], 1_000]);
  assert.deepEqual(brokenBy(expect, waiting(3_000)), [["long finish_within"], null]);
  assert.deepEqual(brokenBy(expect, running(10, 2_999)), [[], 1]);
  assert.deepEqual(brokenBy(expect, running(10, 3_000)), [["long finish_within"], null]);
});

test("checkRun() measures max_duration from the start of the attempt", () => {
  const expect = { maxDurationMs: 3_000 };
  assert.deepEqual(brokenBy(expect, running(2_999, 900_000)), [[], 1]);
  assert.deepEqual(brokenBy(expect, running(3_000)), [["long max_duration"], null]);
});

test("checkRun() finds a run too long past one and a half p99, and never within 10 s", () => {
  const expect = { learn: true };
  assert.deepEqual(brokenBy(expect, running(91_499)), [[], 1]);
  assert.deepEqual(brokenBy(expect, running(91_500)), [["long learn"], null]);
  const fast = { p50Ms: 3, p99Ms: 20 };
  assert.deepEqual(brokenBy(expect, running(10_019), fast), [[], 1]);
  assert.deepEqual(brokenBy(expect, running(10_020), fast), [["long learn"], null]);
  assert.deepEqual(checkRun({ ...NONE, ...expect }, running(1e9), null).broken, []);
});

test("checkRun() returns every expectation that is not met, and the time of the next one", () => {
  const expect = { finishWithinMs: 1_000, maxDurationMs: 5_000, learn: true };
  assert.deepEqual(brokenBy(expect, running(500, 2_000)), [["long finish_within"], 4_500]);
  assert.deepEqual(brokenBy(expect, running(100_000)), [
    ["long finish_within", "long max_duration", "long learn"],
    null,
  ]);
});

test("checkSuccess() finds a success below min_duration, or below a quarter of p50", () => {
  const least = { ...NONE, minDurationMs: 1_000 };
  assert.equal(checkSuccess(least, 1_000, null), null);
  assert.equal(checkSuccess(least, 999, null)?.rule, "min_duration");
  const learn = { ...NONE, learn: true };
  assert.equal(checkSuccess(learn, 13_000, BAND), null);
  assert.equal(checkSuccess(learn, 12_999, BAND)?.rule, "learn");
  assert.equal(checkSuccess(NONE, 0, BAND), null);
  assert.equal(checkSuccess(learn, 0, null), null);
});

test("checkSuccess() learns nothing from durations below two seconds", () => {
  const learn = { ...NONE, learn: true };
  assert.equal(checkSuccess(learn, 0, { p50Ms: 1_999, p99Ms: 2_000 }), null);
  assert.equal(checkSuccess(learn, 0, { p50Ms: 2_000, p99Ms: 2_000 })?.rule, "learn");
});

test("checkEvery() finds a job without a success for the time", () => {
  const expect = { ...NONE, everyMs: 86_400_000 };
  assert.deepEqual(checkEvery(expect, 86_399_999), { broken: [], nextMs: 1 });
  assert.equal(checkEvery(expect, 86_400_000).broken[0]?.event, "missed");
  assert.deepEqual(checkEvery(NONE, 1e12), { broken: [], nextMs: null });
});

test("bandOf() knows what is usual from ten successes on, in any order", () => {
  assert.equal(bandOf(Array(9).fill(1_000)), null);
  assert.deepEqual(bandOf(Array(10).fill(1_000)), { p50Ms: 1_000, p99Ms: 1_000 });
  const thirty = Array.from({ length: 30 }, (_, index) => (index * 7 % 30 + 1) * 100);
  assert.deepEqual(bandOf(thirty), { p50Ms: 1_500, p99Ms: 3_000 });
});

test("describeBroken() says what was found and what is expected", () => {
  const find = (expect: Partial<Expectations>, run: RunProgress) =>
    checkRun({ ...NONE, ...expect }, run, BAND).broken[0]!;
  const late = find({}, waiting(12 * MINUTE));
  assert.equal(describeBroken(late), "due 12m ago and not started; expected within 10m");
  assert.equal(
    describeBroken(late, { busyWorkers: 4 }),
    "due 12m ago and not started; expected within 10m; all 4 workers are busy",
  );
  assert.match(describeBroken(late, { busyWorkers: 1 }), /; the only worker is busy$/);
  assert.equal(
    describeBroken(find({}, waiting(7.26 * 60 * MINUTE)), { isStarted: true }),
    "started 7h15m after it was due; expected within 10m",
  );
  assert.equal(
    describeBroken(find({ finishWithinMs: 3 * 60 * MINUTE }, running(0, 3 * 60 * MINUTE))),
    "due 3h ago and not finished; expected within 3h",
  );
  assert.equal(
    describeBroken(find({ maxDurationMs: 90_000 }, running(90_432))),
    "running for 1m30s; expected at most 1m30s",
  );
  assert.equal(
    describeBroken(find({ learn: true }, running(95_000))),
    "running for 1m35s; usually 52s, p99 1m1s",
  );
  assert.equal(
    describeBroken(checkSuccess({ ...NONE, learn: true }, 4_000, BAND)!),
    "took 4s; usually 52s, p99 1m1s",
  );
  assert.equal(
    describeBroken(checkSuccess({ ...NONE, minDurationMs: MINUTE }, 999, null)!),
    "took 999ms; expected at least 1m",
  );
  const missed = checkEvery({ ...NONE, everyMs: 86_400_000 }, 90_000_000).broken[0]!;
  assert.equal(
    describeBroken(missed, { lastSuccessAt: Date.UTC(2026, 0, 1) }),
    "no success for 1d1h, the last at 2026-01-01T00:00:00.000Z; expected every 1d",
  );
  assert.equal(describeBroken(missed), "no success for 1d1h, and none before; expected every 1d");
});

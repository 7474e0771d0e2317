import assert from "node:assert/strict";
import test from "node:test";
import type { JobStatsBucket } from "../../../src/dashboard/gen/api_types.ts";
import { durationTrend } from "../../../src/dashboard/text/duration_trend.ts";

/** A part of a span with so many runs that usually took so long; none without a duration. */
function bucket(p50_ms?: number, runs = 5): JobStatsBucket {
  return {
    ...{ completed: runs, failed: 0, timed_out: 0, canceled: 0, unfinished: 0 },
    ...(p50_ms === undefined
      ? {}
      : { durations: { runs, p50_ms, p90_ms: p50_ms, max_ms: p50_ms } }),
  };
}

test("durationTrend() compares the halves of a span", () => {
  assert.equal(
    durationTrend([bucket(100_000), bucket(100_000), bucket(150_000), bucket(150_000)]),
    "50 % slower: 1m 40s in the first half of this span, 2m 30s in the second",
  );
  assert.equal(
    durationTrend([bucket(200), bucket(100)]),
    "50 % faster: 200 ms in the first half of this span, 100 ms in the second",
  );
  assert.equal(
    durationTrend([bucket(100), bucket(109)]),
    "about the same in both halves of this span",
  );
});

test("durationTrend() weighs parts by their runs", () => {
  const trend = durationTrend([bucket(100, 10), bucket(900, 0), bucket(100, 10), bucket()]);
  assert.equal(trend, "about the same in both halves of this span");
});

test("durationTrend() says nothing about fewer than five runs in a half", () => {
  assert.equal(durationTrend([bucket(100), bucket(900, 4)]), null);
  assert.equal(durationTrend([bucket(), bucket(900)]), null);
  assert.equal(durationTrend([]), null);
});

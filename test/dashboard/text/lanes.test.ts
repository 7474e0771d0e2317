import assert from "node:assert/strict";
import test from "node:test";
import type { ForecastResponse } from "../../../src/dashboard/gen/api_types.ts";
import { lanesOf } from "../../../src/dashboard/pages/timeline/lanes.ts";

const MINUTE_MS = 60_000;

/** The lane of a schedule of every 5 minutes, of which one run comes an hour later. */
function laneWith(spaceMs: number) {
  const minutes = [...Array(10).keys()].map((index) => index * 5).concat(105);
  const entries = minutes.map((minute) => {
    const at = new Date(minute * MINUTE_MS).toISOString();
    return { kind: "a", schedule_id: "s", at, outcome: "runs", why: "", duration_ms: 1_000 };
  });
  const future = { entries, densities: [], bounds: [] } as unknown as ForecastResponse;
  return lanesOf({ past: null, future, nowMs: 0, spaceMs })[0]!;
}

test("lanesOf() makes one band with a count of future runs that are too close to tell apart", () => {
  const { bars, heats, rows } = laneWith(4 * MINUTE_MS);
  assert.deepEqual(heats.map(({ count, from }) => [count, from]), [[10, 0]]);
  assert.equal(bars.filter(({ isBanded }) => isBanded !== true).length, 1);
  assert.deepEqual([rows, bars.length], [1, 11]);
});

test("lanesOf() keeps future runs apart when there is room", () => {
  const { bars, heats } = laneWith(MINUTE_MS);
  assert.deepEqual(heats, []);
  assert.ok(bars.every(({ isBanded }) => isBanded !== true));
});

import assert from "node:assert/strict";
import test from "node:test";
import type {
  ForecastResponse,
  LookupTimelineResponse,
} from "../../../src/dashboard/gen/api_types.ts";
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
  assert.deepEqual(heats.map(({ good, from }) => [good, from]), [[10, 0]]);
  assert.equal(bars.filter(({ isBanded }) => isBanded !== true).length, 1);
  assert.deepEqual([rows, bars.length], [1, 11]);
});

test("lanesOf() keeps future runs apart when there is room", () => {
  const { bars, heats } = laneWith(MINUTE_MS);
  assert.deepEqual(heats, []);
  assert.ok(bars.every(({ isBanded }) => isBanded !== true));
});

test("lanesOf() counts what waits, runs or was canceled apart from what completed", () => {
  const bounds = [0, 1, 2].map((minute) => new Date(minute * MINUTE_MS).toISOString());
  const counts = [{
    ...{ kind: "a", completed: [0, 7], terminated: [0, 2], timed_out: [0, 1] },
    ...{ canceled: [0, 4], unfinished: [3, 5] },
  }];
  const past = { runs: [], gaps: [], counts, bounds } as unknown as LookupTimelineResponse;
  const [lane] = lanesOf({ past, future: null, nowMs: 0, spaceMs: 1 });
  assert.deepEqual(
    lane!.heats.map(({ good, bad, off, open }) => ({ good, bad, off, open })),
    [{ good: 0, bad: 0, off: 0, open: 3 }, { good: 7, bad: 3, off: 4, open: 5 }],
  );
});

test("lanesOf() has a lane for each job whose future was not computed", () => {
  const future = { entries: [], densities: [], bounds: [], left_out: 2, left_out_kinds: ["b"] };
  const lanes = lanesOf({
    ...{ past: null, future: future as unknown as ForecastResponse, nowMs: 0, spaceMs: 1 },
  });
  assert.deepEqual(lanes.map(({ kind, isPart }) => [kind, isPart]), [["b", true]]);
});

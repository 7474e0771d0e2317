import assert from "node:assert/strict";
import { test } from "node:test";
import { nextTickOf, planAdvance } from "../../../src/core/time/ticks.ts";
import { scheduleRecord, scheduleSpec } from "../../support/schedules.ts";

const MINUTE = 60_000;

test("nextTickOf() gives no tick before the start and none at or after the end", () => {
  const spec = scheduleSpec("* * * * *", { startsAt: 10 * MINUTE, endsAt: 12 * MINUTE });
  assert.equal(nextTickOf(spec, 0, 0), 10 * MINUTE);
  assert.equal(nextTickOf(spec, 0, 10 * MINUTE), 11 * MINUTE);
  assert.equal(nextTickOf(spec, 0, 11 * MINUTE), null);
});

test("nextTickOf() gives the start itself as the first tick of an interval", () => {
  const spec = scheduleSpec("@every 7m", { startsAt: 10 * MINUTE });
  assert.equal(nextTickOf(spec, 3, 0), 10 * MINUTE);
  assert.equal(nextTickOf(spec, 3, 10 * MINUTE), 17 * MINUTE);
});

test("planAdvance() counts and fires within the bounds only", () => {
  const spec = scheduleSpec("* * * * *", { startsAt: 10 * MINUTE, endsAt: 20 * MINUTE });
  const plan = planAdvance(scheduleRecord(spec), 60 * MINUTE);
  assert.deepEqual([plan.fires, plan.cursor, plan.nextAt], [[19 * MINUTE], 19 * MINUTE, null]);
  assert.deepEqual(plan.fates.map(({ from, to, count }) => [from, to, count]), [
    [10 * MINUTE, 18 * MINUTE, 9],
  ]);
});

test("planAdvance() does nothing when the bounds hold no tick", () => {
  const spec = scheduleSpec("0 * * * *", { startsAt: 10 * MINUTE, endsAt: 20 * MINUTE });
  const plan = planAdvance(scheduleRecord(spec), 600 * MINUTE);
  assert.deepEqual(plan, { cursor: 0, nextAt: null, fires: [], fates: [] });
});

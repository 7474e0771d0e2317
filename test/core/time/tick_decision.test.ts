import assert from "node:assert/strict";
import { test } from "node:test";
import { jitterOf, skipReason, type TickFacts } from "../../../src/core/time/tick_decision.ts";
import type { Overlap, ScheduleSpec } from "../../../src/core/time/schedule.ts";
import { scheduleRecord, scheduleSpec } from "../../support/schedules.ts";

const TICK = Date.UTC(2026, 0, 1, 12);

function reasonOf(
  given: {
    readonly facts?: Partial<TickFacts>;
    readonly spec?: Partial<ScheduleSpec>;
    readonly skipUntil?: number;
  },
) {
  const spec = scheduleSpec("* * * * *", given.spec);
  const facts: TickFacts = {
    overlap: "skip",
    runs: 0,
    skipNext: 0,
    isPaused: false,
    isBusy: false,
    queuedCount: 0,
    isCatchUp: false,
    ...given.facts,
  };
  return skipReason(scheduleRecord(spec, { skipUntil: given.skipUntil }), TICK, facts);
}

test("skipReason() is null for a tick that nothing holds back", () => {
  assert.equal(reasonOf({}), null);
  assert.equal(reasonOf({ facts: { runs: 1 }, spec: { runsMax: 2 } }), null);
  assert.equal(reasonOf({ skipUntil: TICK }), null);
  assert.equal(reasonOf({ facts: { isBusy: true, overlap: "allow" } }), null);
  assert.equal(reasonOf({ facts: { isBusy: true, overlap: "replace" } }), null);
  assert.equal(
    reasonOf({ facts: { isBusy: true, overlap: "queue", queuedCount: 2 }, spec: { queueMax: 3 } }),
    null,
  );
});

for (
  const [reason, given] of [
    ["runs_max", { facts: { runs: 2, isPaused: true }, spec: { runsMax: 2 } }],
    ["skip requested", { skipUntil: TICK + 1, facts: { isPaused: true } }],
    ["skip requested", { facts: { skipNext: 1 } }],
    ["blackout", { spec: { blackout: ["12:00-13:00"] }, facts: { isPaused: true } }],
    ["paused", { facts: { isPaused: true, isBusy: true } }],
    ["overlap", { facts: { isBusy: true } }],
    [
      "overlap",
      {
        facts: { isBusy: true, overlap: "queue" as Overlap, queuedCount: 3 },
        spec: { queueMax: 3 },
      },
    ],
  ] as const
) {
  test(`skipReason() is "${reason}" for ${JSON.stringify(given)}`, () => {
    assert.equal(reasonOf(given), reason);
  });
}

test("jitterOf() is the same each time, and another for another schedule or node", () => {
  const jitter = jitterOf("config:a:0", "one", 60_000);
  assert.equal(jitterOf("config:a:0", "one", 60_000), jitter);
  assert.notEqual(jitterOf("config:b:0", "one", 60_000), jitter);
  assert.notEqual(jitterOf("config:a:0", "two", 60_000), jitter);
  assert.equal(jitterOf("config:a:0", "one", 0), 0);
});

test("jitterOf() spreads many schedules evenly within its bound", () => {
  const buckets = Array.from({ length: 10 }, () => 0);
  for (let index = 0; index < 10_000; index++) {
    const jitter = jitterOf(`config:job-${index}:0`, "node", 1_000);
    assert.ok(Number.isInteger(jitter) && jitter >= 0 && jitter < 1_000);
    buckets[Math.floor(jitter / 100)]! += 1;
  }
  assert.ok(Math.min(...buckets) > 850 && Math.max(...buckets) < 1_150, buckets.join(" "));
});

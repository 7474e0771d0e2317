import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Misfire } from "../../../src/core/time/schedule.ts";
import { FIRES_MAX, GRACE_MS, nextTickOf, planAdvance } from "../../../src/core/time/ticks.ts";
import { scheduleRecord, scheduleSpec } from "../../support/schedules.ts";
import { processorMs } from "../../support/processes/processor_time.ts";

const MINUTE = 60_000;
const DAY = 86_400_000;

function plan(
  text: string,
  misfire: Misfire,
  times: { readonly cursor: number; readonly now: number; readonly withinMs?: number },
) {
  const spec = scheduleSpec(text, { misfire, misfireWithinMs: times.withinMs ?? DAY });
  return planAdvance(scheduleRecord(spec, { cursor: times.cursor }), times.now);
}

function range(from: number, to: number, count: number, fate: "coalesced" | "missed") {
  return { from, to, count, fate, reason: "misfire", instanceId: null };
}

for (const misfire of ["skip", "latest", "all"] as const) {
  test(`planAdvance() fires one tick that is due when misfire is ${misfire}`, () => {
    const made = plan("* * * * *", misfire, { cursor: 0, now: MINUTE + 3 });
    assert.deepEqual(made, { cursor: MINUTE, nextAt: 2 * MINUTE, fires: [MINUTE], fates: [] });
  });

  test(`planAdvance() does nothing one millisecond before the tick when misfire is ${misfire}`, () => {
    const made = plan("* * * * *", misfire, { cursor: 0, now: MINUTE - 1 });
    assert.deepEqual(made, { cursor: 0, nextAt: MINUTE, fires: [], fates: [] });
  });

  test(`planAdvance() fires nothing twice when the clock is set back and misfire is ${misfire}`, () => {
    const made = plan("* * * * *", misfire, { cursor: 10 * MINUTE, now: 5 * MINUTE });
    assert.deepEqual(made, {
      cursor: 10 * MINUTE,
      nextAt: 11 * MINUTE,
      fires: [],
      fates: [],
    });
  });

  test(`planAdvance() fires a tick of the grace time though misfire_within is 0 and misfire is ${misfire}`, () => {
    const now = MINUTE + GRACE_MS;
    const made = plan("1 * * * *", misfire, { cursor: 0, now, withinMs: 0 });
    assert.deepEqual([made.fires, made.fates], [[MINUTE], []]);
  });

  test(`planAdvance() misses a tick past the grace time when misfire_within is 0 and misfire is ${misfire}`, () => {
    const now = MINUTE + GRACE_MS + 1;
    const made = plan("1 * * * *", misfire, { cursor: 0, now, withinMs: 0 });
    assert.deepEqual([made.fires, made.fates], [[], [range(MINUTE, MINUTE, 1, "missed")]]);
    assert.equal(made.cursor, MINUTE);
  });

  test(`planAdvance() takes ten years of seconds in 100 ms when misfire is ${misfire}`, () => {
    const cursor = Date.UTC(2026, 0);
    const now = Date.UTC(2036, 0);
    const start = processorMs();
    const made = plan("CRON_TZ=Europe/Berlin * * * * * *", misfire, { cursor, now });
    assert.ok(processorMs() - start < 100);
    const total = made.fires.length + made.fates.reduce((sum, { count }) => sum + count, 0);
    assert.equal(total, (now - cursor) / 1_000);
    assert.equal(made.cursor, now);
    assert.ok(made.fates.length <= 2);
  });
}

test("planAdvance() fires the ticks of the grace time and misses older ones when misfire is skip", () => {
  const now = 10 * MINUTE + 30_000;
  const made = plan("* * * * *", "skip", { cursor: 0, now });
  assert.deepEqual(made.fires, [10 * MINUTE]);
  assert.deepEqual(made.fates, [range(MINUTE, 9 * MINUTE, 9, "missed")]);
});

test("planAdvance() fires every tick of the grace time when misfire is skip", () => {
  const made = plan("*/20 * * * * *", "skip", { cursor: 0, now: 50_000 });
  assert.deepEqual([made.fires, made.fates], [[20_000, 40_000], []]);
});

test("planAdvance() fires the last and coalesces the others when misfire is latest", () => {
  const made = plan("* * * * *", "latest", { cursor: 0, now: 10 * MINUTE });
  assert.deepEqual(made.fires, [10 * MINUTE]);
  assert.deepEqual(made.fates, [range(MINUTE, 9 * MINUTE, 9, "coalesced")]);
});

test("planAdvance() misses what is later than misfire_within when misfire is latest", () => {
  const made = plan("* * * * *", "latest", { cursor: 0, now: 10 * MINUTE, withinMs: 4 * MINUTE });
  assert.deepEqual(made.fires, [10 * MINUTE]);
  assert.deepEqual(made.fates, [
    range(MINUTE, 5 * MINUTE, 5, "missed"),
    range(6 * MINUTE, 9 * MINUTE, 4, "coalesced"),
  ]);
});

test("planAdvance() fires nothing when the last tick is later than misfire_within", () => {
  const made = plan("@yearly", "latest", { cursor: 0, now: Date.UTC(1972, 5) });
  assert.deepEqual(made.fires, []);
  assert.deepEqual(made.fates, [
    range(Date.UTC(1971, 0), Date.UTC(1972, 0), 2, "missed"),
  ]);
  assert.equal(made.nextAt, Date.UTC(1973, 0));
});

test("planAdvance() fires each tick within misfire_within when misfire is all", () => {
  const made = plan("* * * * *", "all", { cursor: 0, now: 10 * MINUTE, withinMs: 2 * MINUTE });
  assert.deepEqual(made.fires, [8 * MINUTE, 9 * MINUTE, 10 * MINUTE]);
  assert.deepEqual(made.fates, [range(MINUTE, 7 * MINUTE, 7, "missed")]);
});

test("planAdvance() fires the latest ticks when misfire is all and there are more than it may fire", () => {
  const made = plan("* * * * *", "all", { cursor: 0, now: 250 * MINUTE });
  assert.equal(made.fires.length, FIRES_MAX);
  assert.equal(made.fires[0], 151 * MINUTE);
  assert.deepEqual(made.fates, [range(MINUTE, 150 * MINUTE, 150, "missed")]);
});

test("planAdvance() counts intervals from the start when the schedule is @every", () => {
  const spec = scheduleSpec("@every 7s", { misfire: "latest", misfireWithinMs: 10 * DAY });
  const record = scheduleRecord(spec, { startAt: 1_000, cursor: 1_000 });
  const made = planAdvance(record, 1_000 + 10 * DAY);
  const last = 1_000 + Math.floor(10 * DAY / 7_000) * 7_000;
  assert.deepEqual(made.fires, [last]);
  assert.deepEqual(made.fates, [
    range(8_000, last - 7_000, Math.floor(10 * DAY / 7_000) - 1, "coalesced"),
  ]);
  assert.equal(made.nextAt, last + 7_000);
});

test("planAdvance() is done with nothing to come when no tick is left", () => {
  const cursor = Date.parse("9998-06-01T00:00Z");
  const made = plan("0 0 1 1 *", "latest", { cursor, now: Date.parse("9999-01-01T00:00Z") });
  assert.deepEqual([made.fires, made.nextAt], [[Date.parse("9999-01-01T00:00Z")], null]);
});

const TEXTS = [
  "* * * * *",
  "*/7 * * * *",
  "30 2 * * *",
  "0 12 * * 1-5",
  "0 0 1 * *",
  "@every 11m",
  "*/15 * * * * *",
];

test("planAdvance() gives each tick one fate whatever passed", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...TEXTS),
      fc.constantFrom("skip", "latest", "all"),
      fc.constantFrom("UTC", "Europe/Berlin", "Australia/Lord_Howe"),
      fc.integer({ min: Date.UTC(2026, 0), max: Date.UTC(2027, 0) }),
      fc.integer({ min: 0, max: 3 * DAY }),
      fc.integer({ min: 0, max: 2 * DAY }),
      (text, misfire, timezone, cursor, passedMs, misfireWithinMs) => {
        const spec = scheduleSpec(text, { misfire, misfireWithinMs, timezone });
        const now = cursor + passedMs;
        const made = planAdvance(scheduleRecord(spec, { cursor, startAt: cursor }), now);
        const ticks: number[] = [];
        let tick = nextTickOf(spec, cursor, cursor);
        while (tick !== null && tick <= now) {
          ticks.push(tick);
          tick = nextTickOf(spec, cursor, tick);
        }
        const inRanges = made.fates.map((fate) => {
          const inside = ticks.filter((one) => one >= fate.from && one <= fate.to);
          assert.deepEqual([inside.length, inside[0], inside.at(-1)], [
            fate.count,
            fate.from,
            fate.to,
          ]);
          return inside;
        }).flat();
        assert.deepEqual([...inRanges, ...made.fires], ticks);
        assert.equal(made.cursor, ticks.at(-1) ?? cursor);
        assert.equal(made.nextAt, tick);
      },
    ),
    { numRuns: 80 },
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ScheduleRecord, ScheduleSpec } from "../../../src/core/time/schedule.ts";
import { nextRunAt, pausedUntil } from "../../../src/core/time/next_run.ts";
import { nextTickOf } from "../../../src/core/time/ticks.ts";
import { scheduleRecord, scheduleSpec } from "../../support/schedules.ts";

/** A Friday. */
const START = Date.UTC(2026, 2, 27, 10);
const HOUR = 3_600_000;

function nextOf(
  text: string,
  spec: Partial<ScheduleSpec> = {},
  record: Partial<ScheduleRecord> = {},
  pausedUntil: number | null = null,
): string | null {
  const whole = scheduleSpec(text, spec);
  const nextAt = nextTickOf(whole, START, START);
  const times = { cursor: START, startAt: START, nextAt };
  const at = nextRunAt(scheduleRecord(whole, { ...times, ...record }), pausedUntil);
  return at === null ? null : new Date(at).toISOString().slice(0, 16);
}

test("nextRunAt() is the next tick if nothing forbids it", () => {
  assert.equal(nextOf("0 * * * *"), "2026-03-27T11:00");
  assert.equal(nextOf("0 * * * *", {}, { nextAt: null }), null);
  assert.equal(nextOf("0 * * * *", {}, { removedAt: START }), null);
  assert.equal(nextOf("0 * * * *", { runsMax: 3 }, { runs: 3 }), null);
});

test("nextRunAt() passes windows of a blackout, also those one after the other", () => {
  assert.equal(nextOf("0 * * * *", { blackout: ["10:30-14:00"] }), "2026-03-27T14:00");
  assert.equal(nextOf("0 9 * * *", { blackout: ["sat-sun"] }), "2026-03-30T09:00");
  const holidays = ["2026-03-28/2026-03-31", "2026-04-01", "2026-04-02/2026-05-20"];
  assert.equal(
    nextOf("* * * * * *", { blackout: ["10:00-24:00", ...holidays] }),
    "2026-05-21T00:00",
  );
  // Its windows are on the clock of the schedule's zone.
  const timezone = "Asia/Tokyo";
  assert.equal(nextOf("0 * * * *", { timezone, blackout: ["20:00-21:00"] }), "2026-03-27T12:00");
});

test("nextRunAt() finds none if every tick is in a blackout", () => {
  assert.equal(nextOf("0 3 * * *", { blackout: ["02:00-04:00"] }), null);
  assert.equal(nextOf("* * * * * *", { blackout: ["00:00-12:00", "12:00-24:00"] }), null);
});

test("nextRunAt() passes ticks that somebody asked to skip", () => {
  assert.equal(nextOf("0 * * * *", {}, { skipNext: 2 }), "2026-03-27T13:00");
  assert.equal(nextOf("0 * * * *", {}, { skipUntil: START + 3 * HOUR }), "2026-03-27T13:00");
  assert.equal(nextOf("0 * * * *", {}, { skipUntil: START + 3 * HOUR + 1 }), "2026-03-27T14:00");
});

test("nextRunAt() waits for the end of a pause, if it has one", () => {
  assert.equal(nextOf("0 * * * *", {}, {}, START + 3 * HOUR), "2026-03-27T13:00");
  assert.equal(nextOf("0 * * * *", {}, {}, Infinity), null);
  const blackout = ["13:00-14:30"];
  assert.equal(nextOf("0 * * * *", { blackout }, {}, START + 3 * HOUR), "2026-03-27T15:00");
});

test("pausedUntil() is the end of the last pause of a job or of all", () => {
  const own = { kind: "mail", until: 20 };
  assert.equal(pausedUntil("mail", []), null);
  assert.equal(pausedUntil("report", [own]), null);
  assert.equal(pausedUntil("mail", [own, { kind: null, until: 10 }]), 20);
  assert.equal(pausedUntil("mail", [own, { kind: null, until: null }]), Infinity);
});

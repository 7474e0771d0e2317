import assert from "node:assert/strict";
import test from "node:test";
import { dayStart, nextDate, withLocalTimes } from "../../../src/dashboard/text/format_time.ts";

const STARTS: readonly (readonly [date: string, zone: string, start: string])[] = [
  ["2026-11-28", "UTC", "2026-11-28T00:00:00.000Z"],
  ["2026-11-28", "Europe/Berlin", "2026-11-27T23:00:00.000Z"],
  ["2026-03-29", "Europe/Berlin", "2026-03-28T23:00:00.000Z"],
  ["2026-03-30", "Europe/Berlin", "2026-03-29T22:00:00.000Z"],
  ["2026-10-25", "Europe/Berlin", "2026-10-24T22:00:00.000Z"],
  ["2026-10-26", "Europe/Berlin", "2026-10-25T23:00:00.000Z"],
  ["2026-11-01", "America/New_York", "2026-11-01T04:00:00.000Z"],
  ["2026-11-28", "Asia/Kolkata", "2026-11-27T18:30:00.000Z"],
];

test("dayStart() finds midnight by the clock of a zone, also beside a clock change", () => {
  for (const [date, zone, start] of STARTS) {
    assert.equal(new Date(dayStart(date, zone)).toISOString(), start, `${date} ${zone}`);
  }
});

test("nextDate() passes the ends of months and years", () => {
  assert.equal(nextDate("2026-02-28"), "2026-03-01");
  assert.equal(nextDate("2026-12-31"), "2027-01-01");
});

test("withLocalTimes() shows the times in a text by the clock of a zone", () => {
  const nowMs = Date.parse("2026-11-28T12:00:00Z");
  assert.equal(
    withLocalTimes("It waits since 2026-11-28T06:19:36.727Z: full", "Europe/Berlin", nowMs),
    "It waits since 07:19:36: full",
  );
  assert.equal(
    withLocalTimes("due 2026-11-27T23:30:00Z, not 2026-11-28", "UTC", nowMs),
    "due Fri 11-27 23:30, not 2026-11-28",
  );
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import { parseZonedTime } from "../../../src/core/time/wall_time.ts";

for (
  const [text, zone, iso] of [
    ["2026-12-24", "UTC", "2026-12-24T00:00:00Z"],
    ["2026-12-24", "Europe/Berlin", "2026-12-23T23:00:00Z"],
    ["2026-07-01T18:30", "Europe/Berlin", "2026-07-01T16:30:00Z"],
    ["2026-07-01 18:30:15", "America/New_York", "2026-07-01T22:30:15Z"],
    ["2026-12-24T18:00:00Z", "Europe/Berlin", "2026-12-24T18:00:00Z"],
    ["2026-12-24T18:00:00.000+05:30", "UTC", "2026-12-24T12:30:00Z"],
    // Shown twice, and never.
    ["2026-10-25T02:30", "Europe/Berlin", "2026-10-25T00:30:00Z"],
    ["2026-03-29T02:30", "Europe/Berlin", "2026-03-29T01:30:00Z"],
  ] as const
) {
  test(`parseZonedTime() reads "${text}" in ${zone}`, () => {
    assert.equal(new Date(parseZonedTime(text, zone)).toISOString(), iso.replace("Z", ".000Z"));
  });
}

for (const text of ["", "noon", "2026-13-01", "2026-02-30", "2026-12-24T25:00", "24.12.2026"]) {
  test(`parseZonedTime() refuses "${text}"`, () => {
    assert.throws(() => parseZonedTime(text, "UTC"), (e) => isJobError(e, "invalid_argument"));
  });
}

import assert from "node:assert/strict";
import test from "node:test";
import { isWallTime, parseTime } from "../../src/cli/parsing/time.ts";
import { isJobError } from "../../src/core/errors.ts";
import { openZone } from "../../src/core/time/zone.ts";

// Noon in whatever zone the tests run in.
const NOW = new Date(2026, 10, 24, 12, 0, 0).getTime();

function parse(text: string, direction: "future" | "past" = "future"): number {
  return parseTime(text, { nowMs: NOW, direction, what: "--at" });
}

function local(year: number, month: number, day: number, ...clock: number[]): number {
  const [hour = 0, minute = 0, second = 0, ms = 0] = clock;
  return new Date(year, month, day, hour, minute, second, ms).getTime();
}

const FUTURE: readonly (readonly [string, number])[] = [
  ["now", NOW],
  ["NOW", NOW],
  ["today", local(2026, 10, 24)],
  ["tomorrow", local(2026, 10, 25)],
  ["yesterday", local(2026, 10, 23)],
  ["tomorrow 9:00", local(2026, 10, 25, 9)],
  ["tomorrow at 09:00:30", local(2026, 10, 25, 9, 0, 30)],
  ["12:01", local(2026, 10, 24, 12, 1)],
  ["12:00", local(2026, 10, 25, 12)],
  ["02:00", local(2026, 10, 25, 2)],
  ["monday", local(2026, 10, 30)],
  ["mon 08:00", local(2026, 10, 30, 8)],
  ["Tuesday", local(2026, 11, 1)],
  ["tuesday at 12:01", local(2026, 10, 24, 12, 1)],
  ["tue 12:00", local(2026, 11, 1, 12)],
  ["Wednesday", local(2026, 10, 25)],
  ["thurs", local(2026, 10, 26)],
  ["sun 23:59", local(2026, 10, 29, 23, 59)],
  ["+10m", NOW + 600_000],
  ["in 10m", NOW + 600_000],
  ["10m", NOW + 600_000],
  ["-2h", NOW - 7_200_000],
  ["2h ago", NOW - 7_200_000],
  ["2026-11-24", local(2026, 10, 24)],
  ["2026-11-24 09:05", local(2026, 10, 24, 9, 5)],
  ["2026-11-24T09:05:06.25", local(2026, 10, 24, 9, 5, 6, 250)],
  ["2026-11-24T09:05:06Z", Date.UTC(2026, 10, 24, 9, 5, 6)],
  ["2026-11-24t09:05:06z", Date.UTC(2026, 10, 24, 9, 5, 6)],
  ["2026-11-24T09:05:06+02:00", Date.UTC(2026, 10, 24, 7, 5, 6)],
  ["2026-11-24 09:05 -0330", Date.UTC(2026, 10, 24, 12, 35)],
  ["2028-02-29", local(2028, 1, 29)],
  ["  now  ", NOW],
];

for (const [text, expected] of FUTURE) {
  test(`parseTime() reads "${text}"`, () => {
    assert.equal(new Date(parse(text)).toISOString(), new Date(expected).toISOString());
  });
}

const PAST: readonly (readonly [string, number])[] = [
  ["12:01", local(2026, 10, 23, 12, 1)],
  ["12:00", NOW],
  ["monday", local(2026, 10, 23)],
  ["tuesday", local(2026, 10, 24)],
  ["tue 12:01", local(2026, 10, 17, 12, 1)],
  ["wed 9:00", local(2026, 10, 18, 9)],
  ["2h", NOW - 7_200_000],
  ["+2h", NOW + 7_200_000],
];

for (const [text, expected] of PAST) {
  test(`parseTime() reads "${text}" as past when the direction says so`, () => {
    assert.equal(parse(text, "past"), expected);
  });
}

const WRONG = [
  "",
  "soon",
  "24:00",
  "12:60",
  "12:00:60",
  "9",
  "2026-02-29",
  "2026-13-01",
  "2026-00-01",
  "2026-01-00",
  "2026-11-31 09:00",
  "2026-1-1",
  "2026-11-24 9",
  "tomorrow 25:00",
  "monday 25:00",
  "moonday",
  "tueday",
  "+",
  "-",
  "ago",
  "+10parsecs",
  "in",
  "1e400s",
  "+99999999999999d",
];

for (const text of WRONG) {
  test(`parseTime() refuses "${text}" and names it`, () => {
    assert.throws(() => parse(text), (error) => {
      assert.ok(isJobError(error, "invalid_argument"));
      assert.ok(error.message.includes(`--at "${text}"`), error.message);
      assert.match(error.hint ?? "", /tomorrow 9:00/);
      return true;
    });
  });
}

const IN_ZONE: readonly (readonly [text: string, zone: string, wanted: string])[] = [
  // 02:30 of the day that it is in Tokyo, which Berlin calls yesterday evening.
  ["02:30", "Asia/Tokyo", "2026-11-24T17:30:00Z"],
  ["yesterday 2:30", "Asia/Tokyo", "2026-11-23T17:30:00Z"],
  ["2026-11-24T02:30", "Europe/Berlin", "2026-11-24T01:30:00Z"],
  ["2026-11-24", "America/New_York", "2026-11-24T05:00:00Z"],
  ["2026-11-24T02:30Z", "Asia/Tokyo", "2026-11-24T02:30:00Z"],
  ["-2h", "Asia/Tokyo", "2026-11-24T18:00:00Z"],
  // In Tokyo it is Wednesday.
  ["wed", "Asia/Tokyo", "2026-11-24T15:00:00Z"],
  ["tuesday 2:30", "Asia/Tokyo", "2026-11-23T17:30:00Z"],
  ["thu", "Asia/Tokyo", "2026-11-18T15:00:00Z"],
];
for (const [text, zone, wanted] of IN_ZONE) {
  test(`parseTime() reads "${text}" in ${zone}`, () => {
    const nowMs = Date.parse("2026-11-24T20:00:00Z");
    const options = { nowMs, direction: "past", what: "--at", zone: openZone(zone) } as const;
    assert.equal(new Date(parseTime(text, options)).toISOString(), `${wanted.slice(0, 19)}.000Z`);
    assert.equal(isWallTime(text), !/Z$|^-/.test(text));
  });
}

// A job that is due at a skipped time runs at the change.
const DUE: readonly (readonly [text: string, zone: string, wanted: string])[] = [
  ["2026-03-29T02:30", "Europe/Berlin", "2026-03-29T01:00:00Z"],
  ["2026-03-29T02:00", "Europe/Berlin", "2026-03-29T01:00:00Z"],
  ["2026-03-29T03:30", "Europe/Berlin", "2026-03-29T01:30:00Z"],
  ["2026-03-29T01:59:59", "Europe/Berlin", "2026-03-29T00:59:59Z"],
  ["2026-03-08 02:30", "America/New_York", "2026-03-08T07:00:00Z"],
  ["2026-10-04 02:15", "Australia/Lord_Howe", "2026-10-03T15:30:00Z"],
  ["2026-10-25T02:30", "Europe/Berlin", "2026-10-25T00:30:00Z"],
];
for (const [text, zone, wanted] of DUE) {
  test(`parseTime() reads "${text}" in ${zone} as the time at which a job runs`, () => {
    const nowMs = Date.parse("2026-11-24T20:00:00Z");
    const options = { nowMs, direction: "past", what: "--at", zone: openZone(zone) } as const;
    const atMs = parseTime(text, { ...options, isDueTime: true });
    assert.equal(new Date(atMs).toISOString(), wanted.replace("Z", ".000Z"));
  });
}

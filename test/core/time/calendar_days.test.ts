import assert from "node:assert/strict";
import test from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import { calendarSpans } from "../../../src/core/time/calendar_days.ts";

const at = (text: string) => Date.parse(text);
const HOUR = 3_600_000;

function spans(timezone: string, from: string, to: string, unit: "day" | "hour" = "day") {
  return calendarSpans(timezone, { fromMs: at(from), toMs: at(to) }, unit);
}

test("calendarSpans() gives whole days of the zone", () => {
  assert.deepEqual(spans("Asia/Kolkata", "2026-03-01T18:29:59Z", "2026-03-01T18:30:01Z"), [
    {
      name: "2026-03-01",
      from: at("2026-02-28T18:30:00Z"),
      to: at("2026-03-01T18:30:00Z"),
      clockChange: 0,
    },
    {
      name: "2026-03-02",
      from: at("2026-03-01T18:30:00Z"),
      to: at("2026-03-02T18:30:00Z"),
      clockChange: 0,
    },
  ]);
  assert.equal(spans("UTC", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z").length, 1);
});

test("calendarSpans() knows days of 23, 25 and 23.5 hours", () => {
  const found = (timezone: string, from: string, to: string) =>
    spans(timezone, from, to)
      .map(({ name, from, to, clockChange }) => [name, (to - from) / HOUR, clockChange]);
  assert.deepEqual(found("Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z"), [
    ["2026-03-28", 24, 0],
    ["2026-03-29", 23, 3_600],
    ["2026-03-30", 24, 0],
  ]);
  assert.deepEqual(found("Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-25T13:00:00Z"), [
    ["2026-10-25", 25, -3_600],
  ]);
  // Half an hour.
  assert.deepEqual(found("Australia/Lord_Howe", "2026-10-03T20:00:00Z", "2026-10-03T21:00:00Z"), [
    ["2026-10-04", 23.5, 1_800],
  ]);
  // Clocks skip midnight: the day begins at 01:00.
  assert.deepEqual(found("Asia/Beirut", "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z"), [
    ["2026-03-28", 24, 0],
    ["2026-03-29", 23, 3_600],
  ]);
});

test("calendarSpans() gives the hours of whole days, a repeated one twice", () => {
  const hours = spans("Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-25T13:00:00Z", "hour");
  assert.equal(hours.length, 25);
  assert.deepEqual(hours.slice(1, 5).map(({ name, clockChange }) => [name, clockChange]), [
    ["2026-10-25T01:00", 0],
    ["2026-10-25T02:00", -3_600],
    ["2026-10-25T02:00", 0],
    ["2026-10-25T03:00", 0],
  ]);
  const short = spans("Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-29T13:00:00Z", "hour");
  assert.deepEqual(short.slice(0, 4).map(({ name }) => name.slice(11)), [
    ...["00:00", "01:00", "03:00", "04:00"],
  ]);
  for (const [index, { from }] of short.slice(1).entries()) assert.equal(from, short[index]!.to);
});

test("calendarSpans() refuses too many days, none, and unknown zones", () => {
  const isRefused = (error: unknown) => isJobError(error, "invalid_argument");
  const [from, day] = ["2026-01-01T00:00:00Z", 24 * HOUR];
  const days = (count: number, unit: "day" | "hour") => () =>
    calendarSpans("UTC", { fromMs: at(from), toMs: at(from) + count * day }, unit);
  assert.equal(days(800, "day")().length, 800);
  assert.throws(days(801, "day"), isRefused);
  assert.equal(days(32, "hour")().length, 768);
  assert.throws(days(33, "hour"), isRefused);
  assert.throws(days(0, "day"), isRefused);
  assert.throws(() => spans("Mars/Base", from, "2026-01-02T00:00:00Z"), isRefused);
});

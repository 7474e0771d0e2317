import assert from "node:assert/strict";
import { test } from "node:test";
import { isBlackedOut, parseBlackout } from "../../../src/core/time/blackout.ts";
import { isJobError } from "../../../src/core/errors.ts";

const isOut = (text: string, time: string, zone = "UTC") =>
  isBlackedOut([text], zone, Date.parse(time));

// 2026-12-24 is a Thursday.
for (
  const [text, zone, inside, outside] of [
    ["08:00-18:00", "UTC", ["2026-12-24T08:00Z", "2026-12-24T17:59:59Z"], [
      "2026-12-24T07:59:59Z",
      "2026-12-24T18:00Z",
    ]],
    ["22:00-06:00", "UTC", ["2026-12-24T22:00Z", "2026-12-25T05:59Z", "2026-12-24T00:00Z"], [
      "2026-12-24T06:00Z",
      "2026-12-24T21:59Z",
    ]],
    ["22:00-06:00", "Europe/Berlin", ["2026-12-24T21:00Z", "2026-12-25T04:59Z"], [
      "2026-12-24T20:59Z",
      "2026-12-25T05:00Z",
    ]],
    ["sat-sun", "UTC", ["2026-12-26T00:00Z", "2026-12-27T23:59Z"], [
      "2026-12-25T23:59Z",
      "2026-12-28T00:00Z",
    ]],
    ["fri 22:00-06:00", "UTC", ["2026-12-25T22:00Z", "2026-12-26T05:59Z"], [
      "2026-12-25T05:59Z",
      "2026-12-26T22:00Z",
    ]],
    ["fri-mon,wed", "UTC", ["2026-12-25T12:00Z", "2026-12-28T12:00Z", "2026-12-23T12:00Z"], [
      "2026-12-24T12:00Z",
      "2026-12-29T12:00Z",
    ]],
    ["00:00-24:00", "UTC", ["2026-12-24T00:00Z", "2026-12-24T23:59:59Z"], []],
    ["2026-12-24", "UTC", ["2026-12-24T00:00Z", "2026-12-24T23:59Z"], ["2026-12-25T00:00Z"]],
    ["2026-12-24/2026-12-27", "UTC", ["2026-12-24T00:00Z", "2026-12-27T23:59Z"], [
      "2026-12-28T00:00Z",
      "2026-12-23T23:59Z",
    ]],
    ["2026-12-24T18:00/2026-12-25T06:00", "UTC", ["2026-12-24T18:00Z", "2026-12-25T05:59Z"], [
      "2026-12-24T17:59Z",
      "2026-12-25T06:00Z",
    ]],
  ] as const
) {
  test(`isBlackedOut() knows the inside of "${text}" in ${zone}`, () => {
    assert.deepEqual(inside.filter((time) => !isOut(text, time, zone)), []);
    assert.deepEqual(outside.filter((time) => isOut(text, time, zone)), []);
  });
}

for (
  const text of [
    "",
    "25:00-26:00",
    "10:00-10:00",
    "10:60-11:00",
    "10:00",
    "someday",
    "mon-fri-sat",
    "2026-02-30",
    "2026-12-27/2026-12-24",
    "2026-12-24/2026-12-25/2026-12-26",
    "08:00-09:00 mon",
  ]
) {
  test(`parseBlackout() refuses "${text}"`, () => {
    assert.throws(() => parseBlackout(text), (error) => isJobError(error, "invalid_argument"));
  });
}

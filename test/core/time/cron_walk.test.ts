import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseCron } from "../../../src/core/time/cron.ts";
import { countCronTicks, nextCronTick } from "../../../src/core/time/cron_walk.ts";
import { openZone } from "../../../src/core/time/zone.ts";
import { cronieRuns, readCronie } from "../../../src/tools/import/cronie.ts";

/** Ticks after one time, up to and including another. */
function ticksBetween(text: string, timezone: string, afterMs: number, untilMs: number): number[] {
  const expression = parseCron(text);
  const zone = openZone(timezone);
  const found: number[] = [];
  let tick = nextCronTick(expression, zone, afterMs);
  while (tick !== null && tick <= untilMs) {
    found.push(tick);
    tick = nextCronTick(expression, zone, tick);
  }
  return found;
}

/** Ticks of some hours from a time on, as `DDTHH:MM` in UTC. */
function ticks(text: string, timezone: string, after: string, hours: number): string[] {
  const afterMs = Date.parse(after);
  return ticksBetween(text, timezone, afterMs, afterMs + hours * 3_600_000)
    .map((tick) => new Date(tick).toISOString().slice(8, 16));
}

const CHANGES: readonly [
  why: string,
  text: string,
  zone: string,
  after: string,
  hours: number,
  expected: string[],
][] = [
  // Berlin, 2026-03-29: 02:00 CET becomes 03:00 CEST at 01:00 UTC.
  ["is skipped: at the change", "30 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z", 48, [
    "29T01:00",
    "30T00:30",
  ]],
  ["is skipped twice: once", "0,15,30 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z", 24, [
    "29T01:00",
  ]],
  [
    "is skipped and is at the change: once",
    "0 2,3 * * *",
    "Europe/Berlin",
    "2026-03-28T12:00Z",
    24,
    ["29T01:00"],
  ],
  ["follows the clock over the gap", "*/30 * * * *", "Europe/Berlin", "2026-03-29T00:00Z", 2, [
    "29T00:30",
    "29T01:00",
    "29T01:30",
    "29T02:00",
  ]],
  [
    "has * in minutes and is skipped: not at all",
    "*/30 2 * * *",
    "Europe/Berlin",
    "2026-03-28T12:00Z",
    24,
    [],
  ],
  [
    "has * in hours and is skipped: the next hour",
    "30 */2 * * *",
    "Europe/Berlin",
    "2026-03-28T23:00Z",
    4,
    ["28T23:30", "29T02:30"],
  ],
  // Berlin, 2026-10-25: 03:00 CEST becomes 02:00 CET at 01:00 UTC.
  ["is repeated: the first time", "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z", 48, [
    "25T00:30",
    "26T01:30",
  ]],
  [
    "is asked between both passes of a repeated hour",
    "30 2 * * *",
    "Europe/Berlin",
    "2026-10-25T00:30Z",
    12,
    [],
  ],
  ["is at the end of the repeated hour", "0 3 * * *", "Europe/Berlin", "2026-10-24T12:00Z", 24, [
    "25T02:00",
  ]],
  ["is at the start of the repeated hour", "0 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z", 24, [
    "25T00:00",
  ]],
  [
    "follows the clock through both passes",
    "*/30 * * * *",
    "Europe/Berlin",
    "2026-10-25T00:00Z",
    2,
    ["25T00:30", "25T01:00", "25T01:30", "25T02:00"],
  ],
  ["has * in hours: in both passes", "30 * * * *", "Europe/Berlin", "2026-10-25T00:00Z", 2, [
    "25T00:30",
    "25T01:30",
  ]],
  ["has * in minutes: in both passes", "*/30 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z", 24, [
    "25T00:00",
    "25T00:30",
    "25T01:00",
    "25T01:30",
  ]],
  // New York, 2026-03-08 at 07:00 UTC and 2026-11-01 at 06:00 UTC.
  ["is skipped in New York", "15 2 * * *", "America/New_York", "2026-03-07T12:00Z", 24, [
    "08T07:00",
  ]],
  ["is repeated in New York", "15 1 * * *", "America/New_York", "2026-10-31T12:00Z", 24, [
    "01T05:15",
  ]],
  // Lord Howe: half an hour, 2026-10-04 02:00 at 15:30 UTC the day before and 2026-04-05 02:00 at
  // 15:00 UTC.
  ["is skipped by half an hour", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00Z", 24, [
    "03T15:30",
  ]],
  ["is repeated by half an hour", "45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00Z", 24, [
    "04T14:45",
  ]],
  [
    "follows the clock through half an hour twice",
    "45 * * * *",
    "Australia/Lord_Howe",
    "2026-04-04T14:00Z",
    2,
    ["04T14:45", "04T15:15"],
  ],
  // São Paulo changed at midnight until 2019: 2018-11-04 00:00 was skipped, 2019-02-16 23:00
  // repeated.
  ["is a midnight that is skipped", "0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00Z", 24, [
    "04T03:00",
  ]],
  ["is a day that begins at one", "@daily", "America/Sao_Paulo", "2018-11-03T12:00Z", 48, [
    "04T03:00",
    "05T02:00",
  ]],
  [
    "is an hour before midnight that is repeated",
    "30 23 * * *",
    "America/Sao_Paulo",
    "2019-02-16T12:00Z",
    24,
    ["17T01:30"],
  ],
  [
    "is on the weekday of a skipped midnight",
    "0 0 * * sun",
    "America/Sao_Paulo",
    "2018-11-03T12:00Z",
    24,
    ["04T03:00"],
  ],
  // Apia left out 2011-12-30: a correction, not a change of the season.
  ["is on a day that is left out", "0 12 * * *", "Pacific/Apia", "2011-12-29T20:00Z", 48, [
    "29T22:00",
    "30T22:00",
  ]],
  [
    "is only on a day that is left out",
    "0 12 30 12 *",
    "Pacific/Apia",
    "2011-12-29T12:00Z",
    48,
    [],
  ],
  ["is in a zone of a half hour", "0 9 * * *", "Asia/Kolkata", "2026-01-01T00:00Z", 24, [
    "01T03:30",
  ]],
  ["is in a zone of a quarter hour", "0 9 * * *", "Asia/Kathmandu", "2026-01-01T00:00Z", 24, [
    "01T03:15",
  ]],
  [
    "is in Troll, where two hours change",
    "30 1 * * *",
    "Antarctica/Troll",
    "2026-03-28T12:00Z",
    24,
    ["29T01:00"],
  ],
  // Casey: three hours back are still a change of the season to cronie's loop, three hours ahead
  // are a correction.
  ["is repeated by three hours", "30 0 * * *", "Antarctica/Casey", "2010-03-04T12:00Z", 24, [
    "04T13:30",
  ]],
  ["is skipped by three hours", "30 2 * * *", "Antarctica/Casey", "2020-10-03T10:00Z", 12, []],
  ["has seconds and is skipped", "* 30 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z", 24, [
    "29T01:00",
  ]],
];
for (const [why, text, zone, after, hours, expected] of CHANGES) {
  test(`nextCronTick() is right when "${text}" ${why}`, () => {
    assert.deepEqual(ticks(text, zone, after, hours), expected);
  });
}

const LATE: readonly [text: string, zone: string, after: string, expected: string | null][] = [
  ["14 3 19 1 *", "UTC", "2038-01-18T00:00Z", "2038-01-19T03:14:00.000Z"],
  ["0 0 29 2 *", "UTC", "2096-03-01T00:00Z", "2104-02-29T00:00:00.000Z"],
  ["0 0 29 2 */7", "Europe/Berlin", "2089-01-01T00:00Z", "2128-02-28T23:00:00.000Z"],
  ["0 0 28 2 *", "America/New_York", "2099-03-01T00:00Z", "2100-02-28T05:00:00.000Z"],
  ["30 2 * 3 sun", "Europe/Berlin", "2099-03-28T00:00Z", "2099-03-29T01:00:00.000Z"],
  ["0 0 1 1 *", "Europe/Berlin", "9998-06-01T00:00Z", "9998-12-31T23:00:00.000Z"],
  ["0 0 1 1 *", "UTC", "9999-06-01T00:00Z", null],
  ["* * * * *", "Europe/Berlin", "9999-12-31T23:59Z", null],
  ["0 0 1 1 *", "Europe/Berlin", "1969-06-01T00:00Z", "1969-12-31T23:00:00.000Z"],
];
for (const [text, zone, after, expected] of LATE) {
  test(`nextCronTick() of "${text}" in ${zone} after ${after} is ${expected}`, () => {
    const tick = nextCronTick(parseCron(text), openZone(zone), Date.parse(after));
    assert.equal(tick === null ? null : new Date(tick).toISOString(), expected);
  });
}

test("nextCronTick() is after the instant and not at it, to the millisecond", () => {
  const next = (ms: number) => nextCronTick(parseCron("* * * * *"), openZone("UTC"), ms);
  assert.deepEqual([59_999, 60_000, 60_001, -1].map(next), [60_000, 120_000, 120_000, 0]);
});

/** Places and days of changes; the walk begins two days before. */
const DAYS: readonly [zone: string, day: string][] = [
  ["Europe/Berlin", "2026-03-29"],
  ["Europe/Berlin", "2026-10-25"],
  ["Europe/London", "2026-10-25"],
  ["America/New_York", "2026-03-08"],
  ["America/New_York", "2026-11-01"],
  ["America/St_Johns", "2010-11-07"],
  ["America/St_Johns", "2026-03-08"],
  ["America/New_York", "2099-11-01"],
  ["Africa/Cairo", "2026-04-24"],
  ["Africa/Cairo", "2026-10-30"],
  ["Atlantic/Azores", "2026-03-29"],
  ["Atlantic/Azores", "2026-10-25"],
  ["America/Havana", "2026-11-01"],
  ["Asia/Beirut", "2026-10-25"],
  ["Asia/Kathmandu", "1986-01-01"],
  ["Pacific/Chatham", "2026-09-27"],
  ["Pacific/Apia", "2011-09-24"],
  ["Antarctica/Troll", "2026-03-29"],
  ["Antarctica/Casey", "2010-03-05"],
  ["Antarctica/Casey", "2020-10-04"],
  ["America/Sao_Paulo", "2018-11-04"],
  ["America/Sao_Paulo", "2019-02-17"],
  ["America/Havana", "2026-03-08"],
  ["Australia/Lord_Howe", "2026-04-05"],
  ["Australia/Lord_Howe", "2026-10-04"],
  ["Antarctica/Troll", "2026-10-25"],
  ["Asia/Beirut", "2026-03-29"],
  ["Asia/Pyongyang", "2018-05-05"],
  ["Africa/Casablanca", "2026-03-22"],
  ["America/Caracas", "2016-05-01"],
  ["Pacific/Apia", "2011-12-30"],
  ["Pacific/Chatham", "2026-04-05"],
  ["Asia/Kolkata", "2026-01-01"],
  ["UTC", "2026-12-31"],
];

const field = (low: number, high: number) =>
  fc.oneof(
    { weight: 2, arbitrary: fc.constant("*") },
    fc.integer({ min: 2, max: 40 }).map((step) => `*/${step}`),
    { weight: 2, arbitrary: fc.integer({ min: low, max: high }).map(String) },
    fc.tuple(fc.integer({ min: low, max: high }), fc.integer({ min: low, max: high }))
      .map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
    fc.uniqueArray(fc.integer({ min: low, max: high }), { minLength: 1, maxLength: 4 })
      .map((values) => values.join(",")),
  );
const mostly = (common: fc.Arbitrary<string>, rare: fc.Arbitrary<string>) =>
  fc.oneof({ weight: 4, arbitrary: common }, rare);
const expressions = fc.tuple(
  field(0, 59),
  mostly(field(0, 4), field(0, 23)),
  mostly(fc.constant("*"), field(1, 28)),
  fc.constant("*"),
  mostly(fc.constant("*"), field(0, 7)),
).map((fields) => fields.join(" "));

test("fault 36: nextCronTick() and countCronTicks() agree with cronie's loop over the days of changes", () => {
  fc.assert(
    fc.property(expressions, fc.constantFrom(...DAYS), (text, [zone, day]) => {
      const afterMs = Date.parse(`${day}T00:00Z`) - 2 * 86_400_000;
      const untilMs = afterMs + 4 * 86_400_000;
      const expression = parseCron(text);
      const found = ticksBetween(text, zone, afterMs, untilMs);
      assert.deepEqual(found, cronieRuns(readCronie(text), zone, { afterMs, untilMs }));
      assert.equal(countCronTicks(expression, openZone(zone), afterMs, untilMs), found.length);
    }),
    { numRuns: 300 },
  );
});

test("nextCronTick() skips no tick and repeats none when it is asked from any instant", () => {
  const instants = fc.integer({ min: Date.UTC(1990, 0), max: Date.UTC(2100, 0) });
  const zones = fc.constantFrom(...DAYS.map(([zone]) => zone));
  fc.assert(
    fc.property(expressions, zones, instants, (text, name, afterMs) => {
      const expression = parseCron(text);
      const zone = openZone(name);
      const tick = nextCronTick(expression, zone, afterMs)!;
      assert.ok(tick > afterMs);
      assert.equal(nextCronTick(expression, zone, tick - 1), tick);
      const middle = Math.floor((afterMs + tick) / 2);
      assert.equal(nextCronTick(expression, zone, middle), middle === tick ? undefined : tick);
      assert.equal(countCronTicks(expression, zone, afterMs, tick), 1);
      assert.equal(countCronTicks(expression, zone, afterMs, tick - 1), 0);
    }),
    { numRuns: 300 },
  );
});

test("countCronTicks() adds up when the span is cut anywhere", () => {
  const instants = fc.integer({ min: Date.UTC(2000, 0), max: Date.UTC(2049, 0) });
  const zones = fc.constantFrom(...DAYS.map(([zone]) => zone));
  fc.assert(
    fc.property(expressions, zones, fc.tuple(instants, instants, instants), (text, name, three) => {
      const expression = parseCron(text);
      const zone = openZone(name);
      const [low, middle, high] = three.toSorted((a, b) => a - b) as [number, number, number];
      const whole = countCronTicks(expression, zone, low, high);
      const first = countCronTicks(expression, zone, low, middle);
      assert.equal(whole, first + countCronTicks(expression, zone, middle, high));
    }),
    { numRuns: 60 },
  );
});

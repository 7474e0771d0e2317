import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import {
  EVERY_MS_MIN,
  formatScheduleText,
  nextTickOf,
  nextTicks,
  parseScheduleText,
} from "../../../src/core/time/ticks.ts";
import { openZone } from "../../../src/core/time/zone.ts";
import { scheduleSpec } from "../../support/schedules.ts";
import { processorMs } from "../../support/processes/processor_time.ts";

const READ: readonly [
  text: string,
  cron: string | null,
  everyMs: number | null,
  zone: string | null,
][] = [
  ["*/5 * * * *", "*/5 * * * *", null, null],
  [" @daily ", "@daily", null, null],
  ["@every 15m", null, 900_000, null],
  ["@every  1h30m", null, 5_400_000, null],
  ["CRON_TZ=Europe/Berlin 30 2 * * *", "30 2 * * *", null, "Europe/Berlin"],
  ["TZ=Asia/Kolkata @hourly", "@hourly", null, "Asia/Kolkata"],
  ["TZ=UTC @every 5s", null, 5_000, "UTC"],
  ["0 0 * * THU", "0 0 * * THU", null, null],
  ["@reboot", "@reboot", null, null],
];
for (const [text, cron, everyMs, timezone] of READ) {
  test(`parseScheduleText() reads "${text}"`, () => {
    assert.deepEqual(parseScheduleText(text), { cron, everyMs, timezone });
  });
}

test("parseScheduleText() resolves what chance picks when it has a seed", () => {
  const { cron } = parseScheduleText("H H * * *", { seed: "backup" });
  assert.match(cron!, /^\d+ \d+ \* \* \*$/);
});

const REFUSED: readonly [text: string, message: RegExp][] = [
  ["", /it is empty/],
  ["@every", /"@every": it has no interval, wanted a time with its unit/],
  ["@every -5m", /"@every -5m": found "-5m"/],
  ["CRON_TZ=UTC", /"CRON_TZ=UTC": it names a zone but no time/],
  ["@every 5", /"@every 5": found "5", wanted a time with its unit/],
  ["@every 0", /too often, at least 100ms/],
  [`@every ${EVERY_MS_MIN - 1}ms`, /too often/],
  ["@reboot 5", /no such nickname/],
  ["CRON_TZ= * * * * *", /time zone ""/],
  ["TZ=Mars/Olympus * * * * *", /time zone "Mars\/Olympus": not an IANA name/],
  ["TZ=+05:30 * * * * *", /time zone "\+05:30"/],
  ["TZ=UTC", /"TZ=UTC": it names a zone but no time/],
  ["0 0 31 2 *", /never comes/],
];
for (const [text, message] of REFUSED) {
  test(`parseScheduleText() refuses "${text}"`, () => {
    assert.throws(
      () => parseScheduleText(text),
      (error) => isJobError(error, "invalid_argument") && message.test(error.message),
    );
  });
}

test("openZone() names the zone that was meant when only the city is given", () => {
  assert.throws(
    () => openZone("berlin"),
    (error) => isJobError(error) && error.hint === 'Did you mean "Europe/Berlin"?',
  );
});

test("nextTickOf() counts intervals from the start when the schedule is @every", () => {
  const spec = scheduleSpec("@every 15m");
  const next = (afterMs: number) => nextTickOf(spec, 1_000, afterMs);
  assert.deepEqual([0, 1_000, 900_999, 901_000, 901_001].map(next), [
    901_000,
    901_000,
    901_000,
    1_801_000,
    1_801_000,
  ]);
});

test("nextTickOf() uses the schedule's zone", () => {
  const spec = scheduleSpec("0 9 * * *", { timezone: "Asia/Kolkata" });
  assert.equal(nextTickOf(spec, 0, 0), Date.parse("1970-01-01T03:30Z"));
});

test("nextTickOf() is null when the interval goes beyond the year 9999", () => {
  assert.equal(nextTickOf(scheduleSpec("@every 1h"), 0, Date.parse("9999-12-31T23:30Z")), null);
});

test("nextTicks() lists Dates in the zone that the expression names", () => {
  const after = new Date("2026-03-28T12:00Z");
  const ticks = nextTicks("CRON_TZ=Europe/Berlin 30 2 * * *", {
    timezone: "Asia/Tokyo",
    after,
    count: 2,
  });
  assert.deepEqual(ticks, [new Date("2026-03-29T01:00Z"), new Date("2026-03-30T00:30Z")]);
});

test("nextTicks() lists intervals from the time given", () => {
  const ticks = nextTicks("@every 90s", { after: new Date(500), count: 2 });
  assert.deepEqual(ticks, [new Date(90_500), new Date(180_500)]);
});

test("nextTicks() picks what the seed says, and refuses chance without one", () => {
  const list = (seed?: string) =>
    nextTicks("H 3 * * *", { after: new Date(0), count: 1, seed })[0]!.getUTCMinutes();
  assert.equal(list("backup"), list("backup"));
  assert.ok(new Set(Array.from({ length: 20 }, (_, i) => list(`job-${i}`))).size > 10);
  assert.throws(() => list(), /minute "H" depends on the job/);
});

test("nextTickOf() is null for @reboot, which the clock has no part in", () => {
  assert.equal(nextTickOf(scheduleSpec("@reboot"), 0, 0), null);
  assert.deepEqual(nextTicks("@reboot", { after: new Date(0), count: 3 }), []);
});

test("nextTicks() lists fewer when there are no more", () => {
  const after = new Date("9998-06-01T00:00Z");
  assert.equal(nextTicks("0 0 1 1 *", { after, count: 5 }).length, 1);
});

test("nextTicks() lists ten thousand ticks and refuses more", () => {
  const after = new Date(0);
  assert.equal(nextTicks("* * * * *", { after, count: 10_000 }).length, 10_000);
  for (const count of [10_001, -1, 1.5, NaN]) {
    assert.throws(() => nextTicks("* * * * *", { after, count }), /Cannot list/);
  }
  assert.throws(() => nextTicks("* * * * *", { after: new Date(NaN), count: 1 }), /Invalid Date/);
});

test("nextTickOf() is ready for ten thousand schedules in half a second", () => {
  const start = processorMs();
  for (let i = 0; i < 10_000; i++) {
    const spec = scheduleSpec(`${i % 60} ${i % 24} ${1 + i % 28} * *`, {
      timezone: "Europe/Berlin",
    });
    nextTickOf(spec, 0, Date.UTC(2026, 0));
  }
  assert.ok(processorMs() - start < 500);
});

test("fault 39: nextTickOf() goes on beyond 2038 and to the end of February 2100", () => {
  const next = (text: string, after: string) =>
    new Date(nextTickOf(scheduleSpec(text), 0, Date.parse(after))!).toISOString().slice(0, 16);
  assert.equal(next("8 3 19 1 *", "2038-01-18T00:00Z"), "2038-01-19T03:08");
  assert.equal(next("* * * * *", "2038-01-19T03:14:30Z"), "2038-01-19T03:15");
  assert.equal(next("0 0 * * *", "2100-02-28T00:00Z"), "2100-03-01T00:00");
  assert.equal(next("@every 30d", "9999-01-01T00:00Z").slice(0, 4), "9999");
  assert.equal(nextTickOf(scheduleSpec("* * * * *"), 0, Date.parse("9999-12-31T23:59Z")), null);
});

test("formatScheduleText() writes what parseScheduleText() reads", () => {
  for (
    const text of ["30 2 * * *", "@daily", "@every 15m", "@every 1h30m", "@every 250ms", "@reboot"]
  ) {
    assert.equal(formatScheduleText(parseScheduleText(text)), text);
  }
});

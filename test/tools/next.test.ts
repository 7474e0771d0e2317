import { SCHEDULE_DEFAULTS } from "../../src/core/job/option_table.ts";
import { JOB_DEFAULTS } from "../../src/core/job/option_table.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { nextRuns } from "../../src/tools/next.ts";
import { formatLocal } from "../../src/core/time/local_time.ts";
import { type JobDefinition, NO_HANDLERS } from "../../src/core/job/job.ts";
import { isJobError } from "../../src/core/errors.ts";

const NOW = Date.parse("2026-03-28T12:00:00Z");

function jobOf(kind: string, crons: readonly string[]): JobDefinition {
  return {
    kind,
    description: "",
    source: { type: "system", name: kind },
    signature: { parameters: [], resultCount: 0, isTyped: true, warnings: [] },
    options: JOB_DEFAULTS,
    schedules: crons.map((cron) => ({
      spec: { cron, everyMs: null, timezone: "Asia/Tokyo", ...SCHEDULE_DEFAULTS },
      arguments: [],
    })),
    hasHandler: NO_HANDLERS,
    registeredAt: NOW,
  };
}

test("nextRuns() gives local time, UTC and distance across a change of the clocks", () => {
  const runs = nextRuns({
    texts: ["30 8 * * *"],
    timezone: "Europe/Berlin",
    nowMs: NOW,
    count: 2,
  });
  assert.deepEqual(runs, [
    {
      at: Date.parse("2026-03-29T06:30:00Z"),
      timezone: "Europe/Berlin",
      local: "2026-03-29 08:30:00 +02:00",
      utc: "2026-03-29T06:30:00Z",
      relative: "in 18h30m",
      kind: null,
      schedule: "30 8 * * *",
      note: null,
      viewer: null,
    },
    {
      at: Date.parse("2026-03-30T06:30:00Z"),
      timezone: "Europe/Berlin",
      local: "2026-03-30 08:30:00 +02:00",
      utc: "2026-03-30T06:30:00Z",
      relative: "in 1d18h",
      kind: null,
      schedule: "30 8 * * *",
      note: null,
      viewer: null,
    },
  ]);
});

test("nextRuns() counts @every from now, and starts after what is asked", () => {
  const request = { texts: ["@every 15m"], timezone: null, nowMs: NOW, count: 1 };
  assert.equal(nextRuns(request)[0]!.at, NOW + 900_000);
  assert.equal(nextRuns({ ...request, afterMs: NOW + 1_000_000 })[0]!.at, NOW + 1_800_000);
  assert.equal(nextRuns(request)[0]!.schedule, "@every 15m");
});

test("nextRuns() merges all schedules of a kind in the order of time", () => {
  const jobs = [jobOf("report", ["0 12 * * *", "0 6 * * *"])];
  const runs = nextRuns({ texts: ["report"], timezone: null, nowMs: NOW, count: 3, jobs });
  assert.deepEqual(runs.map(({ local }) => local), [
    "2026-03-29 06:00:00 +09:00",
    "2026-03-29 12:00:00 +09:00",
    "2026-03-30 06:00:00 +09:00",
  ]);
});

for (
  const [what, change, code, pattern] of [
    ["a kind near another", { texts: ["reprot"] }, "not_found", /"reprot": no such kind/],
    [
      "a kind without schedules",
      { texts: ["idle"] },
      "invalid_argument",
      /"idle": it has no schedule/,
    ],
    ["a wrong expression", { texts: ["61 * * * *"] }, "invalid_argument", /61/],
    ["a wrong zone", { timezone: "Mars/Base" }, "invalid_argument", /"Mars\/Base"/],
    ["no rows", { count: 0 }, "invalid_argument", /found 0/],
    ["too many rows", { count: 1001 }, "invalid_argument", /found 1001/],
  ] as const
) {
  test(`nextRuns() refuses ${what}`, () => {
    const jobs = [jobOf("report", ["0 6 * * *"]), jobOf("idle", [])];
    const request = { texts: ["report"], timezone: null, nowMs: NOW, count: 1, jobs, ...change };
    assert.throws(() => nextRuns(request), (error: unknown) => {
      assert.ok(isJobError(error, code));
      assert.match(error.message, pattern);
      if (code === "not_found") assert.equal(error.hint, 'Did you mean "report"?');
      return true;
    });
  });
}

test("formatLocal() writes UTC with an offset, and offsets of half an hour", () => {
  assert.equal(formatLocal(NOW, "UTC"), "2026-03-28 12:00:00 +00:00");
  assert.equal(formatLocal(NOW, "Asia/Kolkata"), "2026-03-28 17:30:00 +05:30");
});

test("nextRuns() lists several expressions together, with the viewer's time beside their own", () => {
  const runs = nextRuns({
    texts: ["CRON_TZ=Europe/Berlin 0 9 * * *", "0 8 * * *"],
    timezone: "America/New_York",
    viewerTimezone: "Asia/Kolkata",
    nowMs: NOW,
    count: 2,
  });
  assert.deepEqual(
    runs.map(({ local, viewer }) => [local, viewer?.timezone, viewer?.local]),
    [
      ["2026-03-29 08:00:00 -04:00", "Asia/Kolkata", "2026-03-29 17:30:00 +05:30"],
      ["2026-03-29 09:00:00 +02:00", "America/New_York", "2026-03-29 03:00:00 -04:00"],
    ].toReversed(),
  );
});

test("nextRuns() keeps the zone of a kind's own and shows the one that is asked beside it", () => {
  const jobs = [jobOf("report", ["0 6 * * *"])];
  const [run] = nextRuns({ texts: ["report"], timezone: "UTC", nowMs: NOW, count: 1, jobs });
  assert.deepEqual([run!.timezone, run!.viewer!.local], [
    "Asia/Tokyo",
    "2026-03-28 21:00:00 +00:00",
  ]);
});

test("nextRuns() notes what a change of the clock does to a run", () => {
  const notes = (text: string, after: string, count: number) =>
    nextRuns({
      texts: [text],
      timezone: "Europe/Berlin",
      nowMs: NOW,
      afterMs: Date.parse(after),
      count,
    }).map(({ note }) => note);
  assert.deepEqual(notes("30 2 * * *", "2026-03-28T12:00Z", 2), [
    "moved by a clock change: 02:30 does not exist on this day",
    null,
  ]);
  assert.deepEqual(notes("30 2 * * *", "2026-10-24T12:00Z", 2), [
    "clock change: 02:30 comes twice, runs the first time only",
    null,
  ]);
  assert.deepEqual(notes("30 * * * *", "2026-10-24T23:00Z", 4), [
    null,
    "clock change: 02:30 for the first time",
    "clock change: 02:30 for the second time",
    null,
  ]);
  assert.deepEqual(notes("@every 1h", "2026-10-24T23:00Z", 2), [null, null]);
});

test("nextRuns() picks for the kind that is named, and has none for @reboot", () => {
  const request = { timezone: null, nowMs: NOW, count: 1 };
  assert.equal(nextRuns({ ...request, texts: ["H H * * *"], seed: "a" }).length, 1);
  assert.throws(() => nextRuns({ ...request, texts: ["H H * * *"] }), /depends on the job/);
  assert.deepEqual(nextRuns({ ...request, texts: ["@reboot"] }), []);
});

test("nextRuns() asks for the kind when an expression is picked by it", () => {
  const request = { texts: ["H H * * *"], timezone: null, nowMs: NOW, count: 1 };
  assert.throws(
    () => nextRuns(request),
    (error) => isJobError(error, "invalid_argument") && /--kind/.test(error.hint ?? ""),
  );
  assert.equal(nextRuns({ ...request, seed: "backup" }).length, 1);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ScheduleSpec } from "../../src/core/schedule.ts";
import { jobTable, loadModules } from "../support/job_modules.ts";

const DAILY: ScheduleSpec = {
  cron: "0 6 * * *",
  everyMs: null,
  timezone: "UTC",
  overlap: "skip",
  misfire: "latest",
  misfireWithinMs: 86_400_000,
  jitterMs: 0,
};

test("loadJobs() puts what a table says of schedules over the module's own", async () => {
  const { jobs } = await loadModules({
    "a.ts": `export default {
      run() {}, schedule: "0 1 * * *", timezone: "Europe/Berlin", overlap: "allow", startsAt: "2026-12-24",
      jitter: "5s", misfireWithin: 60_000, queueMax: 4, blackout: "sat-sun", runsMax: 9, endsAt: "2027-01-01T00:00:00Z",
      output: { sizeMax: "2MiB", linesMax: 20 },
    };`,
  }, {
    tables: [jobTable("a", { scheduleSettings: { timezone: "Asia/Tokyo", overlap: "queue" } })],
  });
  assert.deepEqual(jobs.a?.schedules.map(({ spec }) => spec), [{
    ...DAILY,
    cron: "0 1 * * *",
    timezone: "Asia/Tokyo",
    overlap: "queue",
    misfireWithinMs: 60_000,
    jitterMs: 5_000,
    // Midnight on the clock of the table's zone.
    startsAt: Date.UTC(2026, 11, 23, 15),
    endsAt: Date.UTC(2027, 0, 1),
    blackout: ["sat-sun"],
    runsMax: 9,
    queueMax: 4,
  }]);
  assert.deepEqual(jobs.a?.options.output, { bytesMax: 2 * 1_048_576, linesMax: 20 });
});

test("loadJobs() refuses settings of schedules and output that make no sense, by name", async () => {
  const { problems } = await loadModules({
    "end.ts":
      "export default { run() {}, schedule: '@daily', startsAt: '2027-01-01', endsAt: '2026-01-01' };",
    "start.ts": "export default { run() {}, schedule: '@daily', startsAt: 'soon' };",
    "window.ts": "export default { run() {}, schedule: '@daily', blackout: 'whenever' };",
    "output.ts": "export default { run() {}, output: { sizeMax: '10B' } };",
    "lines.ts": "export default { run() {}, output: { maxlines: 10 } };",
  });
  assert.deepEqual(problems.map(({ path }) => path).toSorted(), [
    "jobs.end.endsAt",
    "jobs.lines",
    "jobs.output.output.sizeMax",
    "jobs.start.startsAt",
    "jobs.window.blackout",
  ]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_PROCESS } from "../../../src/core/job/job.ts";
import type { ScheduleSpec } from "../../../src/core/time/schedule.ts";
import { jobTable, loadModules } from "../../support/processes/job_modules.ts";

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

test("loadJobs() takes limits and nice of a definition where the table says nothing of them", async () => {
  const { jobs } = await loadModules({
    "a.ts":
      "export default { run() {}, nice: 5, limits: { memory: '512MB', cpu: '1m', openFiles: 256 } };",
    "b.ts": "export default { run() {} };",
  }, {
    tables: [jobTable("a", {
      process: {
        ...NO_PROCESS,
        env: { A: "1" },
        limits: { memoryBytes: 2_000_000, cpuMs: null, openFiles: null },
      },
    })],
  });
  const processOf = (kind: string) => {
    const { source } = jobs[kind]!;
    return source.type === "module" ? source.process : null;
  };
  const { env, nice, limits } = processOf("a")!;
  assert.deepEqual({ env, nice, limits }, {
    env: { A: "1" },
    nice: 5,
    limits: { memoryBytes: 2_000_000, cpuMs: 60_000, openFiles: 256 },
  });
  assert.equal(processOf("b"), undefined);
});

test("loadJobs() refuses limits of a definition that make no sense, by name", async () => {
  const { problems } = await loadModules({
    "cpu.ts": "export default { run() {}, limits: { cpu: 999 } };",
    "files.ts": "export default { run() {}, limits: { openFiles: 63 } };",
    "inline.ts": "export default { run() {}, isolation: 'inline', nice: 1 };",
    "memory.ts": "export default { run() {}, limits: { memory: '1MB' } };",
    "nice.ts": "export default { run() {}, nice: -1 };",
  });
  assert.deepEqual(problems.map(({ path }) => path).toSorted(), [
    "jobs.cpu.limits.cpu",
    "jobs.files",
    "jobs.inline.isolation",
    "jobs.memory.limits.memory",
    "jobs.nice",
  ]);
});

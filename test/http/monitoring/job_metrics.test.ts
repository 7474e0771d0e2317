import assert from "node:assert/strict";
import { test } from "node:test";
import { FAILED_READ_MAX } from "../../../src/http/monitoring/job_facts.ts";
import type { Incident } from "../../../src/core/notices/incident.ts";
import { Metrics, type MetricsOptions } from "../../../src/http/monitoring/metrics.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { FakeManager } from "../../support/worlds/fake_manager.ts";
import { jobOf, ManagerWorld, scheduleOf } from "../../support/worlds/manager_world.ts";
import type { SimClock } from "../../support/worlds/sim_clock.ts";

const MINUTE = 60_000;

function metricsOf(world: ManagerWorld, options: Partial<MetricsOptions> = {}): Metrics {
  return new Metrics(world.manager, { clock: world.clock, ...options });
}

function fakeIncident(subject: Incident["subject"]): Incident {
  return {
    ...{ id: crypto.randomUUID(), subject, events: ["failed"], openedAt: 1, closedAt: null },
    ...{ count: 1, lastAt: 1, lastError: null, lastInstanceId: null, lastVersion: null },
    ...{ lastExitCode: null, acknowledgedBy: null, acknowledgedAt: null, notified: [] },
  };
}

/** Samples of a page that belong to jobs, by name and label, in the order of the page. */
async function samples(
  world: ManagerWorld,
  metrics: Metrics,
): Promise<ReadonlyMap<string, number>> {
  const page = await world.of(metrics.page());
  return new Map(
    page.split("\n").filter((line) => line.startsWith("jobctl_")).map((line) => {
      const end = line.lastIndexOf(" ");
      return [line.slice(0, end), Number(line.slice(end + 1))];
    }),
  );
}

function seconds(clock: SimClock): number {
  return clock.now().wallMs / 1000;
}

test("page() shows the last success and the last failure of a job", async () => {
  const world = await new ManagerWorld().started();
  const metrics = metricsOf(world);
  world.executor.onRun = (attempt) => attempt.ok();
  await world.schedule();
  await world.clock.settle();
  const success = seconds(world.clock);
  await world.clock.advance(MINUTE);
  world.executor.onRun = (attempt) => attempt.fail();
  await world.schedule();
  await world.clock.settle();
  const shown = await samples(world, metrics);
  assert.equal(shown.get('jobctl_job_last_success_timestamp_seconds{kind="work"}'), success);
  assert.equal(shown.get('jobctl_job_last_failure_timestamp_seconds{kind="work"}'), success + 60);
});

test("page() shows what another process has left in the store", async () => {
  const first = await new ManagerWorld().started();
  first.executor.onRun = (attempt) => attempt.ok();
  await first.schedule();
  await first.clock.settle();
  first.executor.onRun = (attempt) => attempt.fail();
  await first.schedule();
  await first.of(first.manager.stop());
  const { clock, store } = first;
  const end = seconds(clock);
  await clock.advance(MINUTE);
  const world = await new ManagerWorld({ before: { clock, store } }).started();
  const shown = await samples(world, metricsOf(world));
  assert.equal(shown.get('jobctl_job_last_success_timestamp_seconds{kind="work"}'), end);
  assert.equal(shown.get('jobctl_job_last_failure_timestamp_seconds{kind="work"}'), end);
  assert.equal(shown.get('jobctl_job_dead_letters{kind="work"}'), 1);
});

test("page() shows what happens on another node", async () => {
  const other = await new ManagerWorld().started();
  other.executor.onRun = (attempt) => attempt.ok();
  const { clock, store } = other;
  const idle = await new ManagerWorld({ jobs: [], before: { clock, store } }).started();
  const metrics = metricsOf(idle);
  await samples(idle, metrics);
  await clock.advance(MINUTE);
  await other.schedule();
  await clock.settle();
  const shown = await samples(idle, metrics);
  const name = 'jobctl_job_last_success_timestamp_seconds{kind="work"}';
  assert.equal(shown.get(name), seconds(clock));
});

test("page() reads few rows of a store, and those once while nothing changes", async () => {
  const world = await new ManagerWorld({ workers: 10 }).started();
  const metrics = metricsOf(world);
  world.executor.onRun = (attempt) => attempt.fail();
  for (let index = 0; index < FAILED_READ_MAX + 50; index++) await world.schedule();
  await world.clock.settle();
  const shown = await samples(world, metrics);
  assert.equal(shown.get('jobctl_job_dead_letters{kind="work"}'), FAILED_READ_MAX);
  const before = world.link.count("list");
  await samples(world, metrics);
  assert.equal(world.link.count("list"), before);
});

test("page() counts a dead letter until it is run again", async () => {
  const world = await new ManagerWorld().started();
  const metrics = metricsOf(world);
  world.executor.onRun = (attempt) => attempt.fail();
  const { id } = await world.schedule();
  await world.clock.settle();
  const name = 'jobctl_job_dead_letters{kind="work"}';
  assert.equal((await samples(world, metrics)).get(name), 1);
  world.executor.onRun = null;
  await world.of(world.manager.redriveInstances({ ids: [id] }));
  assert.equal((await samples(world, metrics)).get(name), 0);
});

test("page() shows since when the oldest attempt runs, and nothing when none runs", async () => {
  const world = await new ManagerWorld({ workers: 2 }).started();
  const metrics = metricsOf(world);
  await world.schedule();
  const begin = seconds(world.clock);
  await world.clock.advance(1_000);
  await world.schedule();
  const name = 'jobctl_job_running_since_timestamp_seconds{kind="work"}';
  assert.equal((await samples(world, metrics)).get(name), begin);
  for (const attempt of world.executor.attempts) attempt.ok();
  await world.clock.settle();
  assert.equal((await samples(world, metrics)).get(name), undefined);
});

test("page() shows the last tick and the next", async () => {
  const world = await new ManagerWorld({ jobs: [jobOf("work", { schedules: [scheduleOf()] })] })
    .started();
  const metrics = metricsOf(world);
  await world.clock.advance(MINUTE + 10_000);
  const shown = await samples(world, metrics);
  const tick = Date.UTC(2026, 0, 1, 0, 1) / 1000;
  assert.equal(shown.get('jobctl_job_last_tick_timestamp_seconds{kind="work"}'), tick);
  assert.equal(shown.get('jobctl_job_next_run_timestamp_seconds{kind="work"}'), tick + 60);
});

test("page() counts skipped ticks, from 0", async () => {
  const world = await new ManagerWorld({ jobs: [jobOf("work", { schedules: [scheduleOf()] })] })
    .started();
  const metrics = metricsOf(world);
  const name = 'jobctl_job_ticks_skipped_total{kind="work"}';
  assert.equal((await samples(world, metrics)).get(name), 0);
  await world.clock.advance(4 * MINUTE);
  assert.equal((await samples(world, metrics)).get(name), 3);
});

test("page() counts ticks missed while nothing ran", async () => {
  const jobs = [jobOf("work", { schedules: [scheduleOf({ misfire: "skip" })] })];
  const first = await new ManagerWorld({ jobs }).started();
  await first.of(first.manager.stop());
  const { clock, store } = first;
  await clock.advance(10.5 * MINUTE);
  const world = await new ManagerWorld({ jobs, before: { clock, store } }).started();
  const shown = await samples(world, metricsOf(world));
  assert.equal(shown.get('jobctl_job_ticks_missed_total{kind="work"}'), 9);
});

test("page() shows how long instances of a job wait, and the sum of all jobs", async () => {
  const world = await new ManagerWorld({ jobs: [jobOf("work"), jobOf("other")] }).started();
  const metrics = metricsOf(world);
  await world.schedule("work");
  await world.schedule("other");
  await world.clock.advance(2 * 3_600_000);
  world.executor.last.ok();
  await world.clock.settle();
  const shown = await samples(world, metrics);
  const bucket = (le: string) => `jobctl_job_queue_seconds_bucket{kind="other",le="${le}"}`;
  assert.equal(shown.get(bucket("3600")), 0);
  assert.equal(shown.get(bucket("14400")), 1);
  assert.equal(shown.get('jobctl_job_queue_seconds_count{kind="work"}'), 1);
  assert.equal(shown.get("jobctl_lateness_seconds_count"), 2);
});

test("page() shows open incidents, summed up for jobs without a label", async () => {
  const manager = new FakeManager();
  const kinds = ["echo", "other", "third"];
  for (const name of kinds) manager.incidents.push(fakeIncident({ type: "job", name }));
  manager.incidents.push(fakeIncident({ type: "node", name: "echo" }));
  const page = await new Metrics(manager, { clock: systemClock, kindLabelsMax: 1 }).page();
  const lines = page.split("\n");
  const wanted = [
    'jobctl_job_incidents_open{kind="echo"} 1',
    'jobctl_job_incidents_open{kind="_other"} 2',
    'jobctl_incidents_open{type="job"} 3',
    'jobctl_incidents_open{type="node"} 1',
    'jobctl_incidents_open{type="channel"} 0',
  ];
  for (const line of wanted) assert.ok(lines.includes(line), line);
});

test("page() shows no incidents while they cannot be read", async () => {
  const manager = new FakeManager();
  manager.listIncidents = () => Promise.reject(new Error("no"));
  const page = await new Metrics(manager, { clock: systemClock }).page();
  assert.doesNotMatch(page, /incidents_open/);
  assert.match(page, /^jobctl_workers_busy /m);
});

test("page() keeps labels for configured jobs, whatever else is in the store", async () => {
  const world = await new ManagerWorld({ jobs: [jobOf("work"), jobOf("other")] }).started();
  const { clock, store } = world;
  const later = await new ManagerWorld({ jobs: [jobOf("zebra")], before: { clock, store } })
    .started();
  await world.schedule("work");
  await world.schedule("other");
  const shown = await samples(later, metricsOf(later, { kindLabelsMax: 1 }));
  const kinds = new Set([...shown.keys()].map((name) => /kind="([^"]*)"/.exec(name)?.[1]));
  const own = [...kinds].filter((kind) => kind !== undefined && !kind.startsWith("system."));
  assert.deepEqual(own.sort(), ["_other", "zebra"]);
});

test("page() gives labels to configured jobs by name, whichever runs first", async () => {
  const world = await new ManagerWorld({ jobs: [jobOf("work"), jobOf("other")] }).started();
  const metrics = metricsOf(world, { kindLabelsMax: 1 });
  await world.schedule("work");
  const shown = await samples(world, metrics);
  assert.equal(shown.get('jobctl_job_queue_seconds_count{kind="_other"}'), 1);
  assert.equal(shown.get('jobctl_job_queue_seconds_count{kind="other"}'), 0);
});

test("page() comes without facts of the store when that does not answer in time", async () => {
  const world = await new ManagerWorld({ jobs: [jobOf("work", { schedules: [scheduleOf()] })] })
    .started();
  const release = world.link.hold("listSchedules");
  const page = metricsOf(world).page();
  let isThere = false;
  void page.then(() => isThere = true);
  await world.clock.advance(999);
  assert.equal(isThere, false);
  await world.clock.advance(1);
  assert.equal(isThere, true);
  assert.doesNotMatch(await page, /jobctl_job_next_run_timestamp_seconds{/);
  release();
});

test("page() has what this process counts while the store does not respond", async () => {
  const world = await new ManagerWorld().started();
  const metrics = metricsOf(world);
  await world.schedule();
  world.link.cut(["stats"]);
  const shown = await samples(world, metrics);
  assert.equal(shown.get("jobctl_store_up"), 0);
  assert.equal(shown.get('jobctl_job_queue_seconds_count{kind="work"}'), 1);
  world.link.mend();
  assert.equal((await samples(world, metrics)).get("jobctl_store_up"), 1);
});

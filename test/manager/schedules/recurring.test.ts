import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import type { TickReport } from "../../../src/manager/api.ts";
import type { ScheduleRecord, ScheduleSpec } from "../../../src/core/time/schedule.ts";
import { readSignature } from "../../../src/jobs/types/read_signature.ts";
import { jobOf, ManagerWorld, scheduleOf } from "../../support/worlds/manager_world.ts";

const MINUTE = 60_000;
const ID = "config:work:0";

async function worldOf(spec: Partial<ScheduleSpec> = {}): Promise<ManagerWorld> {
  const jobs = [jobOf("work", { schedules: [scheduleOf(spec)] })];
  const world = await new ManagerWorld({ jobs }).started();
  world.executor.onRun = (attempt) => attempt.ok();
  return world;
}

async function explain(
  world: ManagerWorld,
  query: Parameters<ManagerWorld["manager"]["explain"]>[0],
): Promise<readonly TickReport[]> {
  return await world.of(world.manager.explain(query));
}

async function fates(world: ManagerWorld): Promise<readonly string[]> {
  const page = { limit: 100, order: "oldest" } as const;
  const { items } = await world.of(world.store.listFates({ scheduleId: ID }, page));
  return items.map(({ fate, reason }) => reason ? `${fate}:${reason}` : fate);
}

async function recordOf(world: ManagerWorld): Promise<ScheduleRecord> {
  return (await world.of(world.store.getSchedule(ID)))!;
}

test("pause() skips the ticks of its kind and holds what was asked for", async () => {
  const world = await worldOf();
  await world.of(world.manager.pause("work", { reason: "disk" }));
  const asked = await world.schedule("work");
  await world.clock.advance(2 * MINUTE);
  assert.equal(world.executor.attempts.length, 0);
  assert.deepEqual(await fates(world), ["skipped:paused", "skipped:paused"]);
  const [report] = (await explain(world, { kind: "work" })).filter(({ outcome }) =>
    outcome === "skipped"
  );
  assert.match(report!.why, /paused.*"disk"/);
  assert.equal(
    (await explain(world, { instanceId: asked.id }))[0]!.why,
    'It waits: its job is paused until somebody resumes it: "disk"',
  );
  assert.equal((await world.of(world.manager.listPauses()))[0]!.reason, "disk");
  await world.of(world.manager.resume("work"));
  await world.clock.advance(MINUTE);
  assert.deepEqual((await fates(world)).at(-1), "fired");
  assert.equal((await world.get(asked.id)).state, "completed");
});

test("pause() ends by itself at its time", async () => {
  const world = await worldOf();
  const until = world.clock.now().wallMs + 90_000;
  await world.of(world.manager.pause(null, { until }));
  await world.clock.advance(2 * MINUTE);
  assert.deepEqual(await fates(world), ["skipped:paused", "fired"]);
});

test("pause() and skipTicks() refuse a time that has passed, and leave a pause as it was", async () => {
  const world = await worldOf();
  await world.of(world.manager.pause("work", { reason: "disk" }));
  const until = world.clock.now().wallMs;
  const isRefused = (error: unknown) => isJobError(error, "invalid_argument");
  await assert.rejects(
    async () => await world.of(world.manager.pause("work", { until })),
    isRefused,
  );
  await assert.rejects(
    async () => await world.of(world.manager.skipTicks({ kind: "work" }, { until })),
    isRefused,
  );
  assert.equal((await world.of(world.manager.listPauses()))[0]!.reason, "disk");
});

test("resume() refuses a kind that is neither paused nor known", async () => {
  const world = await worldOf();
  assert.equal(await world.of(world.manager.resume("work")), false);
  await assert.rejects(
    async () => await world.of(world.manager.resume("wrok")),
    (error) => isJobError(error, "not_found"),
  );
});

test("pause() holds over a restart", async () => {
  const first = await worldOf();
  await first.of(first.manager.pause("work"));
  await first.of(first.manager.stop());
  const { clock, store } = first;
  const jobs = [jobOf("work", { schedules: [scheduleOf()] })];
  const world = await new ManagerWorld({ jobs, before: { clock, store } }).started();
  await clock.advance(MINUTE);
  assert.equal(world.executor.attempts.length, 0);
});

test("skipTicks() skips the next ticks of a schedule of the configuration, and forgets it on demand", async () => {
  const world = await worldOf();
  await world.of(world.manager.skipTicks({ kind: "work" }, { count: 1 }));
  await world.clock.advance(2 * MINUTE);
  assert.deepEqual(await fates(world), ["skipped:skip requested", "fired"]);
  await world.of(world.manager.skipTicks({ kind: "work" }, { count: 5 }));
  await world.of(world.manager.skipTicks({ kind: "work" }, { count: 0 }));
  await world.clock.advance(MINUTE);
  assert.equal((await fates(world)).at(-1), "fired");
});

test("skipTicks() skips the ticks before a time", async () => {
  const world = await worldOf();
  const until = world.clock.now().wallMs + 2 * MINUTE;
  await world.of(world.manager.skipTicks({ kind: "work" }, { until }));
  await world.clock.advance(3 * MINUTE);
  assert.deepEqual(
    new Set((await fates(world)).slice(0, 1)),
    new Set(["skipped:skip requested"]),
  );
  assert.equal((await fates(world)).at(-1), "fired");
});

test("runSchedule() runs with what the schedule carries and leaves it as it is", async () => {
  const world = await worldOf();
  const before = await recordOf(world);
  const instance = await world.of(world.manager.runSchedule({ kind: "work" }));
  assert.equal(instance.scheduleId, null);
  assert.equal((await world.get(instance.id)).state, "completed");
  assert.deepEqual(await recordOf(world), before);
  await assert.rejects(
    async () => await world.of(world.manager.runSchedule({ kind: "work", scheduleId: "x" })),
    (error) => isJobError(error, "not_found"),
  );
});

test("backfill() runs each tick of a past range that has no run once, in order", async () => {
  const world = await worldOf();
  const start = world.clock.now().wallMs;
  await world.clock.advance(2 * MINUTE);
  const range = { kind: "work", from: start - 3 * MINUTE, to: start + 2 * MINUTE };
  const counted = await world.of(world.manager.backfill({ ...range, dryRun: true }));
  assert.equal(counted.instances.length, 0);
  const made = await world.of(world.manager.backfill(range));
  assert.equal(made.count, counted.count);
  assert.ok(made.count >= 3, `${made.count}`);
  await world.clock.advance(1);
  const runs = world.executor.attempts.map(({ instance }) => instance.scheduledFor!).slice(
    -made.count,
  );
  assert.deepEqual(runs, [...runs].sort((a, b) => a - b));
  assert.equal((await world.of(world.manager.backfill(range))).count, 0);
  const [report] = await explain(world, { instanceId: made.instances[0]!.id });
  assert.match(report!.why, /^By a backfill\. It ran and completed/);
});

test("backfill() refuses a range that is not past, is empty, or has too many ticks", async () => {
  const world = await worldOf({ everyMs: 100 });
  const now = world.clock.now().wallMs;
  for (
    const range of [
      { from: now, to: now + MINUTE },
      { from: now, to: now },
      { from: now - 2_000_000, to: now },
    ]
  ) {
    await assert.rejects(
      async () => await world.of(world.manager.backfill({ kind: "work", ...range })),
      (error) => isJobError(error, "invalid_argument"),
    );
  }
});

test("explain() of a kind reports its last ticks and the next one", async () => {
  const world = await worldOf();
  await world.clock.advance(2 * MINUTE);
  const reports = await explain(world, { kind: "work" });
  assert.deepEqual(reports.map(({ outcome }) => outcome), ["ran", "ran", "pending"]);
  assert.match(
    reports[0]!.why,
    /^It ran and completed after \S+: began [-\d]+ [:\d]+ \+00:00, attempt 1 on node "node"$/,
  );
  assert.match(reports[0]!.rule, /^"\* \* \* \* \*" in UTC: /);
  assert.match(reports[2]!.why, /^It is due at /);
});

test("explain() names the run that a tick was skipped for", async () => {
  const world = await worldOf();
  world.executor.onRun = null;
  await world.clock.advance(2 * MINUTE);
  const running = world.executor.last.instance;
  const skipped = (await explain(world, { kind: "work" })).find(({ reason }) =>
    reason === "overlap"
  );
  assert.ok(skipped!.why.includes(running.id), skipped!.why);
  assert.match(
    (await explain(world, { instanceId: running.id }))[0]!.why,
    /^It has been running since /,
  );
  void world.manager.cancelInstances({ ids: [running.id] });
  await world.clock.settle();
  assert.match(
    (await explain(world, { instanceId: running.id }))[0]!.why,
    /^It has been running since .*\. Its cancel was requested at .*, and it has not ended yet$/,
  );
});

test("explain() reports what a queued tick waits for", async () => {
  const world = await worldOf({ overlap: "queue" });
  world.executor.onRun = null;
  await world.clock.advance(2 * MINUTE);
  const first = world.executor.last.instance;
  const waiting = (await explain(world, { kind: "work" })).find(({ outcome }) =>
    outcome === "waiting"
  );
  assert.ok(waiting!.why.includes(`waits until ${first.id}`), waiting!.why);
});

test("explain() of a time without a tick reports the nearest ones and why", async () => {
  const world = await worldOf({ cron: "30 2 * * 1-5", timezone: "Europe/Berlin" });
  // A Saturday.
  const at = Date.parse("2026-11-28T01:30:00Z");
  const [report] = await explain(world, { at });
  assert.equal(report!.outcome, "none");
  assert.match(report!.why, /a Saturday, does not match .* "1-5"/);
  assert.equal(new Date(report!.previousAt!).toISOString(), "2026-11-27T01:30:00.000Z");
  assert.equal(new Date(report!.nextAt!).toISOString(), "2026-11-30T01:30:00.000Z");
});

test("explain() reports a change of the clock", async () => {
  const world = await worldOf({ cron: "30 2 * * *", timezone: "Europe/Berlin" });
  const [skipped] = await explain(world, { at: Date.parse("2027-03-28T01:00:00Z") });
  assert.match(skipped!.rule, /moved by a clock change: 02:30 does not exist/);
  const [twice] = await explain(world, { at: Date.parse("2027-10-31T00:30:00Z") });
  assert.match(twice!.rule, /comes twice, runs the first time only/);
  const [again] = await explain(world, { at: Date.parse("2027-10-31T01:30:00Z") });
  assert.match(again!.why, /shows this time again/);
});

test("runSchedule() of a job without a schedule shows how to run it, with its arguments", async () => {
  const signature = readSignature("export default (order: string) => {};");
  const world = await new ManagerWorld({ jobs: [{ ...jobOf("bill"), signature }] }).started();
  await assert.rejects(
    async () => await world.of(world.manager.runSchedule({ kind: "bill" })),
    (error) =>
      isJobError(error, "not_found") &&
      error.hint === "Run it once with: jobctl run bill <order: string>",
  );
});

test("explain() reports ticks before the schedule was made, and refuses unknown ids", async () => {
  const world = await worldOf();
  const [report] = await explain(world, { at: world.clock.now().wallMs - 10 * MINUTE });
  assert.match(report!.why, /^It did not run: the schedule did not exist before \d{4}-/);
  for (const query of [{ kind: "nothing" }, { instanceId: "01938f2c-7d3e" }]) {
    await assert.rejects(
      async () => await explain(world, query),
      (error) => isJobError(error, "not_found"),
    );
  }
});

test("explain() reports ticks that were missed and coalesced while nothing ran", async () => {
  const first = await worldOf({ misfire: "latest", misfireWithinMs: 5 * MINUTE });
  await first.of(first.manager.stop());
  const { clock, store } = first;
  await clock.advance(20 * MINUTE);
  const spec = { misfire: "latest", misfireWithinMs: 5 * MINUTE } as const;
  const jobs = [jobOf("work", { schedules: [scheduleOf(spec)] })];
  const world = await new ManagerWorld({ jobs, before: { clock, store } }).started();
  const whys = (await explain(world, { kind: "work" })).map(({ outcome, why }) => [outcome, why]);
  assert.match(String(whys[0]), /^missed,.*misfire_within is 5m/);
  assert.match(
    String(whys[1]),
    /^coalesced,\d ticks from .* to .* passed while no daemon could start them, until/,
  );
});

test("scheduler() runs each tick missed while down, one after the other, with misfire all and overlap skip", async () => {
  const spec = { misfire: "all", overlap: "skip" } as const;
  const first = await worldOf(spec);
  await first.of(first.manager.stop());
  const { clock, store } = first;
  await clock.advance(20 * MINUTE);
  const jobs = [jobOf("work", { schedules: [scheduleOf(spec)] })];
  const world = await new ManagerWorld({ jobs, before: { clock, store }, workers: 5 }).started();
  await clock.settle();
  assert.equal(world.executor.attempts.length, 1);
  for (let ran = 1; ran <= 20; ran++) {
    assert.equal(world.executor.attempts.length, ran);
    world.executor.attempts.at(-1)!.ok();
    await clock.settle();
  }
  assert.deepEqual(await fates(world), Array.from({ length: 20 }, () => "fired"));
});

test("scheduler() skips a tick that meets the runs made up for with misfire all and overlap skip", async () => {
  const spec = { misfire: "all", overlap: "skip" } as const;
  const first = await worldOf(spec);
  await first.of(first.manager.stop());
  const { clock, store } = first;
  await clock.advance(3 * MINUTE);
  const jobs = [jobOf("work", { schedules: [scheduleOf(spec)] })];
  const world = await new ManagerWorld({ jobs, before: { clock, store }, workers: 5 }).started();
  await clock.advance(MINUTE);
  assert.deepEqual(await fates(world), ["fired", "fired", "fired", "skipped:overlap"]);
});

test("updateSchedule() changes the given options and keeps the others", async () => {
  const world = await new ManagerWorld().started();
  world.executor.onRun = (attempt) => attempt.ok();
  const made = await world.of(
    world.manager.scheduleRecurring("work", { cron: "@every 10s", priority: 1 }),
  );
  await world.clock.advance(10_000);
  const renewed = await world.of(
    world.manager.updateSchedule(made.id, { cron: "@every 30s", runsMax: 1 }),
  );
  assert.deepEqual([renewed.priority, renewed.generation, renewed.runs], [1, 2, 0]);
  await world.clock.advance(29_000);
  assert.equal(world.executor.attempts.length, 1);
  await world.clock.advance(61_000);
  assert.equal(world.executor.attempts.length, 2);
  const [last] = (await explain(world, { kind: "work" })).slice(-1);
  assert.equal(last!.why, "The schedule is finished: runs_max 1 is reached");
  const [after] = await explain(world, { kind: "work", at: last!.at + 30_000 - last!.at % 30_000 });
  assert.equal(after!.outcome, "none");
  assert.match(after!.why, /^The schedule is finished/);
});

test("updateSchedule() removes options that are null, and the job's apply again", async () => {
  const world = await new ManagerWorld().started();
  const endsAt = world.clock.now().wallMs + 15_000;
  const made = await world.of(
    world.manager.scheduleRecurring("work", {
      ...{ cron: "@every 10s", priority: 1, timeoutMs: 5_000, retries: 2 },
      ...{ endsAt, blackout: ["2030-01-01"], runsMax: 9, queueMax: 3 },
    }),
  );
  const { spec, ...carried } = await world.of(
    world.manager.updateSchedule(made.id, {
      ...{ endsAt: null, startsAt: null, blackout: null, runsMax: null },
      ...{ priority: null, timeoutMs: null, retries: null },
    }),
  );
  const { startsAt, blackout, runsMax, queueMax, cron, everyMs } = spec;
  assert.deepEqual([spec.endsAt, startsAt, blackout, runsMax], Array(4).fill(undefined));
  assert.deepEqual([queueMax, cron, everyMs], [3, null, 10_000]);
  const { priority, timeoutMs, retryMax } = carried;
  assert.deepEqual([priority, timeoutMs, retryMax], [null, null, null]);
  world.executor.onRun = (attempt) => attempt.ok();
  await world.clock.advance(60_000);
  assert.equal(world.executor.attempts.length, 6);
});

test("explain() reports how far jitter moved a run, and the rule of @reboot", async () => {
  const jobs = [
    jobOf("work", { schedules: [scheduleOf({ jitterMs: 20_000 })] }),
    jobOf("boot", { schedules: [scheduleOf({ cron: "@reboot" })] }),
  ];
  const world = await new ManagerWorld({ jobs }).started();
  world.executor.onRun = (attempt) => attempt.ok();
  await world.clock.advance(2 * MINUTE);
  const [ran, , pending] = await explain(world, { kind: "work" });
  const later = ran!.instance!.dueAt - ran!.at;
  assert.ok(later > 0 && later <= 20_000);
  assert.match(ran!.why, /after its tick by jitter/);
  assert.match(pending!.why, /it starts up to 20s later \(jitter\)/);
  const [boot] = await explain(world, { kind: "boot" });
  assert.match(boot!.rule, /^"@reboot": the daemon started at /);
});

test("updateSchedule() refuses a schedule of the configuration", async () => {
  const world = await worldOf();
  await assert.rejects(
    async () => await world.of(world.manager.updateSchedule(ID, { cron: "@daily" })),
    (error) => isJobError(error, "conflict"),
  );
});

test("schedules() of two nodes that start with the same config at once do not conflict", async () => {
  const jobs = [jobOf("work", { schedules: [scheduleOf()] })];
  const first = new ManagerWorld({ jobs });
  const second = new ManagerWorld({ jobs, before: { clock: first.clock, store: first.store } });
  const starts = Promise.all([first.manager.start(), second.manager.start()]);
  await first.clock.settle();
  await starts;
  await first.clock.advance(MINUTE);
  const ran = first.executor.attempts.length + second.executor.attempts.length;
  assert.equal(ran, 1);
});

test("schedules() of jobs that come after the start keep their cursor when the manager keeps unknown ones", async () => {
  const options = { keepsUnknown: true, jobs: [] };
  const job = jobOf("work", { schedules: [scheduleOf()] });
  const first = await new ManagerWorld(options).started();
  first.manager.addJob(job);
  await first.clock.settle();
  await first.of(first.manager.stop());
  const { clock, store } = first;
  await clock.advance(5 * MINUTE);
  const world = await new ManagerWorld({ ...options, before: { clock, store } }).started();
  await clock.advance(10_000);
  assert.deepEqual(await fates(world), []);
  world.manager.addJob(job);
  await clock.advance(1_000);
  assert.deepEqual(await fates(world), ["coalesced:misfire", "fired"]);
});

test("fault 37: another time zone database moves the next run with a warning, and each tick runs once", async () => {
  const jobs = [jobOf("work", { schedules: [scheduleOf()] })];
  const first = await new ManagerWorld({ jobs, tzVersion: "tz 2020a" }).started();
  const record = await recordOf(first);
  await first.of(first.manager.stop());
  const { clock, store } = first;
  // As if the older database had put the tick elsewhere.
  const moved = { ...record, nextAt: record.nextAt! + 30_000 };
  await first.of(store.open({ at: clock.now(), node: "test" }));
  await first.of(store.putSchedule({ at: clock.now(), record: moved, expectedGeneration: 1 }));
  const world = await new ManagerWorld({ jobs, tzVersion: "tz 2026b", before: { clock, store } })
    .started();
  assert.equal((await recordOf(world)).nextAt, record.nextAt);
  assert.ok(world.logged.some((line) => line.includes("time zone database")));
  const other = await new ManagerWorld({ jobs, tzVersion: "tz 2020a", before: { clock, store } })
    .started();
  await clock.advance(3 * MINUTE);
  const ran = world.executor.attempts.length + other.executor.attempts.length;
  assert.equal(ran, 1, "the first run is unfinished, so the others are skipped");
  assert.deepEqual((await fates(world)).length, 3);
  assert.ok(
    [...world.logged, ...other.logged].some((line) => line.includes("Another node has another")),
  );
});

test("explain() reports many ticks before the schedule once", async () => {
  const world = await worldOf({ cron: "* * * * * *" });
  const at = world.clock.now().wallMs - 10 * MINUTE;
  const reports = await explain(world, { at });
  assert.equal(reports.length, 1);
  assert.match(reports[0]!.why, /; and 59 more like it$/);
});

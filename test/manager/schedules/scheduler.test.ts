import assert from "node:assert/strict";
import test from "node:test";
import { JOB_DEFAULTS } from "../../../src/core/job/option_table.ts";
import { isJobError } from "../../../src/core/errors.ts";
import { sleep } from "../../../src/platform/clock.ts";
import { MemoryStore } from "../../../src/store/memory/store.ts";
import { jobOf, ManagerWorld, scheduleOf } from "../../support/worlds/manager_world.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

const MINUTE = 60_000;

function recurring(spec: Parameters<typeof scheduleOf>[0] = {}) {
  return [jobOf("work", { schedules: [scheduleOf(spec)] })];
}

async function fatesOf(world: ManagerWorld, scheduleId = "config:work:0") {
  const page = { limit: 100, order: "oldest" } as const;
  return (await world.of(world.store.listFates({ scheduleId }, page))).items;
}

test("scheduler() fires each tick once and on its time", async () => {
  const world = await new ManagerWorld({ jobs: recurring() }).started();
  world.executor.onRun = (attempt) => attempt.ok();
  await world.clock.advance(3 * MINUTE);
  const instances = await world.instances();
  const start = Date.UTC(2026, 0, 1);
  assert.deepEqual(
    instances.map(({ scheduledFor, processedAt }) => [scheduledFor! - start, processedAt! - start]),
    [[MINUTE, MINUTE], [2 * MINUTE, 2 * MINUTE], [3 * MINUTE, 3 * MINUTE]],
  );
});

test("scheduler() sleeps between ticks", async () => {
  const world = await new ManagerWorld({ jobs: recurring({ cron: "0 12 * * *" }) }).started();
  await world.clock.advance(11 * 60 * MINUTE);
  assert.ok(world.link.count("dueSchedules") <= 11 * 60 + 2);
});

test("scheduler() fires a tick on its time when the store is slow to name it", async () => {
  const clock = new SimClock();
  const store = new MemoryStore({ defer: (run) => clock.defer(run) });
  const nextDue = store.nextDue.bind(store);
  store.nextDue = async (request) => {
    const due = await nextDue(request);
    if (request.kinds.size === 0) await sleep(clock, 7);
    return due;
  };
  const before = { clock, store };
  const world = new ManagerWorld({ jobs: recurring(), before });
  let startedAt = 0;
  world.executor.onRun = () => startedAt = clock.now().wallMs;
  await world.started();
  await clock.advance(MINUTE + 100);
  const [instance] = await world.instances();
  assert.equal(startedAt - instance!.scheduledFor!, 0);
});

for (const skewMs of [-20_000, 20_000]) {
  test(`scheduler() sleeps between ticks with a store's clock ${skewMs} ms off its own`, async () => {
    const clock = new SimClock();
    const view = clock.view(skewMs);
    const store = new MemoryStore({ clock: () => view.now(), defer: (run) => clock.defer(run) });
    const before = { clock, store };
    const world = await new ManagerWorld({ jobs: recurring(), before }).started();
    world.executor.onRun = (attempt) => attempt.ok();
    await clock.advance(10 * MINUTE);
    assert.ok(Math.abs(world.executor.attempts.length - 10) <= 1);
    const asked = world.link.count("dueSchedules");
    assert.ok(asked <= 45, `asked ${asked} times`);
  });
}

test("scheduler() skips a tick while the one before it is unfinished", async () => {
  const world = await new ManagerWorld({ jobs: recurring(), workers: 2 }).started();
  await world.clock.advance(2 * MINUTE);
  assert.equal(world.executor.attempts.length, 1);
  const fates = (await fatesOf(world)).map(({ fate, reason }) => [fate, reason]);
  assert.deepEqual(fates, [["fired", null], ["skipped", "overlap"]]);
  world.executor.last.ok();
  await world.clock.advance(MINUTE);
  assert.equal(world.executor.attempts.length, 2);
});

test("scheduler() counts a wait for a retry as running", async () => {
  const retry = { ...JOB_DEFAULTS.retry, max: 1, initialMs: 90_000, jitter: 0 };
  const job = jobOf("work", { options: { retry }, schedules: [scheduleOf()] });
  const world = await new ManagerWorld({ jobs: [job] }).started();
  world.executor.onRun = (attempt) => attempt.fail();
  await world.clock.advance(2 * MINUTE);
  assert.deepEqual((await fatesOf(world)).map(({ fate }) => fate), ["fired", "skipped"]);
});

test("scheduler() lets ticks overlap where the schedule allows it", async () => {
  const world = await new ManagerWorld({ jobs: recurring({ overlap: "allow" }), workers: 5 })
    .started();
  await world.clock.advance(3 * MINUTE);
  assert.equal(world.manager.workers().busy, 3);
});

for (const [misfire, expected] of [["latest", 1], ["skip", 0]] as const) {
  test(`scheduler() runs ${expected} of the ticks missed while down with misfire "${misfire}"`, async () => {
    const jobs = recurring({ misfire });
    const first = await new ManagerWorld({ jobs }).started();
    await first.of(first.manager.stop());
    const { clock, store } = first;
    await clock.advance(10.5 * MINUTE);
    const world = await new ManagerWorld({ jobs, before: { clock, store } }).started();
    world.executor.onRun = (attempt) => attempt.ok();
    await clock.settle();
    const instances = await world.instances();
    assert.equal(instances.length, misfire === "latest" ? expected : instances.length);
    // The last missed tick is 30 s old: within the grace it is on time.
    const [last] = instances.map(({ scheduledFor }) => scheduledFor);
    assert.equal(last, Date.UTC(2026, 0, 1, 0, 10));
    const counted = (await fatesOf(world)).reduce((sum, { count }) => sum + count, 0);
    assert.equal(counted, 10);
  });
}

test("scheduler() does not fire a tick again when its node restarts", async () => {
  const first = await new ManagerWorld({ jobs: recurring() }).started();
  first.executor.onRun = (attempt) => attempt.ok();
  await first.clock.advance(MINUTE);
  await first.of(first.manager.stop());
  const { clock, store } = first;
  const world = await new ManagerWorld({ jobs: recurring(), before: { clock, store } }).started();
  assert.equal((await world.instances()).length, 1);
});

test("scheduler() catches up when the store was away", async () => {
  const world = await new ManagerWorld({ jobs: recurring() }).started();
  world.executor.onRun = (attempt) => attempt.ok();
  world.link.cut(["advance"]);
  await world.clock.advance(MINUTE + 5_000);
  assert.equal((await world.of(world.manager.status())).storeProblem, "The link is cut");
  assert.ok(world.link.count("advance") <= 7);
  world.link.mend();
  await world.clock.advance(2_000);
  assert.equal((await world.instances()).length, 1);
  assert.equal((await world.of(world.manager.status())).storeProblem, null);
});

test("scheduler() continues with the other schedules when one cannot be planned", async () => {
  const world = await new ManagerWorld({ jobs: recurring() }).started();
  const good = (await world.of(world.store.getSchedule("config:work:0")))!;
  const spec = { ...good.spec, timezone: "Mars/Olympus" };
  const record = { ...good, id: "bad", origin: "runtime", spec } as const;
  const request = { at: world.clock.now(), record, expectedGeneration: null };
  await world.of(world.store.putSchedule(request));
  world.executor.onRun = (attempt) => attempt.ok();
  await world.clock.advance(3 * MINUTE);
  assert.equal((await world.instances()).length, 3);
  assert.ok(world.link.count("dueSchedules") < 20, `${world.link.count("dueSchedules")} looks`);
  assert.ok(world.logged.some((line) => line.includes("bad")), world.logged.join("; "));
});

test("schedules() keep their cursor when the configuration says the same", async () => {
  const first = await new ManagerWorld({ jobs: recurring({ everyMs: 90_000 }) }).started();
  const before = await first.of(first.store.getSchedule("config:work:0"));
  await first.of(first.manager.stop());
  const { clock, store } = first;
  await clock.advance(30_000);
  const world = await new ManagerWorld({
    jobs: recurring({ everyMs: 90_000 }),
    before: { clock, store },
  }).started();
  assert.deepEqual(await world.of(store.getSchedule("config:work:0")), before);
});

test("schedules() start at now when their spec has changed", async () => {
  const first = await new ManagerWorld({ jobs: recurring() }).started();
  await first.of(first.manager.stop());
  const { clock, store } = first;
  await clock.advance(10.5 * MINUTE);
  const jobs = recurring({ cron: "*/2 * * * *" });
  const world = await new ManagerWorld({ jobs, before: { clock, store } }).started();
  assert.equal((await world.instances()).length, 0);
  const record = (await world.of(store.getSchedule("config:work:0")))!;
  assert.deepEqual([record.generation, record.startAt], [2, clock.now().wallMs]);
  await clock.advance(2 * MINUTE);
  assert.equal((await world.instances()).length, 1);
});

test("schedules() go with their config, unless their job is only disabled", async () => {
  const jobs = [...recurring(), jobOf("gone", { schedules: [scheduleOf()] })];
  const first = await new ManagerWorld({ jobs }).started();
  await first.of(first.manager.stop());
  const { clock, store } = first;
  const world = await new ManagerWorld({
    jobs: [],
    disabledKinds: ["work"],
    before: { clock, store },
  }).started();
  assert.ok(await world.of(store.getSchedule("config:work:0")));
  const { items } = await world.of(world.manager.listSchedules({}));
  assert.deepEqual(items.map(({ id }) => id), ["config:work:0"]);
  await clock.advance(MINUTE);
  assert.deepEqual((await fatesOf(world)).map(({ fate, reason }) => [fate, reason]), [
    ["skipped", "disabled"],
  ]);
});

test("schedules() of a job that is added after the start are served", async () => {
  const world = await new ManagerWorld({ jobs: [] }).started();
  world.manager.addJob(jobOf("work", { schedules: [scheduleOf()] }));
  await world.clock.advance(MINUTE);
  assert.equal(world.executor.attempts.length, 1);
});

test("scheduleRecurring() fires with what it was given until it is deleted", async () => {
  const world = await new ManagerWorld().started();
  const { id } = await world.of(
    world.manager.scheduleRecurring("work", {
      cron: "@every 10s",
      priority: 1,
      timeoutMs: 7,
      retries: 2,
    }),
  );
  await world.clock.advance(10_000);
  const { priority, timeoutMs, retryMax, scheduleId } = world.executor.last.instance;
  assert.deepEqual([priority, timeoutMs, retryMax, scheduleId], [1, 7, 2, id]);
  await world.of(world.manager.deleteSchedule(id));
  world.executor.last.ok();
  await world.clock.advance(60_000);
  assert.equal(world.executor.attempts.length, 1);
});

for (
  const [path, options] of [
    ["priority", { priority: 1.5 }],
    ["timeout", { timeoutMs: -1 }],
    ["retries", { retries: NaN }],
    ["jitter", { jitterMs: 1e18 }],
    ["cron", { cron: "61 * * * *" }],
    ["timezone", { timezone: "Mars/Olympus" }],
    ["overlap", { overlap: "cue" as "skip" }],
    ["misfire", { misfire: "every" as "all" }],
    ["blackout", { blackout: ["25:00-26:00"] }],
    ["runs_max", { runsMax: 0 }],
    ["ends_at", { endsAt: -1 }],
    ["times, which never come", { endsAt: 1 }],
  ] as const
) {
  test(`scheduleRecurring() refuses a bad ${path} and writes nothing`, async () => {
    const world = await new ManagerWorld().started();
    const asked = { cron: "* * * * *", ...options };
    await assert.rejects(
      async () => await world.of(world.manager.scheduleRecurring("work", asked)),
      (error) => isJobError(error, "invalid_argument"),
    );
    assert.equal((await world.of(world.store.stats())).schedules, 0);
  });
}

test("scheduler() fires @reboot once at each start, and at no other time", async () => {
  const jobs = recurring({ cron: "@reboot" });
  const first = await new ManagerWorld({ jobs }).started();
  first.executor.onRun = (attempt) => attempt.ok();
  await first.clock.advance(30 * MINUTE);
  assert.equal((await first.instances()).length, 1);
  await first.of(first.manager.stop());
  const second = await new ManagerWorld({ jobs, before: first }).started();
  second.executor.onRun = (attempt) => attempt.ok();
  await second.clock.advance(MINUTE);
  const instances = await second.instances();
  assert.equal(instances.length, 2);
  assert.notEqual(instances[0]!.scheduledFor, instances[1]!.scheduledFor);
});

test("scheduler() fires @reboot once when the store fails at the start", async () => {
  const world = new ManagerWorld({ jobs: recurring({ cron: "@reboot" }) });
  world.link.cut(["advance"]);
  await world.started();
  await world.clock.advance(5_000);
  assert.equal((await world.instances()).length, 0);
  world.link.mend();
  await world.clock.advance(MINUTE);
  assert.equal((await world.instances()).length, 1);
});

test("scheduler() takes a run-time @reboot, which waits for the next start", async () => {
  const world = await new ManagerWorld({ jobs: [jobOf("work")] }).started();
  const record = await world.of(world.manager.scheduleRecurring("work", { cron: "@reboot" }));
  assert.equal(record.nextAt, null);
  await world.clock.advance(MINUTE);
  assert.equal((await world.instances()).length, 0);
});

test("scheduler() picks for H by the kind when a schedule is made at run time", async () => {
  const world = await new ManagerWorld({ jobs: [jobOf("work")] }).started();
  const make = () => world.of(world.manager.scheduleRecurring("work", { cron: "H H * * *" }));
  const [first, second] = [await make(), await make()];
  assert.match(first.spec.cron!, /^\d+ \d+ \* \* \*$/);
  assert.equal(first.spec.cron, second.spec.cron);
});

test("scheduler() fires @reboot only between the start and the end of its schedule", async () => {
  const now = new ManagerWorld().clock.now().wallMs;
  const at = async (spec: Parameters<typeof scheduleOf>[0]) => {
    const world = await new ManagerWorld({ jobs: recurring({ cron: "@reboot", ...spec }) })
      .started();
    await world.clock.advance(MINUTE);
    return (await world.instances()).length;
  };
  assert.deepEqual([await at({ startsAt: now }), await at({ startsAt: now + 1 })], [1, 0]);
  assert.deepEqual([await at({ endsAt: now }), await at({ endsAt: now + 1 })], [0, 1]);
});

test("scheduler() skips @reboot while the run of the start before is unfinished", async () => {
  const jobs = recurring({ cron: "@reboot" });
  const first = await new ManagerWorld({ jobs }).started();
  await first.clock.advance(MINUTE);
  assert.equal(first.executor.attempts.length, 1);
  // As after a crash: the first manager never says what became of its run.
  const second = await new ManagerWorld({ jobs, before: first }).started();
  await second.clock.advance(MINUTE);
  const fates = (await fatesOf(second)).map(({ fate, reason }) => [fate, reason]);
  assert.deepEqual(fates, [["fired", null], ["skipped", "overlap"]]);
});

import assert from "node:assert/strict";
import test from "node:test";
import { JOB_DEFAULTS } from "../../../src/core/job/option_table.ts";
import type { ScheduleSpec } from "../../../src/core/time/schedule.ts";
import { MemoryStore } from "../../../src/store/memory/store.ts";
import { jobOf, LEASE_MS, ManagerWorld, scheduleOf } from "../../support/worlds/manager_world.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";
import { processorMs } from "../../support/processes/processor_time.ts";

/** Rows of the fault catalogue about clocks and many schedules, on a simulated clock. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const ID = "config:work:0";

async function worldOf(spec: Partial<ScheduleSpec>, workers = 2): Promise<ManagerWorld> {
  const jobs = [jobOf("work", { schedules: [scheduleOf(spec)] })];
  const world = await new ManagerWorld({ jobs, workers }).started();
  world.executor.onRun = (attempt) => attempt.ok();
  return world;
}

async function fatesOf(world: ManagerWorld) {
  const page = { limit: 1_000, order: "oldest" } as const;
  return (await world.of(world.store.listFates({ scheduleId: ID }, page))).items;
}

async function allFatesOf(world: ManagerWorld) {
  const fates = [];
  let token: string | undefined;
  do {
    const page = { limit: 1_000, order: "oldest", token } as const;
    const { items, nextToken } = await world.of(world.store.listFates({ scheduleId: ID }, page));
    fates.push(...items);
    token = nextToken ?? undefined;
  } while (token);
  return fates;
}

function ticksOf(world: ManagerWorld): readonly number[] {
  return world.executor.attempts.map(({ instance }) => instance.scheduledFor!);
}

for (const [name, jumpMs] of [["hour", HOUR], ["day", DAY], ["ten years", 3_652 * DAY]] as const) {
  for (
    const [misfire, late] of [["latest", 1], ["skip", 1], ["all", 100]] as const
  ) {
    test(`fault 34: the clock jumps one ${name} ahead, and misfire "${misfire}" is applied once`, async () => {
      const spec = { cron: "* * * * * *", overlap: "allow", misfire } as const;
      const world = await worldOf({ ...spec, misfireWithinMs: 20 * 365 * DAY }, 200);
      await world.clock.advance(3_000);
      const before = world.executor.attempts.length;
      world.clock.shiftWall(jumpMs);
      const begun = processorMs();
      await world.clock.advance(1_000);
      const spentMs = processorMs() - begun;
      // "skip" runs what is at most a minute late, the others what they say.
      const made = world.executor.attempts.length - before;
      assert.ok(misfire === "skip" ? made <= 61 : made === late, `${made} runs`);
      assert.ok(spentMs < 1_000, `${spentMs} ms`);
      const fates = await fatesOf(world);
      const ranges = fates.filter(({ count }) => count > 1);
      assert.ok(ranges.length <= 2, "what passed is one record or two");
      const total = fates.reduce((sum, { count }) => sum + count, 0);
      assert.equal(total, 4 + jumpMs / 1_000, "each tick has one fate");
      await world.clock.advance(2_000);
      assert.equal(world.executor.attempts.length, before + made + 2, "and it goes on");
    });
  }
}

test("fault 34: a jump of the clock leaves a running attempt its lease", async () => {
  const world = await worldOf({ cron: "* * * * *" });
  world.executor.onRun = null;
  await world.clock.advance(MINUTE);
  const running = world.executor.last;
  world.clock.shiftWall(3_652 * DAY);
  await world.clock.advance(2 * LEASE_MS);
  assert.deepEqual(running.aborts, []);
  running.ok();
  await world.clock.settle();
  assert.equal((await world.get(running.instance.id)).state, "completed");
});

for (
  const [name, jumpMs, count] of [
    // After less than three hours nothing runs again.
    ["hour", HOUR, 12],
    ["three hours", 3 * HOUR, 12],
    // After more, the schedules continue: the ticks of the day, and the hour before and after.
    ["day", DAY, 6 + 138 + 6],
  ] as const
) {
  test(`fault 35: the clock is set back one ${name}, and no tick runs twice`, async () => {
    const world = await worldOf({ cron: "*/10 * * * *" });
    await world.clock.advance(HOUR);
    const before = ticksOf(world);
    assert.equal(before.length, 6);
    world.clock.shiftWall(-jumpMs);
    await world.clock.advance(jumpMs + HOUR);
    const after = ticksOf(world);
    assert.equal(new Set(after).size, after.length, "each tick once");
    assert.equal(after.length, count);
  });

  test(`fault 35: the clock is set back one ${name} and again ahead, and the next tick is on its time`, async () => {
    const world = await worldOf({ cron: "*/10 * * * *" });
    await world.clock.advance(15 * MINUTE);
    world.clock.shiftWall(-jumpMs);
    await world.clock.advance(2 * MINUTE);
    world.clock.shiftWall(jumpMs);
    // Nothing sleeps through the difference: the clock is looked at every minute.
    await world.clock.advance(4 * MINUTE);
    assert.equal(world.executor.attempts.length, 2);
  });
}

for (
  const [name, aheadMs] of [["a day", DAY], ["four hours", 4 * HOUR], [
    "24 years",
    8_766 * DAY,
  ]] as const
) {
  for (const misfire of ["latest", "skip", "all"] as const) {
    test(`fault 97: the clock was ahead by ${name}, and schedules with misfire "${misfire}" go on within a minute`, async () => {
      const world = await worldOf({ cron: "* * * * *", overlap: "allow", misfire }, 200);
      await world.clock.advance(10 * MINUTE);
      world.clock.shiftWall(aheadMs);
      await world.clock.advance(10 * MINUTE);
      const ran = ticksOf(world).length;
      world.clock.shiftWall(-aheadMs);
      const setBackAt = world.clock.now().wallMs;
      await world.clock.advance(HOUR);
      const ticks = ticksOf(world);
      const since = ticks.slice(ran);
      assert.deepEqual(
        since,
        Array.from({ length: 60 }, (_, index) => setBackAt + (index + 1) * MINUTE),
      );
      assert.equal(new Set(ticks).size, ticks.length, "each tick once");
      const warnings = world.logged.filter((line) => line.includes("The clock was ahead"));
      assert.equal(warnings.length, 1, "it is said once");
      const record = (await world.of(world.store.getSchedule(ID)))!;
      assert.ok(Math.abs(record.correction!.at - setBackAt) <= MINUTE);
    });
  }
}

test("fault 97: each tick of the day after a correction has one fate, and none fires twice", async () => {
  const world = await worldOf({ cron: "* * * * *", overlap: "allow" }, 200);
  const startMs = world.clock.now().wallMs;
  await world.clock.advance(10 * MINUTE);
  world.clock.shiftWall(DAY);
  await world.clock.advance(10 * MINUTE);
  world.clock.shiftWall(-DAY);
  const setBackAt = world.clock.now().wallMs;
  await world.clock.advance(26 * HOUR);
  const ticks = ticksOf(world);
  assert.equal(new Set(ticks).size, ticks.length, "each tick once");
  const nowMs = world.clock.now().wallMs;
  const counts = new Map<number, number>();
  for (const { from, to } of await allFatesOf(world)) {
    for (let tick = from; tick <= to; tick += MINUTE) counts.set(tick, (counts.get(tick) ?? 0) + 1);
  }
  for (let tick = startMs + MINUTE; tick <= nowMs; tick += MINUTE) {
    assert.equal(counts.get(tick), 1, new Date(tick).toISOString());
  }
  const since = ticks.filter((tick) => tick > setBackAt);
  assert.equal(since.length, 26 * 60, "and those that come run, each on its day or before");
});

test("fault 97: a daemon that starts after the correction takes its schedules back", async () => {
  const clock = new SimClock();
  const store = new MemoryStore({ defer: (callback) => clock.defer(callback) });
  clock.shiftWall(24 * 365 * DAY);
  const jobs = [
    jobOf("work", {
      schedules: [
        scheduleOf({ cron: "*/10 * * * *" }),
        scheduleOf({ cron: null, everyMs: 10 * MINUTE, overlap: "allow" }),
        // It ended, by a clock that was ahead.
        scheduleOf({ cron: "5 * * * *", endsAt: Date.UTC(2027, 0, 1) }),
      ],
    }),
  ];
  const wrong = await new ManagerWorld({ jobs, before: { clock, store } }).started();
  wrong.executor.onRun = (attempt) => attempt.ok();
  await clock.advance(HOUR);
  await wrong.of(wrong.manager.stop());
  clock.shiftWall(-24 * 365 * DAY);
  const world = await new ManagerWorld({ jobs, before: { clock, store } }).started();
  world.executor.onRun = (attempt) => attempt.ok();
  await clock.advance(HOUR);
  const counts = new Map<string, number>();
  for (const { instance } of world.executor.attempts) {
    counts.set(instance.scheduleId!, (counts.get(instance.scheduleId!) ?? 0) + 1);
  }
  assert.deepEqual([...counts].sort(), [
    ["config:work:0", 6],
    ["config:work:1", 6],
    ["config:work:2", 1],
  ]);
});

test("fault 97: explain reports the correction, and no fate that has not been decided", async () => {
  const world = await worldOf({ cron: "0 * * * *" });
  await world.clock.advance(HOUR);
  world.clock.shiftWall(DAY);
  await world.clock.advance(2 * HOUR);
  world.clock.shiftWall(-DAY);
  await world.clock.advance(MINUTE);
  const reports = await world.of(world.manager.explain({ kind: "work", limit: 10 }));
  const text = reports.map(({ at, outcome, why }) =>
    `${new Date(at).toISOString().slice(5, 16)} ${outcome} ${why}`
  );
  assert.match(text.at(-1)!, /^01-01T04:00 pending It is due at .*; the clock was ahead until /);
  const passed = text.find((line) => line.includes("coalesced"))!;
  assert.match(passed, /^01-01T03:00 coalesced .* while the clock was ahead, at /);
  const [tomorrow] = await world.of(
    world.manager.explain({ kind: "work", at: Date.UTC(2026, 0, 1, 12) }),
  );
  assert.equal(tomorrow!.outcome, "pending");
  const [ran] = await world.of(
    world.manager.explain({ kind: "work", at: Date.UTC(2026, 0, 2, 3) }),
  );
  assert.equal(ran!.outcome, "ran");
  assert.match(ran!.why, /^It ran early: the clock was ahead/);
});

test("fault 97: retries, pauses and retention of the time when the clock was ahead do not wait for it", async () => {
  const retry = { ...JOB_DEFAULTS.retry, max: 1, initialMs: 90_000, jitter: 0 };
  const jobs = [
    jobOf("work", { schedules: [scheduleOf({ cron: "* * * * *", overlap: "allow" })] }),
    jobOf("again", { options: { retry } }),
    jobOf("brief", { options: { keepSuccessMs: HOUR } }),
  ];
  const world = await new ManagerWorld({ jobs, workers: 10 }).started();
  world.executor.onRun = (attempt) =>
    attempt.instance.kind === "again" && attempt.instance.attempt === 1
      ? attempt.fail()
      : attempt.ok();
  world.clock.shiftWall(3_652 * DAY);
  await world.clock.advance(MINUTE);
  const again = await world.of(world.manager.scheduleJob("again"));
  const brief = await world.of(world.manager.scheduleJob("brief"));
  const until = world.clock.now().wallMs + 10 * MINUTE;
  await world.of(world.manager.pause("brief", { until, reason: "because" }));
  await world.clock.advance(1_000);
  world.clock.shiftWall(-3_652 * DAY);
  await world.clock.advance(MINUTE + 1_000);
  const nowMs = world.clock.now().wallMs;
  const [pause] = await world.of(world.manager.listPauses());
  assert.ok(pause!.until! <= nowMs + 10 * MINUTE, "the pause ends");
  assert.equal(pause!.reason, "because");
  await world.clock.advance(2 * MINUTE);
  assert.equal((await world.get(again.id)).state, "completed");
  assert.ok((await world.get(again.id)).settledAt! <= world.clock.now().wallMs);
  const ended = await world.get(brief.id);
  assert.ok(ended.settledAt! <= world.clock.now().wallMs);
  await world.clock.advance(HOUR + 2 * MINUTE);
  assert.equal(await world.of(world.store.get(brief.id)), null, "it is deleted in time");
});

for (const [name, aheadMs] of [["an hour", HOUR], ["a year", 365 * DAY]] as const) {
  test(`fault 106: what is to run at once does not wait where a node was ahead by ${name}`, async () => {
    const clock = new SimClock();
    const store = new MemoryStore({
      clock: () => clock.now(),
      defer: (callback) => clock.defer(callback),
    });
    let skewMs = 0;
    const now = () => ({ ...clock.now(), wallMs: clock.now().wallMs + skewMs });
    const clockOf = () => ({ ...clock.view(0), now });
    const world = await new ManagerWorld({ workers: 9, before: { clock, store }, clockOf })
      .started();
    world.executor.onRun = (attempt) => attempt.ok();
    skewMs = aheadMs;
    const past = await world.of(world.manager.scheduleJob("work"));
    await clock.advance(100);
    const found = [
      past,
      await world.of(world.manager.scheduleJob("work")),
      await world.of(world.manager.scheduleJob("work", { afterMs: 0, uniqueKey: "k" })),
      await world.of(world.manager.retryInstance(past.id)),
    ];
    skewMs = 0;
    await clock.advance(1_000);
    assert.equal(found.length, 4);
    for (const { id } of found) assert.equal((await world.get(id)).state, "completed");
  });

  test(`fault 106: what was to run at once while the clock was ahead by ${name} keeps its turn`, async () => {
    const world = await new ManagerWorld({ workers: 1 }).started();
    await world.schedule();
    const running = world.executor.last;
    world.clock.shiftWall(aheadMs);
    const ahead = await world.of(world.manager.scheduleJob("work"));
    const asked = await world.of(world.manager.scheduleJob("work", { afterMs: 1_000 }));
    await world.clock.advance(500);
    world.clock.shiftWall(-aheadMs);
    await world.clock.advance(MINUTE + 1_000);
    const later = await world.of(world.manager.scheduleJob("work"));
    assert.ok((await world.get(ahead.id)).dueAt <= world.clock.now().wallMs);
    assert.ok((await world.get(asked.id)).dueAt > world.clock.now().wallMs, "its caller chose it");
    world.executor.onRun = (attempt) => attempt.ok();
    running.ok();
    await world.clock.advance(1_000);
    const order = world.executor.attempts.slice(1).map(({ instance }) => instance.id);
    assert.deepEqual(order, [ahead.id, later.id]);
  });

  test(`fault 106: what a drain gives back unstarted does not wait for ${name}`, async () => {
    const world = await new ManagerWorld({ workers: 1 }).started();
    world.clock.shiftWall(aheadMs);
    const { id } = await world.schedule();
    const attempt = world.executor.last;
    world.clock.shiftWall(-aheadMs);
    const stopped = world.manager.stop({ drainMs: 0 });
    await world.clock.advance(1_000);
    const error = { name: "AbortError", message: "drain" };
    attempt.end({ type: "aborted", cause: "drain", isUnstarted: true, error });
    await world.of(stopped);
    const { clock, store } = world;
    const again = await new ManagerWorld({ workers: 1, before: { clock, store } }).started();
    await clock.advance(1_000);
    assert.equal(again.executor.last.instance.id, id);
  });
}

test("fault 97: a clock that boots in 1970 and is set right costs little and runs nothing twice", async () => {
  const clock = new SimClock();
  const store = new MemoryStore({ defer: (callback) => clock.defer(callback) });
  const jobs = [jobOf("work", { schedules: [scheduleOf({ cron: "* * * * *", misfire: "all" })] })];
  const before = await new ManagerWorld({ jobs, before: { clock, store } }).started();
  before.executor.onRun = (attempt) => attempt.ok();
  await clock.advance(DAY);
  await before.of(before.manager.stop());
  const bootMs = clock.now().wallMs;
  clock.shiftWall(-bootMs);
  const world = await new ManagerWorld({ jobs, before: { clock, store } }).started();
  world.executor.onRun = (attempt) => attempt.ok();
  await clock.advance(5 * MINUTE + 1);
  clock.shiftWall(bootMs);
  const begun = processorMs();
  await clock.advance(2 * MINUTE);
  assert.ok(processorMs() - begun < 2_000);
  const all = [...ticksOf(before), ...ticksOf(world)];
  assert.equal(new Set(all).size, all.length, "each tick once");
  assert.deepEqual(
    ticksOf(world).slice(5).map((tick) => tick - bootMs),
    Array.from({ length: 7 }, (_, index) => (index + 1) * MINUTE),
    "what passed since the stop is made up for",
  );
});

for (const skewMs of [-20_000, 20_000]) {
  test(`fault 38: a node whose clock is ${skewMs} ms off runs nothing early and steals no lease`, async () => {
    const clock = new SimClock();
    const store = new MemoryStore({
      clock: () => clock.now(),
      defer: (callback) => clock.defer(callback),
    });
    const jobs = [jobOf("work", { schedules: [scheduleOf({ overlap: "allow" })] })];
    const right = await new ManagerWorld({ jobs, before: { clock, store } }).started();
    const wrong = await new ManagerWorld({ jobs, skewMs, before: { clock, store } }).started();
    const early: number[] = [];
    for (const world of [right, wrong]) {
      world.executor.onRun = ({ instance }) => {
        const lateMs = clock.now().wallMs - instance.scheduledFor!;
        if (lateMs < 0) early.push(lateMs);
      };
    }
    await clock.advance(5 * MINUTE);
    assert.deepEqual(early, []);
    const attempts = [...right.executor.attempts, ...wrong.executor.attempts];
    assert.ok(attempts.length >= 2);
    // One worker each, and nothing ends: their leases hold, so nothing is taken over.
    assert.equal(new Set(attempts.map(({ instance }) => instance.id)).size, attempts.length);
  });
}

test("fault 40: a frozen clock starts nothing and costs nothing", async () => {
  const world = await worldOf({ cron: "* * * * *" });
  await world.clock.advance(MINUTE);
  // Monotonic time continues, and the wall clock stops.
  const asked = world.link.count("dueSchedules");
  const instants = 10;
  for (let index = 0; index < instants; index++) {
    world.clock.shiftWall(-MINUTE);
    await world.clock.advance(MINUTE);
  }
  assert.equal(world.executor.attempts.length, 1);
  assert.ok(world.link.count("dueSchedules") - asked <= 3 * instants, "no busy loop");
  await world.clock.advance(2 * MINUTE);
  assert.ok(world.executor.attempts.length >= 2);
});

test("fault 77: 10,000 schedules on one instant start in five seconds, by priority and then due time", async () => {
  const count = 10_000;
  // Soon: on the way there, the leases are renewed every few seconds.
  const spec = { cron: "10 0 * * *" };
  const jobs = Array.from(
    { length: count },
    (_, index) =>
      jobOf(`work-${index}`, {
        options: { priority: index % 3 },
        schedules: [scheduleOf(spec)],
      }),
  );
  const world = await new ManagerWorld({ jobs, workers: 100 }).started();
  world.executor.onRun = (attempt) => attempt.ok();
  const begun = processorMs();
  await world.clock.advance(10 * MINUTE + 10);
  const spentMs = processorMs() - begun;
  const { attempts } = world.executor;
  assert.equal(attempts.length, count);
  assert.ok(spentMs < 30_000, `${spentMs} ms`);
  const priorities = attempts.map(({ instance }) => instance.priority);
  const sorted = priorities.toSorted((a, b) => a - b);
  assert.deepEqual(priorities, sorted, "by priority");
  const lateMs = Math.max(
    ...attempts.map(({ instance }) => instance.processedAt! - instance.scheduledFor!),
  );
  assert.ok(lateMs < 5_000, `${lateMs} ms late`);
});

for (const [direction, jumpMs] of [["ahead", 20 * MINUTE], ["back", -20 * MINUTE]] as const) {
  test(`a clock that jumps ${direction} is told once, whatever its schedules do`, async () => {
    const world = await worldOf({ cron: "* * * * * *" });
    await world.clock.advance(3_000);
    world.clock.shiftWall(jumpMs);
    await world.clock.advance(100_000);
    const jumps = world.records.filter((line) => line.includes("The clock has jumped"));
    assert.equal(jumps.length, 1, jumps.join("\n"));
    assert.match(jumps[0]!, new RegExp(`^warn The clock has jumped ${direction} .*"by":"20m"`));
  });
}

test("a clock that runs normally is not logged as a jump, however long nothing was due", async () => {
  const world = await worldOf({ cron: "0 0 * * *" });
  await world.clock.advance(2 * DAY);
  assert.ok(!world.records.some((line) => line.includes("jumped")));
});

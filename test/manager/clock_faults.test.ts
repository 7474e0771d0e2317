import assert from "node:assert/strict";
import test from "node:test";
import type { ScheduleSpec } from "../../src/core/schedule.ts";
import { MemoryStore } from "../../src/store/memory/memory_store.ts";
import { jobOf, LEASE_MS, ManagerWorld, scheduleOf } from "../support/manager_world.ts";
import { SimClock } from "../support/sim_clock.ts";
import { processorMs } from "../support/processor_time.ts";

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

for (const [name, jumpMs] of [["hour", HOUR], ["day", DAY]] as const) {
  test(`fault 35: the clock is set back one ${name}, and no tick runs twice`, async () => {
    const world = await worldOf({ cron: "*/10 * * * *" });
    await world.clock.advance(HOUR);
    const before = ticksOf(world);
    assert.equal(before.length, 6);
    world.clock.shiftWall(-jumpMs);
    await world.clock.advance(jumpMs + HOUR);
    const after = ticksOf(world);
    assert.equal(new Set(after).size, after.length, "each tick once");
    // What was asked for at once is due at once, whatever the clock said before.
    assert.equal(after.length, 12);
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
  // Monotonic time goes on, the wall stands.
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
  const spec = { cron: "0 0 * * *" };
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
  await world.clock.advance(DAY + 10);
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

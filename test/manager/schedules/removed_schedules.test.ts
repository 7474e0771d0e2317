import assert from "node:assert/strict";
import test from "node:test";
import type { JobDefinition } from "../../../src/core/job/job.ts";
import { MemoryStore } from "../../../src/store/memory/store.ts";
import { jobOf, ManagerWorld, scheduleOf } from "../../support/worlds/manager_world.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

/** Schedules that leave the configuration by mistake, and come back. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const ID = "config:work:0";

function work(cron = "* * * * *"): JobDefinition {
  return jobOf("work", { schedules: [scheduleOf({ cron, overlap: "allow" })] });
}

async function started(jobs: readonly JobDefinition[], before?: ManagerWorld) {
  const clock = before?.clock ?? new SimClock();
  const store = before?.store ?? new MemoryStore({ defer: (callback) => clock.defer(callback) });
  const world = new ManagerWorld({ jobs, before: { clock, store }, workers: 10 });
  world.executor.onRun = (attempt) => attempt.ok();
  return await world.started();
}

async function reload(world: ManagerWorld, jobs: readonly JobDefinition[]): Promise<void> {
  const scheduleDefaults = scheduleOf({}).spec;
  await world.of(world.manager.reload({ jobs, disabled: new Map(), scheduleDefaults }));
}

async function fatesOf(world: ManagerWorld): Promise<readonly string[]> {
  const page = { limit: 100, order: "oldest" } as const;
  const { items } = await world.of(world.store.listFates({ scheduleId: ID }, page));
  return items.map(({ fate, count }) => `${fate} ${count}`);
}

async function idsOf(world: ManagerWorld): Promise<readonly string[]> {
  const { items } = await world.of(world.manager.listSchedules({}));
  return items.map(({ id }) => id);
}

test("a schedule that left the configuration for ten minutes continues from its place", async () => {
  const world = await started([work()]);
  await world.clock.advance(3 * MINUTE);
  const before = (await world.of(world.store.getSchedule(ID)))!;
  await reload(world, []);
  assert.deepEqual(await idsOf(world), []);
  assert.equal((await world.of(world.manager.status())).stats.schedules, 0);
  assert.ok(
    world.logged.some((line) =>
      line.startsWith("No longer in the configuration: 1 of 1 schedules")
    ),
  );
  await world.clock.advance(10 * MINUTE + 1);
  assert.deepEqual(
    await fatesOf(world),
    ["fired 1", "fired 1", "fired 1"],
    "nothing runs meanwhile",
  );
  await reload(world, [work()]);
  await world.clock.advance(1_000);
  const after = (await world.of(world.store.getSchedule(ID)))!;
  assert.equal(after.startAt, before.startAt);
  assert.equal(after.runs, 4);
  assert.deepEqual(await idsOf(world), [ID]);
  assert.equal((await world.of(world.manager.status())).stats.schedules, 1);
  assert.deepEqual((await fatesOf(world)).slice(3), ["coalesced 9", "fired 1"]);
});

test("a schedule that left the configuration continues across restarts too", async () => {
  const first = await started([work()]);
  await first.clock.advance(3 * MINUTE);
  await first.of(first.manager.stop());
  const empty = await started([], first);
  assert.ok(
    empty.logged.some((line) =>
      line.startsWith("No longer in the configuration: 1 of 1 schedules")
    ),
  );
  await empty.clock.advance(10 * MINUTE + 1);
  await empty.of(empty.manager.stop());
  const again = await started([work()], first);
  await again.clock.advance(1_000);
  assert.deepEqual((await fatesOf(again)).slice(3), ["coalesced 9", "fired 1"]);
});

test("a schedule that comes back with other times starts at now", async () => {
  const world = await started([work()]);
  await world.clock.advance(3 * MINUTE);
  await reload(world, []);
  await world.clock.advance(10 * MINUTE + 1);
  await reload(world, [work("*/2 * * * *")]);
  await world.clock.advance(2 * MINUTE);
  assert.deepEqual((await fatesOf(world)).slice(3), ["fired 1"]);
  const { cursor, removedAt } = (await world.of(world.store.getSchedule(ID)))!;
  assert.deepEqual([cursor, removedAt], [world.clock.now().wallMs - 1 - MINUTE, undefined]);
});

test("the place of a removed schedule is kept for a day and then forgotten", async () => {
  const world = await started([work()]);
  await world.clock.advance(3 * MINUTE);
  await reload(world, []);
  await world.clock.advance(DAY - MINUTE);
  assert.notEqual(await world.of(world.store.getSchedule(ID)), null);
  await world.clock.advance(3 * MINUTE);
  assert.equal(await world.of(world.store.getSchedule(ID)), null);
  await reload(world, [work()]);
  await world.clock.advance(MINUTE);
  assert.deepEqual((await fatesOf(world)).slice(3), ["fired 1"]);
});

test("a schedule that was removed more than a day ago, while nothing ran, starts at now", async () => {
  const first = await started([work()]);
  await first.clock.advance(3 * MINUTE);
  await reload(first, []);
  await first.of(first.manager.stop());
  await first.clock.advance(25 * HOUR + 1);
  const again = await started([work()], first);
  await again.clock.advance(MINUTE);
  assert.deepEqual((await fatesOf(again)).slice(3), ["fired 1"]);
});

test("a removed schedule cannot be changed, run or deleted as one that is there", async () => {
  const world = await started([work()]);
  await world.clock.advance(MINUTE);
  await reload(world, [jobOf("work")]);
  const target = { kind: "work" };
  const { manager } = world;
  const calls: readonly (() => Promise<unknown>)[] = [
    () => manager.updateSchedule(ID, { cron: "0 0 * * *" }),
    () => manager.deleteSchedule(ID),
    () => manager.runSchedule(target),
    () => manager.skipTicks(target, { count: 1 }),
  ];
  for (const call of calls) await assert.rejects(world.of(call()), { code: "not_found" });
  const { instance } = world.executor.last;
  const [report] = await world.of(manager.explain({ instanceId: instance.id }));
  assert.match(report!.rule, /which is gone/);
});

test("removing two schedules of three is a warning, removing one is not", async () => {
  const jobs = ["a", "b", "c"].map((kind) => jobOf(kind, { schedules: [scheduleOf({})] }));
  const world = await started(jobs);
  await reload(world, jobs.slice(0, 2));
  assert.ok(
    world.logged.some((line) =>
      line.startsWith("No longer in the configuration: 1 of 3 schedules")
    ),
  );
  await reload(world, []);
  assert.ok(
    world.logged.some((line) =>
      line.startsWith("No longer in the configuration: 2 of 2 schedules")
    ),
  );
});

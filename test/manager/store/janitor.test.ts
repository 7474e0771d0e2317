import assert from "node:assert/strict";
import test from "node:test";
import { MemoryStore } from "../../../src/store/memory/store.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";
import { jobOf, LEASE_MS, ManagerWorld } from "../../support/worlds/manager_world.ts";

test("janitor() takes back what a node that is gone had claimed", async () => {
  const world = await new ManagerWorld({ workers: 0 }).started();
  const { id } = await world.schedule();
  const request = { at: world.clock.now(), node: "gone", kinds: new Set(["work"]), limit: 1 };
  await world.of(world.store.claim({ ...request, leaseMs: LEASE_MS }));
  await world.of(world.manager.resizeWorkers(1));
  await world.clock.advance(LEASE_MS + 2_000);
  assert.equal(world.executor.last.instance.id, id);
  assert.equal(world.executor.last.instance.crashes, 1);
});

test("janitor() deletes instances past their retention, with their log", async () => {
  const job = jobOf("work", { options: { keepSuccessMs: 60_000, keepFailureMs: 600_000 } });
  const world = await new ManagerWorld({ jobs: [job], workers: 2 }).started();
  const good = await world.schedule();
  const bad = await world.schedule();
  world.executor.attempts[0]!.log("line");
  world.executor.attempts[0]!.ok();
  world.executor.attempts[1]!.fail();
  await world.clock.advance(59_000);
  assert.equal((await world.get(good.id)).state, "completed");
  await world.clock.advance(62_000);
  assert.equal(await world.get(good.id), null);
  assert.deepEqual(await world.logOf(good.id), []);
  assert.equal((await world.get(bad.id)).state, "terminated");
});

test("janitor() asks an idle store of its own once a minute", async () => {
  const world = await new ManagerWorld({ workers: 1 }).started();
  await world.clock.advance(60_000);
  const before = world.link.count("reap");
  await world.clock.advance(600_000);
  assert.equal(world.link.count("reap") - before, 10);
});

test("janitor() ends what waits past a deadline while nothing is claimed", async () => {
  const world = await new ManagerWorld({ workers: 0 }).started();
  await world.clock.advance(2 * LEASE_MS + 100);
  const { id } = await world.schedule("work", { afterMs: 60_000, deadlineMs: 0 });
  const late = await world.schedule("work", { deadlineMs: 3_000 });
  await world.clock.advance(2_999);
  assert.equal((await world.get(late.id)).state, "scheduled");
  await world.clock.advance(2_001);
  assert.equal((await world.get(late.id)).state, "timedOut");
  assert.equal((await world.get(id)).state, "scheduled");
});

const HOUR = 3_600_000;
const MINUTE = 60_000;

/** A world with an instance that has ended and is kept for an hour, on a store of its own. */
async function keptWorld(): Promise<{ world: ManagerWorld; id: string }> {
  const job = jobOf("work", { options: { keepSuccessMs: HOUR } });
  const world = await new ManagerWorld({ jobs: [job] }).started();
  const { id } = await world.schedule();
  world.executor.last.ok();
  await world.clock.advance(MINUTE);
  return { world, id };
}

for (const [name, jumpMs] of [["an hour", HOUR + 1], ["a year", 365 * 24 * HOUR]] as const) {
  test(`janitor() deletes nothing in the ten minutes after a jump ahead by ${name}, row 106`, async () => {
    const { world, id } = await keptWorld();
    world.clock.shiftWall(jumpMs);
    await world.clock.advance(4_000);
    world.clock.shiftWall(-jumpMs);
    await world.clock.advance(MINUTE);
    assert.notEqual(await world.store.get(id), null, "the clock was ahead for four seconds");
    world.clock.shiftWall(jumpMs);
    await world.clock.advance(10 * MINUTE);
    assert.notEqual(await world.store.get(id), null, "it may still be a mistake");
    assert.match(world.logged.join("\n"), /nothing is deleted for ten minutes/);
    await world.clock.advance(2 * MINUTE);
    assert.equal(await world.store.get(id), null, "it is right by now");
  });

  test(`janitor() of a daemon that starts with a clock ahead by ${name} deletes nothing for ten minutes, row 106`, async () => {
    const { world, id } = await keptWorld();
    const { clock, store } = world;
    await world.of(world.manager.stop());
    clock.shiftWall(jumpMs);
    const jobs = [jobOf("work", { options: { keepSuccessMs: HOUR } })];
    const again = await new ManagerWorld({ jobs, before: { clock, store } }).started();
    // By the clock that is ahead.
    await again.schedule();
    await clock.advance(10 * MINUTE);
    assert.notEqual(await store.get(id), null);
    await clock.advance(2 * MINUTE);
    assert.equal(await store.get(id), null);
  });
}

test("janitor() believes a jump by an hour or less, row 106", async () => {
  const { world, id } = await keptWorld();
  world.clock.shiftWall(HOUR);
  await world.clock.advance(2 * MINUTE);
  assert.equal(await world.store.get(id), null);
});

test("janitor() goes by the store's clock where that decides, row 106", async () => {
  const clock = new SimClock();
  let aheadMs = 0;
  const store = new MemoryStore({
    clock: () => ({ ...clock.now(), wallMs: clock.now().wallMs + aheadMs }),
    defer: (callback) => clock.defer(callback),
  });
  const jobs = [jobOf("work", { options: { keepSuccessMs: HOUR } })];
  const world = await new ManagerWorld({ jobs, before: { clock, store } }).started();
  const { id } = await world.schedule();
  world.executor.last.ok();
  await clock.advance(MINUTE);
  aheadMs = 2 * HOUR;
  await clock.advance(5 * MINUTE);
  assert.notEqual(await store.get(id), null);
});

test("janitor() continues after the store was away", async () => {
  const world = await new ManagerWorld().started();
  await world.schedule();
  world.link.cut(["reap", "renew"]);
  await world.clock.advance(LEASE_MS * 2);
  world.link.mend();
  await world.clock.advance(2_000);
  assert.equal((await world.instances())[0]!.crashes, 1);
});

test("system.history.cleaner deletes what ended before an age", async () => {
  const world = await new ManagerWorld({ workers: 2 }).started();
  const old = await world.schedule();
  world.executor.last.ok();
  await world.clock.advance(600_000);
  const young = await world.schedule();
  world.executor.last.ok();
  await world.clock.settle();
  const { id } = await world.schedule("system.history.cleaner", { arguments: ["5m"] });
  const { state, resultsJson } = await world.get(id);
  assert.deepEqual([state, resultsJson], ["completed", "[1]"]);
  assert.equal(await world.get(old.id), null);
  assert.equal((await world.get(young.id)).state, "completed");
});

test("system.log.cleaner deletes lines only", async () => {
  const world = await new ManagerWorld({ workers: 2 }).started();
  const { id } = await world.schedule();
  world.executor.last.log("line");
  world.executor.last.ok();
  await world.clock.advance(1_000);
  const cleaner = await world.schedule("system.log.cleaner", { arguments: ["0"] });
  assert.equal((await world.get(cleaner.id)).state, "completed");
  assert.deepEqual(await world.logOf(id), []);
  assert.equal((await world.get(id)).state, "completed");
});

test("system.history.cleaner fails with what it could not read", async () => {
  const world = await new ManagerWorld().started();
  const { id } = await world.schedule("system.history.cleaner", { arguments: ["yesterday"] });
  const { state, error } = await world.get(id);
  assert.equal(state, "terminated");
  assert.match(error!.message, /"yesterday"/);
});

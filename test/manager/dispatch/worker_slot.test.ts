import assert from "node:assert/strict";
import test from "node:test";
import { jobOf, ManagerWorld } from "../../support/worlds/manager_world.ts";

const MINUTE = 60_000;

function worldOf(workers: number): Promise<ManagerWorld> {
  const jobs = [jobOf("work"), jobOf("beside", { options: { workerSlot: false } })];
  return new ManagerWorld({ jobs, workers }).started();
}

function kindsOf(world: ManagerWorld): readonly string[] {
  return world.executor.attempts.map(({ instance }) => instance.kind);
}

test("an attempt without a worker slot runs when all workers are busy, and takes none", async () => {
  const world = await worldOf(1);
  for (const kind of ["beside", "beside", "work", "work", "beside"]) await world.schedule(kind);
  assert.deepEqual(kindsOf(world), ["beside", "beside", "work", "beside"]);
  assert.equal(world.manager.workers().busy, 1);
  // Also what is due later, while all workers stay busy.
  await world.of(world.manager.scheduleJob("beside", { afterMs: MINUTE }));
  await world.clock.advance(MINUTE);
  assert.equal(kindsOf(world).filter((kind) => kind === "beside").length, 4);
  // The end of one that took no worker frees none.
  world.executor.attempts[0]!.ok();
  await world.clock.settle();
  assert.equal(kindsOf(world).filter((kind) => kind === "work").length, 1);
  world.executor.attempts[2]!.ok();
  await world.clock.settle();
  assert.equal(kindsOf(world).at(-1), "work");
});

test("attempts without a worker slot are claimed together, however few workers are free", async () => {
  const world = await worldOf(2);
  const before = world.link.count("claim");
  const kinds = ["work", ...Array.from({ length: 100 }, () => "beside"), "work", "work"];
  await world.of(world.manager.scheduleJobs(kinds.map((kind) => ({ kind }))));
  await world.clock.settle();
  assert.equal(kindsOf(world).filter((kind) => kind === "beside").length, 100);
  assert.equal(kindsOf(world).filter((kind) => kind === "work").length, 2);
  // Of each sort once, and once more since both workers were taken.
  assert.ok(world.link.count("claim") - before <= 3, `${world.link.count("claim") - before}`);
});

test("at most 1,000 attempts run beside the workers, and the others wait for them", async () => {
  const world = await worldOf(2);
  for (const length of [1_000, 10]) {
    const requests = Array.from({ length }, () => ({ kind: "beside" }));
    await world.of(world.manager.scheduleJobs(requests));
  }
  await world.clock.settle();
  assert.equal(world.executor.attempts.length, 1_000);
  // They are no reason to wait for others.
  await world.schedule("work");
  assert.equal(kindsOf(world).at(-1), "work");
  for (const attempt of world.executor.attempts.slice(0, 5)) attempt.ok();
  await world.clock.settle();
  assert.equal(world.executor.attempts.length, 1_006);
});

test("all workers busy for a minute while something waits is a warning that names the oldest run", async () => {
  const world = await worldOf(2);
  const first = await world.schedule("work");
  await world.clock.advance(MINUTE);
  await world.schedule("work");
  await world.clock.advance(2 * MINUTE);
  const warnings = () => world.logged.filter((line) => /workers have been busy/.test(line));
  // Nothing waits.
  assert.deepEqual([warnings(), world.manager.workers().fullMs], [[], undefined]);
  await world.schedule("work");
  await world.clock.advance(MINUTE);
  await world.clock.advance(20_000);
  assert.equal(warnings().length, 1);
  assert.match(warnings()[0]!, new RegExp(`All 2 workers.*${first.id}`));
  assert.ok(world.manager.workers().fullMs! >= MINUTE);
  await world.clock.advance(10 * MINUTE);
  assert.equal(warnings().length, 1);
  world.executor.attempts[0]!.ok();
  await world.clock.advance(MINUTE);
  assert.equal(world.manager.workers().fullMs, undefined);
  assert.ok(world.logged.some((line) => /A worker is free again/.test(line)));
});

import assert from "node:assert/strict";
import test from "node:test";
import { LEASE_MS, ManagerWorld } from "../../support/worlds/manager_world.ts";

async function problemOf(world: ManagerWorld): Promise<string | null> {
  return (await world.of(world.manager.status())).storeProblem;
}

test("a full store stays a problem while it only refuses what writes", async () => {
  const world = await new ManagerWorld({ workers: 2 }).started();
  await world.schedule();
  await world.schedule();
  world.link.cut(["settle"], "resource_exhausted");
  world.executor.attempts[0]!.ok();
  await world.clock.advance(3 * LEASE_MS);
  assert.equal(await problemOf(world), "The link is cut");
  assert.equal(world.logged.filter((line) => line.includes("responds again")).length, 0);
  world.link.mend();
  await world.clock.advance(2_000);
  assert.equal(await problemOf(world), null);
});

test("a refused log is no problem any more once the outcome is written", async () => {
  const world = await new ManagerWorld().started();
  await world.schedule();
  world.link.cut(["appendLogs"]);
  world.executor.last.log("line");
  await world.clock.advance(1_000);
  assert.equal(await problemOf(world), "The link is cut");
  world.executor.last.ok();
  await world.clock.settle();
  assert.equal(await problemOf(world), null);
});

test("an outcome that is no longer needed leaves no problem", async () => {
  const world = await new ManagerWorld().started();
  const { id } = await world.schedule();
  world.link.cut(["settle", "renew"]);
  world.executor.last.ok();
  await world.clock.advance(LEASE_MS + 5_000);
  assert.equal((await world.get(id)).crashes, 1);
  world.link.mend();
  await world.clock.advance(LEASE_MS);
  assert.equal(await problemOf(world), null);
});

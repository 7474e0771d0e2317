import assert from "node:assert/strict";
import test from "node:test";
import { ManagerWorld } from "../../support/worlds/manager_world.ts";

const STARVED = {
  type: "unstarted",
  error: { name: "WorkerError", message: "Cannot start: EMFILE" },
} as const;

/** Refuse attempts for want of a resource, for so long. */
async function starve(world: ManagerWorld, forMs: number): Promise<number> {
  const untilMs = world.clock.now().monotonicMs + forMs;
  let refused = 0;
  while (world.clock.now().monotonicMs < untilMs) {
    while (refused < world.executor.attempts.length) {
      world.executor.attempts[refused]!.end(STARVED);
      refused += 1;
      await world.clock.settle();
    }
    await world.clock.advance(50);
  }
  return refused;
}

test("dispatcher() retries an attempt that could not begin, and logs that once", async () => {
  const world = await new ManagerWorld().started();
  const { id } = await world.schedule();
  const tries = await starve(world, 3_000);
  assert.ok(tries > 3 && tries < 8, `${tries} tries`);
  await world.clock.advance(2_000);
  world.executor.last.ok("[1]");
  await world.clock.settle();
  const { state, attempt, failures, crashes } = await world.get(id);
  assert.deepEqual([state, attempt, failures, crashes], ["completed", 1, 0, 0]);
  const { items } = await world.of(world.manager.lookupInstanceLogs({ instanceId: id }));
  assert.deepEqual(items.map(({ message }) => message), [
    "Waiting to start, which is not a failure: Cannot start: EMFILE",
  ]);
});

test("dispatcher() gives one back that could not begin for long, later each time, and never fails it", async () => {
  const world = await new ManagerWorld().started();
  const { id } = await world.schedule();
  await starve(world, 18_000);
  const { state, reason, dueAt } = await world.get(id);
  assert.deepEqual([state, reason], ["scheduled", "released"]);
  const waitMs = dueAt - world.clock.now().wallMs;
  assert.ok(waitMs > 0 && waitMs <= 5_000, `${waitMs} ms`);
  await starve(world, 600_000);
  const later = await world.get(id);
  assert.deepEqual([later.failures, later.crashes], [0, 0]);
  assert.ok(later.attempt < 10, `${later.attempt} claims`);
  await world.clock.advance(300_000);
  world.executor.last.ok();
  await world.clock.settle();
  assert.equal((await world.get(id)).state, "completed");
});

test("dispatcher() cancels an attempt that waits to begin", async () => {
  const world = await new ManagerWorld().started();
  const { id } = await world.schedule();
  await starve(world, 50);
  await world.of(world.manager.cancelInstances({ ids: [id] }));
  await world.clock.settle();
  assert.equal((await world.get(id)).state, "canceled");
  const begun = world.executor.attempts.length;
  await world.clock.advance(20_000);
  assert.equal(world.executor.attempts.length, begun);
});

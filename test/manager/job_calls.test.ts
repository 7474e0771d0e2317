import assert from "node:assert/strict";
import test from "node:test";
import { isJobError } from "../../src/core/errors.ts";
import type { Instance } from "../../src/core/instance.ts";
import { jobOf, ManagerWorld } from "../support/manager_world.ts";

async function parentWorld(workers = 1): Promise<ManagerWorld> {
  const jobs = [jobOf("work", { options: { crashesMax: 9 } }), jobOf("child")];
  const world = await new ManagerWorld({ jobs, workers }).started();
  await world.of(world.manager.pause("child"));
  await world.schedule();
  return world;
}

async function call(world: ManagerWorld, method: string, ...args: unknown[]): Promise<unknown> {
  return await world.of(world.executor.last.sink.call(method, args));
}

test("scheduleJob() of a job schedules its children once although the attempt is taken over", async () => {
  const world = await parentWorld();
  const first = await call(world, "scheduleJob", "child", {}) as Instance;
  const second = await call(world, "scheduleJob", "child", {}) as Instance;
  assert.notEqual(first.id, second.id);
  world.executor.last.lose();
  await world.clock.settle();
  assert.equal(world.executor.attempts.length, 2);
  assert.equal((await call(world, "scheduleJob", "child", {}) as Instance).id, first.id);
  assert.equal((await call(world, "scheduleJob", "child", {}) as Instance).id, second.id);
  assert.equal((await world.instances()).length, 3);
});

test("scheduleJob() of a later attempt that asks for something else is accepted", async () => {
  const world = await parentWorld();
  const first = await call(world, "scheduleJob", "child", {}) as Instance;
  world.executor.last.lose();
  await world.clock.settle();
  const other = await call(world, "scheduleJob", "work", {}) as Instance;
  assert.notEqual(other.id, first.id);
  assert.equal(other.kind, "work");
});

test("a call of a job whose claim is no longer held is refused", async () => {
  const world = await parentWorld();
  const [attempt] = world.executor.attempts;
  attempt!.lose();
  await world.clock.settle();
  await assert.rejects(
    world.of(attempt!.sink.call("scheduleJob", ["child", {}])),
    (error) => isJobError(error, "stale_fence"),
  );
  assert.equal((await world.instances()).length, 1);
});

test("a job may look up, page, and cancel all of others", async () => {
  const world = await parentWorld();
  for (let index = 0; index < 3; index++) await call(world, "scheduleJob", "child", {});
  const page = await call(world, "lookupInstances", { kinds: ["child"] }, { limit: 2 });
  assert.equal((page as { items: unknown[] }).items.length, 2);
  const canceled = await call(world, "cancelInstances", { kinds: ["child"] }) as Instance[];
  assert.equal(canceled.length, 3);
  const isRefused = (error: unknown) => isJobError(error, "invalid_argument");
  await assert.rejects(call(world, "cancelInstances", {}), isRefused);
});

for (
  const [what, method, args] of [
    ["an unknown method", "stop", []],
    ["a cron expression", "scheduleJob", ["child", { cron: "* * * * *" }]],
    ["an id that is no text", "scheduleJob", ["child", { id: 7 }]],
    ["an unknown kind", "scheduleJob", ["nothing", {}]],
  ] as const
) {
  test(`a call of a job with ${what} is refused with what was wrong`, async () => {
    const world = await parentWorld();
    await assert.rejects(
      call(world, method, ...args),
      (error) =>
        isJobError(error, "unimplemented") || isJobError(error, "invalid_argument") ||
        isJobError(error, "not_found"),
    );
    assert.equal((await world.instances()).length, 1);
  });
}

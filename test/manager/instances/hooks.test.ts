import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import type { JobHook } from "../../../src/core/hooks/hook.ts";
import type { JobOptions } from "../../../src/core/job/gen/job_options.ts";
import { scopedManager } from "../../../src/manager/scoped_manager.ts";
import { idOfText } from "../../../src/platform/text_ids.ts";
import { jobOf, ManagerWorld } from "../../support/worlds/manager_world.ts";

const HOOK: JobHook = {
  ...{ form: "token", secrets: ["secret-of-the-test"], header: "authorization" },
  ...{ replayWindowMs: 1, arguments: [], conditions: [] },
};
const ID = idOfText("a delivery");

function worldOf(options: Partial<JobOptions> = {}): Promise<ManagerWorld> {
  const jobs = [{ ...jobOf("work", { options }), hook: HOOK }, jobOf("other")];
  return new ManagerWorld({ jobs }).started();
}

const codeOf = (promise: Promise<unknown>) =>
  promise.then(() => null, (error) => isJobError(error) ? error.code : "none");

test("deliver() accepts one id once, also with other arguments", async () => {
  const world = await worldOf();
  await world.of(world.manager.pause("work"));
  const send = (given: readonly unknown[], id: string | null = ID) =>
    world.of(world.manager.deliver("work", { id, arguments: given }));
  assert.deepEqual(await send([1]), { id: ID, isNew: true });
  assert.deepEqual(await send([1]), { id: ID, isNew: false });
  // As after a change of the configuration, or with another header that is not signed.
  assert.deepEqual(await send([2]), { id: ID, isNew: false });
  assert.equal((await world.get(ID)).argumentsJson, "[1]");
  const [first, second] = [await send([1], null), await send([1], null)];
  assert.ok(first.isNew && second.isNew && first.id !== second.id);
  await world.of(world.manager.stop());
});

test("no caller can take the id of a delivery before it comes", async () => {
  const world = await worldOf();
  const taken = world.manager.scheduleJob("work", { id: ID });
  assert.equal(await codeOf(world.of(taken)), "invalid_argument");
  await world.of(world.manager.stop());
});

test("deliver() refuses a job without a hook, and one that does not exist", async () => {
  const world = await worldOf();
  for (const kind of ["other", "none"]) {
    const sent = world.manager.deliver(kind, { id: ID, arguments: [] });
    assert.equal(await codeOf(world.of(sent)), "not_found");
  }
  await world.of(world.manager.stop());
});

test("deliver() returns the instance that has the place of a unique job", async () => {
  const world = await worldOf({ unique: { by: null, forMs: null, onConflict: "keep" } });
  await world.of(world.manager.pause("work"));
  const { id } = await world.schedule();
  const run = await world.of(world.manager.deliver("work", { id: ID, arguments: [] }));
  assert.deepEqual(run, { id, isNew: false });
  await world.of(world.manager.stop());
});

test("deliver() finds an earlier delivery also when the queue is full", async () => {
  const world = await worldOf({ waitingMax: 1 });
  await world.of(world.manager.pause("work"));
  const send = (id: string) => world.of(world.manager.deliver("work", { id, arguments: [] }));
  assert.equal((await send(ID)).isNew, true);
  assert.equal(await codeOf(send(idOfText("another"))), "resource_exhausted");
  assert.equal((await send(ID)).isNew, false);
  await world.of(world.manager.stop());
});

test("deliver() refuses while the manager stops, so that the sender tries again", async () => {
  const world = await worldOf();
  await world.of(world.manager.stop());
  const sent = world.manager.deliver("work", { id: ID, arguments: [] });
  assert.equal(await codeOf(world.of(sent)), "unavailable");
});

test("a caller for some jobs reads no hooks, and delivers to none", async () => {
  const world = await worldOf();
  const scoped = scopedManager(world.manager, ["work"]);
  assert.throws(() => scoped.hooks(), (error) => isJobError(error, "permission_denied"));
  const sent = scoped.deliver("work", { id: ID, arguments: [] });
  assert.equal(await codeOf(world.of(sent)), "permission_denied");
  await world.of(world.manager.stop());
});

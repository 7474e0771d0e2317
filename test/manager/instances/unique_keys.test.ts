import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import { jobOf, ManagerWorld } from "../../support/worlds/manager_world.ts";

const worldOf = async (...kinds: string[]) => {
  const world = await new ManagerWorld({ jobs: kinds.map((kind) => jobOf(kind)) }).started();
  await world.of(world.manager.pause(null));
  return world;
};

test("a caller's unique key is one of its job: other jobs are neither blocked nor known by it", async () => {
  const world = await worldOf("a", "b", "two words");
  const add = (kind: string, uniqueKey: string, args: readonly unknown[] = []) =>
    world.of(world.manager.scheduleJob(kind, { uniqueKey, arguments: args }));
  const first = await add("a", "day 1");
  assert.equal(first.uniqueKey, "a day 1");
  assert.equal((await add("a", "day 1")).id, first.id);
  const second = await add("b", "day 1", [2]);
  assert.notEqual(second.id, first.id);
  const third = await add("two words", "day 1");
  assert.notEqual(third.uniqueKey, second.uniqueKey);
  // As an instance shows it, it is the same key.
  assert.equal((await add("a", "a day 1")).id, first.id);
  // And with the kind it is found as it was given.
  for (const uniqueKey of ["day 1", "a day 1"]) {
    const { items } = await world.of(world.manager.lookupInstances({ kind: "a", uniqueKey }));
    assert.deepEqual(items.map(({ id }) => id), [first.id]);
  }
  assert.equal((await add("two words", third.uniqueKey!)).id, third.id);
  await assert.rejects(
    add("a", "day 1", [2]),
    (error) => isJobError(error, "already_exists") && !/\bb\b/.test(error.message),
  );
  const long = "x".repeat(500);
  assert.equal((await add("a", long)).id, (await add("a", long)).id);
  assert.notEqual((await add("a", long)).id, (await add("a", `${long.slice(1)}y`)).id);
  await world.of(world.manager.stop());
});

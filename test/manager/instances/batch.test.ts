import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import { jobOf, ManagerWorld } from "../../support/worlds/manager_world.ts";

const ID = "01a20ec9-4c4a-7000-9e94-b92c64a87e2f";
const OTHER = "01a20ec9-4c4a-7000-9e94-b92c64a87e30";

/** A paused manager with a waiting instance that has an id and a unique key. */
async function worldWithOne(): Promise<ManagerWorld> {
  const world = await new ManagerWorld({ jobs: [jobOf("work"), jobOf("mail")] }).started();
  await world.of(world.manager.pause(null));
  await world.schedule("work", { id: ID, uniqueKey: "k", arguments: [1] });
  return world;
}

type Requests = Parameters<ManagerWorld["manager"]["scheduleBatch"]>[0];

async function refused(world: ManagerWorld, requests: Requests, isDryRun = false) {
  const { promise, resolve } = Promise.withResolvers<readonly unknown[]>();
  const batch = world.manager.scheduleBatch(requests, { isDryRun });
  await world.of(batch.then(() => resolve([]), (error) => {
    assert.ok(isJobError(error, "already_exists"), String(error));
    resolve([error.path, /\(requests\[\d\]\)$/.exec(error.message)?.[0]]);
  }));
  return await promise;
}

test("scheduleBatch() names the request whose id or unique key is taken", async () => {
  const world = await worldWithOne();
  const good = { kind: "work", id: OTHER };
  for (
    const [taken, member] of [
      [{ kind: "work", id: ID, arguments: [2] }, "id"],
      [{ kind: "mail", id: ID, arguments: [1] }, "id"],
      [{ kind: "work", uniqueKey: "k", arguments: [2] }, "uniqueKey"],
      // By one before it in the same batch.
      [{ kind: "work", id: OTHER, arguments: [2] }, "id"],
    ] as const
  ) {
    const wanted = [`requests[1].${member}`, "(requests[1])"];
    assert.deepEqual(await refused(world, [good, taken]), wanted);
  }
  await world.of(world.manager.stop());
});

test("scheduleBatch() as a dry run counts what is there, and refuses what is taken", async () => {
  const world = await worldWithOne();
  const same = { kind: "work", id: ID, arguments: [1] };
  const requests = [{ kind: "work", id: OTHER }, same, { kind: "mail" }];
  const report = await world.of(world.manager.scheduleBatch(requests, { isDryRun: true }));
  assert.deepEqual(report, { instances: [], existing: 1 });
  const taken = { ...same, arguments: [2] };
  const wanted = ["requests[1].id", "(requests[1])"];
  assert.deepEqual(await refused(world, [requests[0]!, taken], true), wanted);
  await world.of(world.manager.stop());
});

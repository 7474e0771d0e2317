import assert from "node:assert/strict";
import test from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import type { JobDefinition } from "../../../src/core/job/job.ts";
import { scopedManager } from "../../../src/manager/scoped_manager.ts";
import { jobOf, ManagerWorld } from "../../support/worlds/manager_world.ts";

/** The keys of pings, and what they open. */

function external(kind: string, pingKey: string | null = null): JobDefinition {
  return { ...jobOf(kind), source: { type: "external", pingKey } };
}

const JOBS = [external("a"), external("b", "own-key-of-b-by-config"), jobOf("local")];

async function started(before?: ManagerWorld): Promise<ManagerWorld> {
  return await new ManagerWorld({ jobs: JOBS, ...(before ? { before } : {}) }).started();
}

test("a ping records a run of the job whose key it has", async () => {
  const world = await started();
  const { manager } = world;
  const { key, sharedKey } = await world.of(manager.pingKeys("a"));
  const ping = (key: string, kind: string | null = null) =>
    world.of(manager.ping(key, kind, { event: "success" }));
  assert.equal(await ping(key), true);
  assert.equal(await ping("own-key-of-b-by-config"), true);
  assert.equal(await ping(sharedKey, "b"), true);
  assert.deepEqual((await world.instances()).map(({ kind }) => kind), ["a", "b", "b"]);
  for (const [wrong, kind] of [[`${key}x`], [sharedKey], [key, "a"], [sharedKey, "local"]]) {
    assert.equal(await ping(wrong!, kind), false);
  }
  assert.equal(await ping(sharedKey, "none"), false);
  assert.equal((await world.instances()).length, 3);
});

test("keys of pings look like UUIDs, differ, and are the same on all nodes", async () => {
  const world = await started();
  const other = await started(world);
  const [one, two] = await world.of(
    Promise.all([world.manager.pingKeys("a"), other.manager.pingKeys("a")]),
  );
  assert.deepEqual(one, two);
  assert.match(one.key, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.notEqual(one.key, one.sharedKey);
  assert.equal((await world.of(world.manager.pingKeys("b"))).key, "own-key-of-b-by-config");
});

test("a reload changes which keys are known", async () => {
  const world = await started();
  const { key } = await world.of(world.manager.pingKeys("a"));
  const ping = (key: string) => world.of(world.manager.ping(key, null, { event: "success" }));
  assert.equal(await ping(key), true);
  const scheduleDefaults = {
    ...{ overlap: "skip", misfire: "latest", misfireWithinMs: 0, jitterMs: 0 } as const,
    timezone: "UTC",
  };
  const jobs = [external("a", "a-key-that-replaces-it")];
  await world.of(world.manager.reload({ jobs, disabled: new Map(), scheduleDefaults }));
  assert.equal(await ping(key), false);
  assert.equal(await ping("own-key-of-b-by-config"), false);
  assert.equal(await ping("a-key-that-replaces-it"), true);
});

test("keys of pings are shown for jobs elsewhere only, and to no limited caller", async () => {
  const world = await started();
  const refused = (code: "invalid_argument" | "permission_denied") => (error: unknown) =>
    isJobError(error, code);
  await assert.rejects(world.of(world.manager.pingKeys("local")), refused("invalid_argument"));
  const limited = scopedManager(world.manager, ["a"]);
  await assert.rejects(limited.pingKeys("a"), refused("permission_denied"));
  await assert.rejects(limited.ping("x", null, { event: "log" }), refused("permission_denied"));
  await assert.rejects(limited.reportRun("b", { event: "start" }), refused("permission_denied"));
  assert.equal((await world.of(limited.reportRun("a", { event: "start" })))!.kind, "a");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Block } from "../../src/core/job/limits.ts";
import { isJobError } from "../../src/core/errors.ts";
import { Scope } from "../../src/manager/scope.ts";
import { scopedManager } from "../../src/manager/scoped_manager.ts";
import { jobOf, ManagerWorld } from "../support/worlds/manager_world.ts";

function isShown(pattern: string, limit: Block["limit"], name: string): boolean {
  return new Scope([pattern]).hasBlock({ limit, name, used: 1, max: 1, opensAt: null });
}

test("Scope shows blocks of the caller's jobs, whatever else their names match", () => {
  assert.ok(isShown("shop-*", "rate", "shop-mail"));
  assert.ok(isShown("shop mail", "node", "shop mail"));
  // A queue of one of the jobs, by its arguments.
  assert.ok(isShown("shop-mail", "concurrency", 'shop-mail account="a"'));
  assert.ok(isShown("shop mail", "concurrency", 'shop%20mail account="a"'));
  assert.ok(!isShown("*shop*", "concurrency", 'mail account="shop"'));
  assert.ok(!isShown("mail *", "concurrency", 'mail account="shop"'));
  assert.ok(!isShown("shop-*", "pool", "shop-pool"));
});

test("a tag is, for a caller of some jobs, what these jobs need", async () => {
  const jobs = [
    jobOf("shop-a", { options: { needs: ["gpu"] } }),
    jobOf("shop-b", { options: { needs: ["lan"] } }),
    jobOf("payroll", { options: { needs: ["gpu", "vault"] } }),
  ];
  const world = await new ManagerWorld({ jobs }).started();
  const scoped = scopedManager(world.manager, ["shop-*"]);
  assert.deepEqual(await world.manager.kindsOfTag("gpu"), ["payroll", "shop-a"]);
  assert.deepEqual(await scoped.kindsOfTag("gpu"), ["shop-a"]);
  for (const tag of ["vault", "vaul"]) {
    await assert.rejects(scoped.kindsOfTag(tag), (error) => {
      assert.ok(isJobError(error, "not_found"));
      assert.equal(error.hint, "Tags that jobs need: gpu, lan");
      return true;
    });
  }
  await world.of(world.manager.stop());
});

test("an empty list of kinds matches nothing, for a caller of some jobs too", async () => {
  const world = await new ManagerWorld({ jobs: [jobOf("shop-a")] }).started();
  await world.of(world.manager.pause(null));
  const { id } = await world.schedule("shop-a");
  for (const api of [world.manager, scopedManager(world.manager, ["shop-*"])]) {
    const none = { kinds: [] };
    assert.deepEqual(await world.of(api.lookupInstances(none)), { items: [], nextToken: null });
    assert.deepEqual(await world.of(api.countUpTo(none, 9)), { count: 0, hasMore: false });
    assert.deepEqual(await world.of(api.cancelInstances(none, { all: true })), []);
    assert.deepEqual(await world.of(api.redriveInstances(none, { all: true })), []);
  }
  assert.equal((await world.get(id)).state, "scheduled");
  await world.of(world.manager.stop());
});

test("a batch with the id of another's instance tells a caller of some jobs nothing of it", async () => {
  const world = await new ManagerWorld({ jobs: [jobOf("shop-a"), jobOf("payroll")] }).started();
  await world.of(world.manager.pause(null));
  const { id } = await world.schedule("payroll");
  const scoped = scopedManager(world.manager, ["shop-*"]);
  await assert.rejects(world.of(scoped.scheduleBatch([{ kind: "shop-a", id }])), (error) => {
    assert.ok(isJobError(error, "already_exists"));
    const message = "Cannot schedule the batch: the id or the unique key is already in use";
    assert.equal(error.message, message);
    return true;
  });
  await world.of(world.manager.stop());
});

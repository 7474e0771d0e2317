import assert from "node:assert/strict";
import test from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import type { Instance } from "../../../src/core/instance.ts";
import { jobOf, ManagerWorld } from "../../support/worlds/manager_world.ts";

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

test("scheduleJob() and scheduleJobs() of a job give its children the parent and the flow", async () => {
  const world = await parentWorld();
  const { id } = world.executor.last.instance;
  const child = await call(world, "scheduleJob", "child", {}) as Instance;
  const [other] = await call(world, "scheduleJobs", [{ kind: "child", arguments: [1] }]) as [
    Instance,
  ];
  for (const one of [child, other]) assert.deepEqual([one.parentId, one.flowId], [id, id]);
  await world.of(world.manager.resume("child"));
  await world.clock.settle();
  world.executor.last.ok();
  const flow = await world.of(world.manager.lookupInstances({ flowId: id }));
  assert.deepEqual(flow.items.map((one) => one.id).sort(), [id, child.id, other.id].sort());
  const children = await world.of(world.manager.lookupInstances({ parentId: id }));
  assert.equal(children.items.length, 2);
});

test("a redrive keeps the parent and the flow, and the child of a child is of the first flow", async () => {
  const world = await parentWorld(2);
  const { id } = world.executor.last.instance;
  const child = await call(world, "scheduleJob", "work", {}) as Instance;
  await world.clock.settle();
  const grandchild = await call(world, "scheduleJob", "child", {}) as Instance;
  assert.deepEqual([grandchild.parentId, grandchild.flowId], [child.id, id]);
  world.executor.last.fail("no");
  await world.clock.settle();
  const again = await world.of(world.manager.retryInstance(child.id));
  assert.deepEqual([again.retryOf, again.parentId, again.flowId], [child.id, id, id]);
});

test("scheduleJob() of a later attempt knows its children in another order and with other calls between", async () => {
  const world = await parentWorld();
  const child = (args: unknown[], afterMs: number) =>
    call(world, "scheduleJob", "child", { arguments: args, afterMs }) as Promise<Instance>;
  const [first, second, third] = [
    await child(["a"], 1_000),
    await child(["b"], 1_000),
    await child(["a"], 1_000),
  ];
  world.executor.last.lose();
  await world.clock.settle();
  await call(world, "lookupInstances", {});
  assert.equal((await child(["b"], 2_000)).id, second.id);
  assert.equal((await child(["a"], 2_000)).id, first.id);
  assert.equal((await child(["a"], 2_000)).id, third.id);
  assert.equal((await world.instances()).length, 4);
  await child(["a"], 2_000);
  assert.equal((await world.instances()).length, 5);
});

test("scheduleJobs() of a job schedules all or none, and once although the attempt is taken over", async () => {
  const world = await parentWorld();
  const both = [{ kind: "child", arguments: [1] }, { kind: "child", arguments: [2], priority: 1 }];
  const first = await call(world, "scheduleJobs", both) as Instance[];
  assert.deepEqual(first.map(({ priority }) => priority), [6, 1]);
  await assert.rejects(
    call(world, "scheduleJobs", [{ kind: "child", arguments: [3] }, { kind: "nothing" }]),
    (error) => isJobError(error, "not_found"),
  );
  world.executor.last.lose();
  await world.clock.settle();
  const again = await call(world, "scheduleJobs", both) as Instance[];
  assert.deepEqual(again.map(({ id }) => id), first.map(({ id }) => id));
  assert.equal((await world.instances()).length, 3);
});

test("waitInstance() of a job returns the final instance, and null when its time is over", async () => {
  const world = await parentWorld(2);
  const child = await call(world, "scheduleJob", "child", {}) as Instance;
  const { sink } = world.executor.last;
  assert.equal(await world.of(sink.call("waitInstance", [child.id, 0])), null);
  const short = sink.call("waitInstance", [child.id, 12_000]);
  await world.clock.advance(12_000);
  assert.equal(await short, null);
  const long = sink.call("waitInstance", [child.id]);
  await world.of(world.manager.cancelInstances({ ids: [child.id] }));
  assert.equal((await world.of(long) as Instance).state, "canceled");
});

test("waitInstance() of a job ends when its attempt is no longer there", async () => {
  const world = await parentWorld();
  const child = await call(world, "scheduleJob", "child", {}) as Instance;
  const { sink } = world.executor.last;
  const waiting = assert.rejects(
    sink.call("waitInstance", [child.id]),
    (error) => isJobError(error, "stale_fence"),
  );
  world.executor.last.lose();
  await world.clock.advance(10_000);
  await waiting;
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
  const told = world.records.filter((line) => line.startsWith("info Canceled instances"));
  assert.equal(told.length, 1);
  assert.match(told[0]!, /"kind":"child".*"by":"job work"/);
  assert.equal(canceled.length, 3);
  const isRefused = (error: unknown) => isJobError(error, "invalid_argument");
  await assert.rejects(call(world, "cancelInstances", {}), isRefused);
});

test("a job neither cancels nor schedules notices", async () => {
  const world = await parentWorld();
  const kinds = ["system.notice.ops"];
  await assert.rejects(
    call(world, "cancelInstances", { kinds }),
    (error) => isJobError(error, "permission_denied"),
  );
  await assert.rejects(
    call(world, "cancelInstances", { kinds }, { mayCancelNotices: true }),
    (error) => isJobError(error, "invalid_argument"),
  );
  await assert.rejects(
    call(world, "scheduleJob", kinds[0]!, {}),
    (error) => isJobError(error, "invalid_argument"),
  );
});

for (
  const [what, method, args] of [
    ["an unknown method", "stop", []],
    ["no array of requests", "scheduleJobs", [{ kind: "child" }]],
    ["too many requests", "scheduleJobs", [Array(1_001).fill({ kind: "child" })]],
    ["a wait of no time", "waitInstance", ["01", "soon"]],
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

test("fault 54: a job that schedules without end is refused, and others go on", async () => {
  const world = await parentWorld();
  const { sink, instance } = world.executor.last;
  const callOften = (method: string, ...args: readonly unknown[]) =>
    world.of(Promise.all(Array.from({ length: 10_000 }, () => sink.call(method, args))));
  // A worker looks before each wait whether there is something to wait for.
  await callOften("waitInstance", instance.id, 0);
  await callOften("getInstance", instance.id);
  await assert.rejects(
    call(world, "scheduleJob", "child", {}),
    (error) => isJobError(error, "resource_exhausted"),
  );
  assert.equal((await world.instances()).length, 1);
  await world.schedule("child");
  assert.equal((await world.instances()).length, 2);
});

test("fault 54: a job that schedules itself in every attempt is held by its own claims", async () => {
  const world = await parentWorld();
  for (let count = 0; count < 50; count++) {
    await call(world, "scheduleJob", "work", { afterMs: 1_000 });
    world.executor.last.ok();
    await world.clock.advance(1_000);
  }
  // One after the other, never more than it asked for.
  assert.equal((await world.instances()).length, 51);
  assert.equal(world.executor.attempts.length, 51);
});

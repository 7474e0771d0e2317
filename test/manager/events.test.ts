import assert from "node:assert/strict";
import test from "node:test";
import { JOB_DEFAULTS } from "../../src/core/job/option_table.ts";
import { isJobError } from "../../src/core/errors.ts";
import type { ManagerEvent } from "../../src/manager/api.ts";
import { jobOf, LEASE_MS, ManagerWorld } from "../support/worlds/manager_world.ts";

test("subscribe() reports each state of an instance in order", async () => {
  const retry = {
    ...JOB_DEFAULTS.retry,
    max: 1,
    backoff: "fixed",
    initialMs: 0,
    capMs: 0,
    jitter: 0,
  } as const;
  const world = await new ManagerWorld({ jobs: [jobOf("work", { options: { retry } })] })
    .started();
  const states: string[] = [];
  const unsubscribe = world.manager.subscribe((event: ManagerEvent) => {
    if (event.type === "state") states.push(`${event.state} ${event.instance.attempt}`);
  });
  world.executor.onRun = (attempt) =>
    attempt.instance.attempt === 1 ? attempt.fail() : attempt.ok();
  await world.schedule();
  const expected = ["scheduled 0", "processing 1", "scheduled 1", "processing 2", "completed 2"];
  assert.deepEqual(states, expected);
  unsubscribe();
  await world.schedule();
  assert.equal(states.length, expected.length);
});

test("subscribe() continues when a listener throws", async () => {
  const world = await new ManagerWorld().started();
  const states: string[] = [];
  world.manager.subscribe(() => {
    throw new Error("listener");
  });
  world.manager.subscribe((event) => void states.push(event.type));
  world.executor.onRun = (attempt) => attempt.ok();
  const { id } = await world.schedule();
  assert.equal((await world.get(id)).state, "completed");
  assert.equal(states.length, 4);
});

test("onStateChange is called in order, one call at a time for each instance", async () => {
  const world = await new ManagerWorld({ jobs: [jobOf("work", { onStateChange: true })] })
    .started();
  let running = 0;
  world.executor.onNotify = async () => {
    running += 1;
    assert.equal(running, 1);
    await new Promise<void>((resolve) => void world.clock.timer(10, resolve));
    running -= 1;
  };
  world.executor.onRun = (attempt) => attempt.ok();
  await world.schedule();
  await world.clock.advance(100);
  const states = world.executor.notified.map(({ state }) => state);
  assert.deepEqual(states, ["scheduled", "processing", "completed"]);
});

test("onStateChange is called for an instance that was canceled while it waited", async () => {
  const jobs = [jobOf("work", { onStateChange: true })];
  const world = await new ManagerWorld({ jobs, workers: 0 }).started();
  const { id } = await world.schedule();
  await world.of(world.manager.cancelInstances({ ids: [id] }));
  assert.deepEqual(world.executor.notified.map(({ state }) => state), ["scheduled", "canceled"]);
});

test("waitInstance() returns an instance that ended before or ends later, and null if it does not in time", async () => {
  const world = await new ManagerWorld().started();
  const { id } = await world.schedule();
  assert.equal(await waited(world, id, 1_000), null);
  const ending = world.manager.waitInstance(id);
  world.executor.last.ok();
  assert.equal((await world.of(ending))?.state, "completed");
  assert.equal((await world.of(world.manager.waitInstance(id)))?.state, "completed");
});

test("waitInstance() sees a change between its listening and its looking", async () => {
  const world = await new ManagerWorld().started();
  const { id } = await world.schedule();
  const release = world.link.hold("get");
  const waiting = world.manager.waitInstance(id);
  await world.clock.settle();
  world.executor.last.ok();
  await world.clock.settle();
  release();
  assert.equal((await world.of(waiting))?.state, "completed");
});

test("cancelInstances() cancels what waits at once and aborts what runs", async () => {
  const world = await new ManagerWorld().started();
  const running = await world.schedule();
  const queued = await world.schedule();
  const canceled = world.manager.cancelInstances({ kinds: ["work"] });
  await world.clock.settle();
  assert.deepEqual(world.executor.last.aborts, ["canceled", "canceled"]);
  assert.equal((await world.get(queued.id)).state, "canceled");
  world.executor.last.aborted("canceled");
  const states = (await world.of(canceled)).map(({ id, state }) => [id, state]);
  assert.deepEqual(states, [[running.id, "canceled"], [queued.id, "canceled"]]);
});

test("cancelInstances() reaches an instance whose claim is in flight", async () => {
  const world = await new ManagerWorld().started();
  const release = world.link.hold("claim");
  const { id } = await world.schedule();
  void world.manager.cancelInstances({ ids: [id] });
  await world.clock.settle();
  release();
  await world.clock.advance(LEASE_MS);
  assert.ok(world.executor.last.aborts.includes("canceled"));
  // The outcome of the attempt no longer counts.
  world.executor.last.ok();
  await world.clock.settle();
  assert.equal((await world.get(id)).state, "canceled");
});

test("cancelInstances() leaves what does not match, and refuses to guess", async () => {
  const world = await new ManagerWorld({ jobs: [jobOf("work"), jobOf("other")], workers: 2 })
    .started();
  await world.schedule();
  await world.schedule("other");
  const [work, other] = world.executor.attempts;
  void world.manager.cancelInstances({ kinds: ["work"] });
  await world.clock.settle();
  assert.ok(work!.aborts.length > 0);
  assert.deepEqual(other!.aborts, []);
  const isRefused = (error: unknown) => isJobError(error, "invalid_argument");
  await assert.rejects(world.of(world.manager.cancelInstances({})), isRefused);
});

async function waited(world: ManagerWorld, id: string, timeoutMs: number) {
  const waiting = world.manager.waitInstance(id, timeoutMs);
  await world.clock.advance(timeoutMs);
  return await waiting;
}

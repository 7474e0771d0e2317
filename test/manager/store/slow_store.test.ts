import assert from "node:assert/strict";
import test from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import type { ManagerApi } from "../../../src/manager/api.ts";
import { answerInTime } from "../../../src/manager/answer_in_time.ts";
import { METHOD_RULES } from "../../../src/rpc/gen/method_rules.ts";
import { sleep } from "../../../src/platform/clock.ts";
import { LEASE_MS, ManagerWorld } from "../../support/worlds/manager_world.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

const STORE = { location: "etcd://h", times: METHOD_RULES };

test("fault 20: a claim whose answer is late runs while it can be renewed in time, and is given back after", async () => {
  for (const [lateMs, isRun] of [[LEASE_MS * 0.44, true], [LEASE_MS * 0.46, false]] as const) {
    const world = await new ManagerWorld().started();
    const answer = world.link.hold("claim");
    const { id } = await world.schedule();
    await world.clock.advance(lateMs);
    const again = world.link.count("claim");
    answer();
    world.link.cut(["claim"]);
    await world.clock.settle();
    assert.equal(again, 2);
    assert.equal(world.executor.attempts.length, isRun ? 1 : 0);
    const { state, crashes } = await world.get(id);
    assert.deepEqual([state, crashes], [isRun ? "processing" : "scheduled", 0]);
  }
});

test("fault 20: a renewal whose answer is late is followed by another at once", async () => {
  for (const [lateMs, count] of [[LEASE_MS * 0.16, 1], [LEASE_MS * 0.17, 2]] as const) {
    const world = await new ManagerWorld().started();
    await world.schedule();
    const answer = world.link.hold("renew");
    await world.clock.advance(LEASE_MS / 3);
    await world.clock.advance(lateMs);
    assert.equal(world.link.count("renew"), 1);
    answer();
    await world.clock.settle();
    assert.equal(world.link.count("renew"), count);
  }
});

test("fault 20: a drain waits ten seconds for the answer to a claim", async () => {
  const world = await new ManagerWorld().started();
  world.link.hold("claim");
  await world.schedule();
  let isDrained = false;
  const stopping = world.manager.stop({ drainMs: 0 }).then(() => isDrained = true);
  await world.clock.advance(9_900);
  assert.equal(isDrained, false);
  await world.clock.advance(200);
  await stopping;
});

test("fault 18: answerInTime() refuses a request after 4 s without a response of the store; then sooner until it responds", async () => {
  const clock = new SimClock();
  const late = (ms: number) => sleep(clock, ms).then(() => [] as never);
  const manager = answerInTime(
    { listPauses: () => late(3_999), listNodes: () => late(4_001) } as unknown as ManagerApi,
    clock,
    STORE,
  );
  const answers = Promise.allSettled([manager.listPauses(), manager.listNodes()]);
  await clock.advance(4_000);
  const [soon, later] = await answers;
  assert.equal(soon.status, "fulfilled");
  assert.ok(later.status === "rejected" && isJobError(later.reason, "unavailable"));
  assert.match(later.reason.hint ?? "", /same UUID/);
  const again = assert.rejects(manager.listNodes(), /within 500 ms/);
  await clock.advance(500);
  await again;
  await clock.advance(4_000);
  const back = manager.listPauses();
  await clock.advance(3_999);
  await back;
});

test("answerInTime() limits what asks for one instance, and nothing that takes its time", async () => {
  const clock = new SimClock();
  const late = () => sleep(clock, 5_000).then(() => 1 as never);
  const given = { workers: () => 2, waitInstance: late, cancelInstances: late, scheduleJob: late };
  const manager = answerInTime(given as unknown as ManagerApi, clock, STORE);
  assert.equal(manager.workers(), 2);
  const answers = Promise.allSettled([
    manager.waitInstance("a"),
    manager.cancelInstances({ kinds: ["a"] }),
    manager.cancelInstances({ ids: ["a"] }),
    manager.scheduleJob("a"),
  ]);
  await clock.advance(5_000);
  assert.deepEqual((await answers).map(({ status }) => status), [
    "fulfilled",
    "fulfilled",
    "rejected",
    "rejected",
  ]);
});

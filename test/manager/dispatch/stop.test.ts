import assert from "node:assert/strict";
import test from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import { jobOf, LEASE_MS, ManagerWorld } from "../../support/worlds/manager_world.ts";

test("stop() gives back what a claim in flight still brings", async () => {
  const world = await new ManagerWorld().started();
  const release = world.link.hold("claim");
  const { id, dueAt } = await world.schedule();
  const stopped = world.manager.stop();
  await world.clock.advance(1_000);
  release();
  await world.of(stopped);
  assert.equal(world.executor.attempts.length, 0);
  await world.of(world.store.open({ at: world.clock.now(), node: "next" }));
  const given = await world.get(id);
  const { state, crashes, attempt, processedAt } = given;
  assert.deepEqual([state, crashes, attempt, processedAt], ["scheduled", 0, 0, null]);
  assert.equal(given.dueAt, dueAt);
});

test("stop() in the turn of a claim leaves no claim behind", async () => {
  const world = await new ManagerWorld().started();
  const scheduled = world.manager.scheduleJob("work");
  const stopped = world.manager.stop();
  await world.of(stopped);
  const { id } = await scheduled;
  await world.of(world.store.open({ at: world.clock.now(), node: "next" }));
  const { state, crashes } = await world.get(id);
  assert.deepEqual([state, crashes], ["scheduled", 0]);
});

test("stop() lets attempts finish, then aborts and gives back the rest", async () => {
  const world = await new ManagerWorld({ workers: 2 }).started();
  const quick = await world.schedule();
  const slow = await world.schedule();
  const stopped = world.manager.stop();
  world.executor.attempts[0]!.ok();
  await world.clock.advance(4_999);
  assert.deepEqual(world.executor.attempts[1]!.aborts, []);
  await world.clock.advance(1);
  assert.deepEqual(world.executor.attempts[1]!.aborts, ["drain"]);
  world.executor.attempts[1]!.aborted("drain");
  await world.of(stopped);
  await world.of(world.store.open({ at: world.clock.now(), node: "next" }));
  assert.equal((await world.get(quick.id)).state, "completed");
  const { state, reason, failures, crashes } = await world.get(slow.id);
  assert.deepEqual([state, reason, failures, crashes], ["scheduled", "released", 0, 0]);
});

test("stop() counts no attempt of what the executor gives back unstarted", async () => {
  const world = await new ManagerWorld({ workers: 2 }).started();
  const ids: string[] = [];
  for (let count = 0; count < 2; count++) ids.push((await world.schedule()).id);
  const dues = (await world.instances()).map(({ dueAt }) => dueAt);
  await world.clock.advance(1_000);
  const stopped = world.manager.stop({ drainMs: 0 });
  await world.clock.settle();
  const [unstarted, begun] = world.executor.attempts;
  const error = { name: "Error", message: "drain" };
  unstarted!.end({ type: "aborted", cause: "drain", error, isUnstarted: true });
  begun!.aborted("drain");
  await world.of(stopped);
  await world.of(world.store.open({ at: world.clock.now(), node: "next" }));
  const [first, second] = [await world.get(ids[0]!), await world.get(ids[1]!)];
  assert.deepEqual([first.attempt, first.reason, first.dueAt], [0, "released", dues[0]]);
  assert.deepEqual([second.attempt, second.reason], [1, "released"]);
  assert.ok(second.dueAt > dues[1]!);
});

test("stop() aborts at once when it is called a second time", async () => {
  const world = await new ManagerWorld().started();
  await world.schedule();
  const stopped = world.manager.stop();
  await world.clock.settle();
  world.manager.stopControl.abort();
  assert.deepEqual(world.executor.last.aborts, ["drain"]);
  world.executor.last.aborted("drain");
  await world.of(stopped);
});

test("stop() ends although the store takes no outcome any more", async () => {
  const world = await new ManagerWorld().started();
  const { id } = await world.schedule();
  world.link.cut(["settle", "claim", "renew"], "resource_exhausted");
  world.executor.last.ok();
  await world.clock.settle();
  const stopped = world.manager.stop();
  await world.clock.advance(60_000);
  await world.of(stopped);
  assert.equal(world.clock.nextTimerMs(), null);
  // The next opening takes it back as it does after a crash.
  world.link.mend();
  const { recovered } = await world.of(world.store.open({ at: world.clock.now(), node: "next" }));
  assert.deepEqual(recovered.map((instance) => instance.id), [id]);
});

test("stop() ends although a state handler never does", async () => {
  const world = await new ManagerWorld({ jobs: [jobOf("work", { onStateChange: true })] })
    .started();
  world.executor.onNotify = () => new Promise(() => {});
  world.executor.onRun = (attempt) => attempt.ok();
  await world.schedule();
  const stopped = world.manager.stop();
  await world.clock.advance(60_000);
  await world.of(stopped);
});

test("stop() called twice stops once", async () => {
  const world = await new ManagerWorld().started();
  await world.of(Promise.all([world.manager.stop(), world.manager.stop()]));
  await world.of(world.manager.stop());
  assert.equal(world.link.count("close"), 1);
});

test("stop() leaves no timer", async () => {
  const world = await new ManagerWorld().started();
  await world.of(world.manager.scheduleRecurring("work", { cron: "* * * * *" }));
  await world.schedule("work", { afterMs: 10_000 });
  world.link.cut(["dueSchedules", "claim"]);
  await world.clock.advance(60_500);
  await world.of(world.manager.stop());
  assert.equal(world.clock.nextTimerMs(), null);
});

test("stop() ends those who wait for an instance", async () => {
  const world = await new ManagerWorld().started();
  const { id } = await world.schedule("work", { afterMs: 10_000 });
  const waited = world.manager.waitInstance(id).catch((error: unknown) => error);
  await world.clock.settle();
  await world.of(world.manager.stop());
  assert.ok(isJobError(await waited, "unavailable"));
});

test("start() works again after a stop", async () => {
  const world = await new ManagerWorld().started();
  await world.of(world.manager.stop());
  await world.started();
  await world.schedule();
  assert.equal(world.executor.attempts.length, 1);
});

test("start() is refused while the manager runs", async () => {
  const world = await new ManagerWorld().started();
  await assert.rejects(world.of(world.manager.start()), (error) => isJobError(error, "conflict"));
});

test("start() may be tried again when the store refused", async () => {
  const world = new ManagerWorld();
  world.link.cut(["listSchedules"]);
  await assert.rejects(
    world.of(world.manager.start()),
    (error) => isJobError(error, "unavailable"),
  );
  world.link.mend();
  await world.started();
  await world.schedule();
  assert.equal(world.executor.attempts.length, 1);
});

test("start() right after a stop leaves one rhythm of renewals and of cleaning", async () => {
  const world = await new ManagerWorld().started();
  for (const method of ["renew", "reap"]) {
    await world.schedule();
    const release = world.link.hold(method);
    await world.clock.advance(LEASE_MS / 3);
    world.executor.last.ok();
    await world.of(world.manager.stop());
    await world.started();
    release();
    await world.clock.settle();
  }
  await world.schedule();
  const before = { renew: world.link.count("renew"), reap: world.link.count("reap") };
  await world.clock.advance(LEASE_MS * 4);
  assert.ok(world.link.count("renew") - before.renew <= 12);
  assert.ok(world.link.count("reap") - before.reap <= 30);
});

for (
  const [onDrain, hasBegun, expected, onCrash] of [
    ["retry", true, ["scheduled", "released"], "terminate"],
    ["terminate", true, ["terminated", "drained"], "retry"],
    ["terminate", false, ["scheduled", "released"], "retry"],
    // An instance that must not run twice does not because of a planned stop either.
    [undefined, true, ["terminated", "drained"], "terminate"],
    [undefined, false, ["scheduled", "released"], "terminate"],
    [undefined, true, ["scheduled", "released"], "retry"],
  ] as const
) {
  const what = hasBegun ? "ended an attempt" : "came before its job code had begun";
  const keys = `on_drain = "${onDrain}", on_crash = "${onCrash}"`;
  test(`${keys} makes an instance ${expected[0]} when a stop ${what}`, async () => {
    const options = { onCrash, ...(onDrain === undefined ? {} : { onDrain }) };
    const world = await new ManagerWorld({ jobs: [jobOf("work", { options })] }).started();
    const { id } = await world.schedule();
    const stopped = world.manager.stop();
    await world.clock.advance(5_000);
    const error = { name: "AbortError", message: "stopped" };
    world.executor.last.end({ type: "aborted", cause: "drain", error, isUnstarted: !hasBegun });
    await world.of(stopped);
    await world.of(world.store.open({ at: world.clock.now(), node: "next" }));
    const { state, reason, failures } = await world.get(id);
    assert.deepEqual([state, reason, failures], [...expected, 0]);
  });
}

test("stop() gives the attempts of a job its own drain time, and stop({ drainMs }) all the same", async () => {
  const jobs = [jobOf("work"), jobOf("long", { options: { drainMs: 60_000 } })];
  for (
    const [drainMs, abortsAt] of [[undefined, [5_000, 60_000]], [7_000, [7_000, 7_000]]] as const
  ) {
    const world = await new ManagerWorld({ jobs, workers: 2 }).started();
    await world.schedule("work");
    await world.schedule("long");
    const stopped = world.manager.stop(drainMs === undefined ? {} : { drainMs });
    let nowMs = 0;
    for (const [index, atMs] of abortsAt.entries()) {
      const attempt = world.executor.attempts[index]!;
      if (atMs > nowMs) {
        await world.clock.advance(atMs - nowMs - 1);
        assert.deepEqual(attempt.aborts, []);
        await world.clock.advance(1);
      }
      nowMs = atMs;
      assert.deepEqual(attempt.aborts, ["drain"]);
    }
    for (const attempt of world.executor.attempts) attempt.aborted("drain");
    await world.of(stopped);
  }
});

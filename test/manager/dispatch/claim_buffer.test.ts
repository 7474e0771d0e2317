import assert from "node:assert/strict";
import test from "node:test";
import { ClaimBuffer } from "../../../src/manager/dispatch/claim_buffer.ts";
import { ManagerWorld, type ScriptedAttempt } from "../../support/worlds/manager_world.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

const WORKERS = 2;

/** A manager with much to do, whose attempts have taken half a millisecond each so far. */
async function hurried() {
  const world = await new ManagerWorld({ workers: 0 }).started();
  const ids: string[] = [];
  for (let index = 0; index < 100; index++) ids.push((await world.schedule()).id);
  const running = new Set<ScriptedAttempt>();
  let most = 0;
  world.executor.onRun = (attempt) => {
    running.add(attempt);
    most = Math.max(most, running.size);
  };
  await world.of(world.manager.resizeWorkers(WORKERS));
  const endRunning = () => {
    for (const attempt of [...running]) {
      running.delete(attempt);
      attempt.ok();
    }
  };
  for (let step = 0; step < 10; step++) {
    await world.clock.advance(0.5);
    endRunning();
  }
  await world.clock.settle();
  const idsIn = async (state: string) => {
    const all = await Promise.all(ids.map((id) => world.get(id)));
    return all.filter((instance) => instance.state === state).map(({ id }) => id);
  };
  const waiting = async () => {
    const begun = new Set(world.executor.attempts.map(({ instance }) => instance.id));
    return (await idsIn("processing")).filter((id) => !begun.has(id));
  };
  return { world, ids, idsIn, waiting, endRunning, most: () => most };
}

test("dispatcher() claims ahead while attempts are short, and begins no more than there are workers", async () => {
  const { world, ids, idsIn, waiting, endRunning, most } = await hurried();
  const ahead = (await waiting()).length;
  assert.ok(ahead > WORKERS && ahead <= 16, `${ahead} ahead`);
  for (let step = 0; step < 60; step++) {
    await world.clock.advance(0.5);
    endRunning();
  }
  await world.clock.advance(10);
  assert.deepEqual(await idsIn("completed"), ids);
  assert.equal(world.executor.attempts.length, ids.length);
  assert.equal(most(), WORKERS);
});

test("dispatcher() settles and claims many at once while it claims ahead", async () => {
  const { world, endRunning } = await hurried();
  const settles = world.link.count("settle");
  for (let step = 0; step < 10; step++) {
    await world.clock.advance(0.5);
    endRunning();
  }
  await world.clock.settle();
  const count = world.link.count("settle") - settles;
  assert.ok(count > 0 && count <= 5, `${count} settlements of 20 attempts`);
});

test("dispatcher() gives back what it claimed ahead when attempts take longer", async () => {
  const { world, waiting, idsIn } = await hurried();
  await world.clock.advance(20);
  assert.ok((await waiting()).length > 0);
  await world.clock.advance(5);
  assert.deepEqual(await waiting(), []);
  assert.equal((await idsIn("processing")).length, WORKERS);
});

test("dispatcher() gives back all that it claimed ahead, so that the first of them begin first", async () => {
  const { world, ids, waiting, idsIn, endRunning } = await hurried();
  // What has ended is sent, and more is claimed.
  await world.clock.advance(5);
  const ahead = await waiting();
  let left = ahead;
  for (let step = 0; step < 100 && left.length === ahead.length; step++) {
    await world.clock.advance(0.25);
    left = await waiting();
  }
  assert.deepEqual([ahead.length > WORKERS, left], [true, []]);
  const count = world.executor.attempts.length;
  for (let step = 0; step < 500 && (await idsIn("completed")).length < ids.length; step++) {
    await world.clock.advance(0.5);
    endRunning();
  }
  const later = world.executor.attempts.slice(count).map(({ instance }) => instance.id);
  assert.deepEqual(later, later.toSorted());
});

test("dispatcher() begins an urgent instance before those that it claimed ahead", async () => {
  const { world, waiting, endRunning } = await hurried();
  const { attempts } = world.executor;
  const { id } = await world.schedule("work", { priority: 0 });
  for (let step = 0; step < 10 && (await world.get(id)).state === "scheduled"; step++) {
    await world.clock.advance(0.5);
    endRunning();
  }
  endRunning();
  await world.clock.settle();
  assert.ok((await waiting()).length > WORKERS);
  assert.ok(attempts.some(({ instance }) => instance.id === id));
});

test("cancelInstances() ends what was claimed ahead without running it", async () => {
  const { world, waiting } = await hurried();
  const [id] = await waiting();
  const canceled = world.manager.cancelInstances({ ids: [id!] });
  await world.clock.advance(3);
  await canceled;
  assert.equal((await world.get(id!)).state, "canceled");
  assert.ok(world.executor.attempts.every(({ instance }) => instance.id !== id));
});

test("a drain gives back what was claimed ahead", async () => {
  const { world, waiting, endRunning } = await hurried();
  const [id] = await waiting();
  const stopping = world.of(world.manager.stop());
  endRunning();
  await stopping;
  await world.of(world.store.open({ at: world.clock.now(), node: "next" }));
  const { state, crashes } = await world.get(id!);
  assert.deepEqual([state, crashes], ["scheduled", 0]);
});

test("dispatcher() asks for the next claims before it begins those that workers waited for", async () => {
  const { world, waiting, endRunning } = await hurried();
  const release = world.link.hold("claim");
  for (let step = 0; step < 20; step++) {
    await world.clock.advance(0.5);
    endRunning();
  }
  const claims = world.link.count("claim");
  const claimsAtStart: number[] = [];
  world.executor.onRun = () => void claimsAtStart.push(world.link.count("claim"));
  release();
  const releaseNext = world.link.hold("claim");
  await world.clock.settle();
  assert.deepEqual(claimsAtStart, Array.from({ length: WORKERS }, () => claims + 1));
  assert.ok((await waiting()).length > 0);
  releaseNext();
  await world.clock.settle();
});

test("ClaimBuffer.arrived() asks for twice as many when workers had to wait for what arrived, else for none", async () => {
  const clock = new SimClock();
  const ahead = new ClaimBuffer(clock, () => {});
  const endSome = async () => {
    for (let count = 0; count < 20; count++) {
      await clock.advance(0.25);
      ahead.ended();
    }
    ahead.idle();
  };
  await endSome();
  assert.equal(ahead.most, 16);
  await clock.advance(0.1);
  assert.equal(ahead.arrived(), 0);
  ahead.began();
  await endSome();
  await clock.advance(0.3);
  assert.equal(ahead.arrived(), 2 * ahead.most);
});

test("dispatcher() gives the executor more where what it has waits there, up to a limit, and counts only what runs", async () => {
  const world = await new ManagerWorld({ workers: 0 }).started();
  for (let index = 0; index < 100; index++) await world.schedule();
  const running = new Set<ScriptedAttempt>();
  world.executor.onRun = (attempt) => {
    running.add(attempt);
    // All but one of them.
    world.executor.waiting = running.size - 1;
  };
  await world.of(world.manager.resizeWorkers(WORKERS));
  for (let step = 0; step < 40; step++) {
    const [first] = running;
    running.delete(first!);
    world.executor.waiting = Math.max(0, running.size - 1);
    first!.ok();
    await world.clock.advance(0.25);
  }
  assert.ok(running.size > WORKERS && running.size <= 65, String(running.size));
  assert.equal((await world.of(world.manager.status())).workers.busy, 1);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { RecordedChannel } from "../../support/notices/recorded_channel.ts";
import { jobOf, ManagerWorld } from "../../support/worlds/manager_world.ts";
import { expectingJob } from "./watcher_world.ts";

const MINUTE = 60_000;

test("a channel is told that a run takes too long while it runs, and when it recovers", async () => {
  const ops = new RecordedChannel("ops");
  const jobs = [expectingJob("work", { maxDurationMs: 5 * MINUTE })];
  const world = await new ManagerWorld({ jobs, channels: [ops] }).started();
  await world.schedule();
  await world.clock.advance(5 * MINUTE - 1);
  assert.deepEqual(ops.told, []);
  await world.clock.advance(1_000);
  assert.deepEqual(ops.told, ["long work"]);
  world.executor.last.ok();
  await world.clock.advance(1_000);
  assert.deepEqual(ops.told, ["long work", "recovered work"]);
});

test("a success that took too little is no recovery", async () => {
  const ops = new RecordedChannel("ops");
  const jobs = [expectingJob("work", { minDurationMs: MINUTE })];
  const world = await new ManagerWorld({ jobs, channels: [ops] }).started();
  for (const tookMs of [MINUTE - 1, MINUTE - 1, MINUTE]) {
    await world.schedule();
    await world.clock.advance(tookMs);
    world.executor.last.ok();
    await world.clock.advance(1_000);
  }
  assert.deepEqual(ops.told, ["short work", "recovered work"]);
});

test("a reload begins and ends to watch what jobs expect", async () => {
  const world = await new ManagerWorld({ jobs: [jobOf("work")] }).started();
  const scheduleDefaults = {
    ...{ overlap: "skip", misfire: "latest", misfireWithinMs: 0, jitterMs: 0 } as const,
    timezone: "UTC",
  };
  const reload = async (maxDurationMs: number) => {
    const jobs = [expectingJob("work", { maxDurationMs })];
    await world.of(
      world.manager.reload({ jobs, disabled: new Map(), scheduleDefaults, channels: [] }),
    );
  };
  await world.schedule();
  await reload(5 * MINUTE);
  await world.clock.advance(6 * MINUTE);
  const open = async () => (await world.of(world.manager.listIncidents({}))).items.length;
  assert.equal(await open(), 1);
  world.executor.last.ok();
  await world.clock.advance(MINUTE);
  assert.equal(await open(), 0);
  await reload(0);
  const before = world.link.count("stats");
  await world.schedule();
  await world.clock.advance(10 * MINUTE);
  assert.equal(world.link.count("stats"), before);
});

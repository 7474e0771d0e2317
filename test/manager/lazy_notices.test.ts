import assert from "node:assert/strict";
import { test } from "node:test";
import type { LazyNotices } from "../../src/manager/notices/lazy_notices.ts";
import type { ManagerParts } from "../../src/manager/manager_parts.ts";
import { expecting } from "../notices/expectations/watcher_world.ts";
import { RecordedChannel } from "../support/notices/recorded_channel.ts";
import { jobOf, ManagerWorld } from "../support/worlds/manager_world.ts";

const HOUR = 3_600_000;

function noticesOf({ manager }: ManagerWorld): LazyNotices {
  return (Reflect.get(manager, "parts") as ManagerParts).notices;
}

/** What a reload of a configuration with these channels applies. */
function projectWith(channels: readonly RecordedChannel[]) {
  const scheduleDefaults = {
    ...{ overlap: "skip", misfire: "latest", misfireWithinMs: 0, jitterMs: 0 } as const,
    timezone: "UTC",
  };
  return { jobs: [jobOf("work")], disabled: new Map(), scheduleDefaults, channels };
}

test("a manager without channels and expectations does not load what notifies people", async () => {
  const world = await new ManagerWorld().started();
  await world.of(world.manager.scheduleJob("work"));
  world.executor.last.fail();
  await world.clock.advance(2 * HOUR);
  await world.of(world.manager.reload(projectWith([])));
  assert.equal(noticesOf(world).parts, null);
  await world.of(world.manager.stop());
});

test("a reload with the first channel loads it, and failures are notified from then on", async () => {
  const world = await new ManagerWorld().started();
  const ops = new RecordedChannel("ops");
  await world.of(world.manager.reload(projectWith([ops])));
  assert.notEqual(noticesOf(world).parts, null);
  assert.deepEqual(world.manager.listChannels().map(({ name }) => name), ["ops"]);
  await world.of(world.manager.scheduleJob("work"));
  world.executor.last.fail();
  await world.clock.advance(1_000);
  assert.deepEqual(ops.told, ["failed work"]);
});

test("a job that is added with expectations loads it, and its incident opens", async () => {
  const world = await new ManagerWorld({ jobs: [] }).started();
  world.manager.addJob(jobOf("work", { options: expecting({ maxDurationMs: 60_000 }) }));
  await world.clock.settle();
  await world.of(world.manager.scheduleJob("work"));
  await world.clock.advance(2 * 60_000);
  const { items } = await world.of(world.manager.listIncidents({}));
  assert.deepEqual(items.map(({ subject, events }) => [subject.name, events]), [
    ["work", ["long"]],
  ]);
});

test("a start without the channels of before asks for no news any more", async () => {
  const world = await new ManagerWorld({ channels: [new RecordedChannel("ops")] }).started();
  const watchers = async () =>
    (await world.of(world.store.listMemos({ prefix: "watcher:", after: null, limit: 10 }))).length;
  assert.equal(await watchers(), 1);
  await world.of(world.manager.stop());
  await new ManagerWorld({ before: world, node: "node" }).started();
  assert.equal(await watchers(), 0);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { RecordedChannel } from "../support/notices/recorded_channel.ts";
import { jobOf, ManagerWorld } from "../support/worlds/manager_world.ts";

test("a channel is told of the first failure and of the recovery, once each", async () => {
  const ops = new RecordedChannel("ops");
  const world = new ManagerWorld({ jobs: [jobOf("work")], channels: [ops] });
  await world.of(world.manager.start());
  for (const outcome of ["fail", "fail", "ok", "ok", "fail"] as const) {
    await world.of(world.manager.scheduleJob("work"));
    world.executor.last[outcome]();
    await world.clock.advance(1_000);
  }
  assert.deepEqual(ops.told, ["failed work", "recovered work", "failed work"]);
  assert.equal(ops.delivered[0]!.title, "work failed: failed");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { NOTICE_LIMIT } from "../../../src/core/notices/settings.ts";
import { jobOf } from "../../support/worlds/manager_world.ts";
import { RecordedChannel } from "../../support/notices/recorded_channel.ts";
import { StoryWorld } from "../../support/notices/story_world.ts";

test("a job that fails and recovers 200 times sends 100 notices and one of all others", async () => {
  const world = await StoryWorld.started();
  for (let times = 0; times < 200; times++) await world.run("work", "fail ok");
  assert.equal(world.told.ops!.length, NOTICE_LIMIT.most);
  await world.advance("10m");
  assert.deepEqual(world.told.ops!.slice(NOTICE_LIMIT.most), [
    "digest: failed work x150, recovered work x150",
  ]);
  // Then each is told by itself again.
  await world.run("work", "fail ok");
  await world.advance("1m");
  assert.deepEqual(world.told.ops!.slice(NOTICE_LIMIT.most + 1), ["failed work", "recovered work"]);
  await world.close();
});

test("a channel sends as many notices as its limit allows, and counts the others in one", async () => {
  const limit = { most: 2, perMs: 60_000 };
  const ops = new RecordedChannel("ops", { limit });
  const world = await StoryWorld.started({ channels: [ops, new RecordedChannel("all")] });
  await world.run("work", "fail ok fail ok fail ok");
  assert.deepEqual(world.told.ops, ["failed work", "recovered work"]);
  assert.equal(world.told.all!.length, 6);
  await world.advance("1m");
  assert.deepEqual(world.told.ops!.slice(2), ["digest: failed work x2, recovered work x2"]);
  const { title, facts } = ops.delivered[2]!;
  assert.match(title, /^Over the limit of notices: work failed 2 times, and 2 more events$/);
  assert.deepEqual(facts, ["4 events: failed 2, recovered 2"]);
  // A reload with a higher limit applies to the window that has begun.
  await world.run("work", "fail ok");
  await world.reload({ channels: [new RecordedChannel("ops", { limit: { ...limit, most: 4 } })] });
  await world.run("work", "fail ok");
  assert.deepEqual(world.told.ops, ["failed work", "recovered work"]);
  await world.close();
});

test("a channel that hangs delays no notice of another one", async () => {
  const slow = new RecordedChannel("slow", { jobs: ["bulk-*"] });
  slow.isHanging = true;
  const many = Array.from({ length: 1_200 }, (_, index) => jobOf(`bulk-${index}`));
  const world = await StoryWorld.started({
    jobs: [jobOf("work"), ...many],
    channels: [slow, new RecordedChannel("quick", { jobs: ["work"] })],
  });
  for (const { kind } of world.jobs) world.next(kind, "fail");
  const requests = world.jobs.toReversed().map(({ kind }) => ({ kind, arguments: [] }));
  for (let from = 0; from < requests.length; from += 500) {
    await world.of(world.manager().scheduleJobs(requests.slice(from, from + 500)));
  }
  await world.advance("5s");
  assert.deepEqual(world.told.quick, ["failed work"]);
  assert.ok(slow.attempts <= 10, `${slow.attempts} at once`);
  await world.close();
});

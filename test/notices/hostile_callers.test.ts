import assert from "node:assert/strict";
import { after, test } from "node:test";
import { isJobError } from "../../src/core/errors.ts";
import { scopedManager } from "../../src/manager/scoped_manager.ts";
import { idOfText } from "../../src/platform/text_ids.ts";
import { DeliveryError } from "../../src/notices/channels/channel.ts";
import { jobOf } from "../support/worlds/manager_world.ts";
import { closeStoryServers } from "../support/notices/story_stores.ts";
import { StoryWorld } from "../support/notices/story_world.ts";

after(closeStoryServers);

const RUN = "0195a000-0000-7000-8000-000000000001";
const JOBS = [jobOf("work"), jobOf("other")];

test("scheduleJob() and scheduleJobs() refuse the ids that notices of a run will have", async () => {
  const world = await StoryWorld.started({ jobs: JOBS });
  const incident = idOfText(`incident job:work ${RUN}`);
  const ids = [
    // Of the instance that processes the end of the run.
    `${RUN.slice(0, 14)}8${RUN.slice(15)}`,
    `${RUN.slice(0, 14)}9${RUN.slice(15)}`,
    idOfText(`notice ${incident} failed ops`),
    idOfText(`notice ${incident} failed ops`).toUpperCase(),
  ];
  for (const id of ids) {
    const refused = (scheduled: Promise<unknown>) =>
      assert.rejects(
        world.of(scheduled),
        (error) => isJobError(error, "invalid_argument") && /(^|\.)id$/.test(error.path ?? ""),
      );
    await refused(world.manager().scheduleJob("other", { id }));
    await refused(world.manager().scheduleJobs([{ kind: "other", id }]));
  }
  world.next("work", "fail");
  await world.of(world.manager().scheduleJob("work", { id: RUN }));
  await world.advance("1m");
  assert.deepEqual(world.told, { ops: ["failed work"] });
  await world.close();
});

test("a caller limited to kinds with s does not see the notices of other jobs", async () => {
  const world = await StoryWorld.started({ jobs: JOBS });
  await world.run("work", "fail");
  await world.advance("1m");
  assert.deepEqual(world.told, { ops: ["failed work"] });
  for (const pattern of ["s*", "*", "system.notice.ops"]) {
    const scoped = scopedManager(world.manager(), [pattern]);
    const { items } = await world.of(scoped.lookupInstances({}));
    assert.deepEqual(items.filter(({ kind }) => kind.startsWith("system.notice")), [], pattern);
    const { stats } = await world.of(scoped.status());
    assert.equal(stats.kinds.has("system.notice.ops"), false, pattern);
    const named = scoped.lookupInstances({ kinds: ["system.notice.ops"] });
    await assert.rejects(world.of(named), (error) => isJobError(error, "permission_denied"));
  }
  await world.close();
});

test("a dead notice is run again once, however often and by whatever call", async () => {
  const world = await StoryWorld.started({ jobs: JOBS });
  const [ops] = world.channels;
  ops!.problem = new DeliveryError("refused", { isPermanent: true });
  await world.run("work", "fail");
  await world.advance("1m");
  ops!.problem = null;
  const kinds = ["system.notice.ops"];
  const { items } = await world.of(world.manager().lookupInstances({ kinds }));
  const [{ id }] = items as [(typeof items)[0]];
  await world.of(world.manager().retryInstance(id));
  const isRefused = (error: unknown) => isJobError(error, "conflict");
  await assert.rejects(world.of(world.manager().retryInstance(id)), isRefused);
  const forced = world.manager().redriveInstances({ ids: [id] }, { isForced: true });
  await assert.rejects(world.of(forced), isRefused);
  await world.of(world.manager().redriveInstances({ kinds }, { isForced: true }));
  await world.advance("1m");
  assert.deepEqual(world.told, { ops: ["failed work"] });
  await world.close();
});

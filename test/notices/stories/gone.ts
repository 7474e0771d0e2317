import assert from "node:assert/strict";
import type { Incident } from "../../../src/core/notices/incident.ts";
import { idOfText } from "../../../src/platform/text_ids.ts";
import { RecordedChannel } from "../../support/notices/recorded_channel.ts";
import { playStories } from "../../support/notices/story.ts";
import type { StoryWorld } from "../../support/notices/story_world.ts";
import { jobOf } from "../../support/worlds/manager_world.ts";

const REASON = "no live node has had it for a day";

const both = () => [jobOf("work"), jobOf("other")];

playStories([
  {
    name: "the incident of a removed job closes after a day, without a notice",
    isLong: true,
    start: () => ({ jobs: both(), isAlone: true }),
    happens: async (world) => {
      const [, other] = world.jobs;
      await world.run("work", "fail");
      await world.run("other", "fail");
      await world.advance("26h");
      assert.deepEqual(await incidents(world), ["job:other open", "job:work open"]);
      await world.reload({ jobs: [other!] });
      await world.advance("23h");
      assert.deepEqual(await incidents(world), ["job:other open", "job:work open"]);
      await world.advance("3h");
      assert.deepEqual(await incidents(world), ["job:other open", `job:work ${REASON}`]);
      await world.reload({ jobs: both() });
      await world.run("work", "fail ok");
    },
    told: { ops: ["failed work", "failed other", "failed work", "recovered work"] },
    stores: ["memory", "SQLite"],
  },
  {
    name:
      "the incident of a disabled job that is removed closes at once, and is not told as recovered",
    start: () => ({
      jobs: both(),
      isAlone: true,
      channels: [new RecordedChannel("ops", { on: ["disabled", "failed", "recovered"] })],
    }),
    happens: async (world) => {
      const [work, other] = world.jobs;
      await world.run("work", "fail");
      await world.reload({ jobs: [], disabled: ["work", "other"] });
      await world.advance("1m");
      assert.deepEqual(await incidents(world), ["job:other open", "job:work open"]);
      await world.reload({ jobs: [other!] });
      await world.advance("1m");
      assert.deepEqual(await incidents(world), [
        "job:other closed",
        "job:work removed from the configuration",
      ]);
      await world.reload({ jobs: [work!, other!] });
      await world.run("work", "fail ok");
    },
    told: {
      ops: [
        ...["failed work", "disabled work", "disabled other", "recovered other"],
        ...["failed work", "recovered work"],
      ],
    },
    stores: ["memory", "SQLite"],
  },
  {
    name: "the day begins again when a removed job comes back for a while",
    start: () => ({ jobs: both(), isAlone: true }),
    happens: async (world) => {
      const jobs = world.jobs;
      await world.run("work", "fail");
      await world.reload({ jobs: jobs.slice(1) });
      await world.advance("20h");
      await world.reload({ jobs });
      await world.advance("5m");
      await world.reload({ jobs: jobs.slice(1) });
      await world.advance("23h");
      assert.deepEqual(await incidents(world), ["job:work open"]);
      await world.reload({ jobs });
      await world.run("work", "ok");
    },
    told: { ops: ["failed work", "recovered work"] },
    stores: ["memory"],
  },
  {
    name: "the incident of a job that only another node has stays open, until that is gone",
    isLong: true,
    start: () => ({ jobs: [jobOf("mine")], isAlone: true }),
    happens: async (world) => {
      await world.start("other", { jobs: [jobOf("theirs")] });
      await world.submitAt("other", "theirs", "fail");
      await world.advance("25h");
      assert.deepEqual(await incidents(world), ["job:theirs open"]);
      await world.stop("other");
      await world.advance("26h");
      assert.deepEqual(await incidents(world), [`job:theirs ${REASON}`]);
    },
    told: { ops: ["failed theirs"] },
    stores: ["memory", "etcd's replica"],
  },
  {
    name: "incidents of a node that never returns and of a removed channel close after a day",
    isLong: true,
    start: () => ({
      channels: [new RecordedChannel("ops"), new RecordedChannel("night", { on: ["dead"] })],
      isAlone: true,
    }),
    happens: async (world) => {
      await report(world, "node:other", "node-lost");
      await report(world, "daemon:other", "reload-refused");
      await report(world, "daemon:node", "workers-busy");
      await report(world, "job:system.notice.night", "failed");
      await world.advance("1m");
      await world.reload({ channels: world.channels.slice(0, 1) });
      await world.advance("23h");
      const all = ["channel:night", "node:other", "daemon:node", "daemon:other"];
      assert.deepEqual(await incidents(world), all.map((name) => `${name} open`));
      await world.advance("3h");
      assert.deepEqual(
        await incidents(world),
        all.map((name) => `${name} ${name === "daemon:node" ? "open" : REASON}`),
      );
    },
    told: {
      ops: ["node-lost other", "reload-refused other", "workers-busy node", "failed night"],
      night: [],
    },
  },
]);

/** What each subject's incident is: open, or why it was closed. */
async function incidents(world: StoryWorld): Promise<readonly string[]> {
  const { items } = await world.of(world.manager("node").listIncidents({ withClosed: true }));
  const stateOf = ({ closedAt, closedReason }: Incident) =>
    closedAt === null ? "open" : closedReason ?? "closed";
  return items.map((one) => `${one.subject.type}:${one.subject.name} ${stateOf(one)}`);
}

/** Report something as another node would. */
async function report(world: StoryWorld, key: string, event: string): Promise<void> {
  const at = world.clock.now();
  const news = [{ id: event, event, at: at.wallMs, instanceId: null, detail: "it is so" }];
  await world.look((store) => store.addNews({ at, key, news, noticeId: idOfText(key) }));
  await world.advance("1s");
}

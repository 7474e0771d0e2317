import assert from "node:assert/strict";
import { RecordedChannel } from "../../support/notices/recorded_channel.ts";
import { playStories } from "../../support/notices/story.ts";
import { jobOf } from "../../support/worlds/manager_world.ts";

const ONCE = { ops: ["failed work", "recovered work"] };

playStories([
  {
    name: "a daemon restarts while an incident is open",
    isOnEtcd: true,
    happens: async (world) => {
      await world.run("work", "fail");
      await world.restart();
      await world.run("work", "fail");
      await world.restart();
      await world.run("work", "ok");
      await world.restart();
    },
    told: ONCE,
  },
  {
    name: "a daemon refuses a reload, and its next start accepts the configuration",
    start: () => ({ channels: [new RecordedChannel("ops")] }),
    happens: async (world) => {
      world.manager().daemonNotices!.reloadRefused("2 problems");
      await world.advance("1m");
      assert.deepEqual(world.told, { ops: ["reload-refused node"] });
      await world.restart();
      await world.advance("1m");
    },
    told: { ops: ["reload-refused node", "recovered node"] },
  },
  {
    name: "a port of a daemon is taken at its start, and free at the next one",
    start: () => ({ channels: [new RecordedChannel("ops")] }),
    happens: async (world) => {
      world.listenerProblems = ["Cannot listen on a:1: the address is in use"];
      await world.restart();
      await world.advance("1m");
      assert.deepEqual(world.told, { ops: ["port-closed node"] });
      world.manager().daemonNotices!.portsClosed([]);
      await world.advance("1m");
      world.manager().daemonNotices!.portsClosed(world.listenerProblems);
      await world.advance("1m");
      world.listenerProblems = [];
      await world.restart();
      await world.advance("1m");
    },
    told: { ops: ["port-closed node", "recovered node", "port-closed node", "recovered node"] },
  },
  {
    name: "a daemon has two problems, which end one after the other",
    start: () => ({ workers: 1, channels: [new RecordedChannel("ops", { repeatMs: 600_000 })] }),
    happens: async (world) => {
      world.manager().daemonNotices!.reloadRefused("2 problems");
      await world.run("work", "hang ok");
      await world.advance("2m");
      assert.deepEqual(world.told, { ops: ["reload-refused node", "workers-busy node"] });
      world.manager().daemonNotices!.reloadRefused(null);
      await world.advance("9m");
      assert.deepEqual(world.told.ops!.slice(2), ["workers-busy node again"]);
      world.hanging.get("work")!.ok();
      await world.advance("30m");
    },
    told: {
      ops: [
        ...["reload-refused node", "workers-busy node"],
        ...["workers-busy node again", "recovered node"],
      ],
    },
  },
  {
    name: "a daemon is killed while an incident is open",
    happens: async (world) => {
      await world.run("work", "fail");
      await world.kill();
      await world.start();
      await world.run("work", "fail ok");
    },
    told: ONCE,
  },
  {
    name: "a daemon is killed between a failure and its notice",
    happens: async (world) => {
      world.endBefore("listMemos", { after: "settle" });
      await world.run("work", "fail");
      assert.deepEqual(world.told, { ops: [] });
      await world.revive();
      await world.advance("1m");
      assert.deepEqual(world.told, { ops: ["failed work"] });
      await world.run("work", "ok");
    },
    told: ONCE,
  },
  {
    name: "a daemon is killed between a run with output and its mail",
    start: () => ({ channels: [new RecordedChannel("cron", { on: ["output"] })] }),
    happens: async (world) => {
      world.endBefore("listMemos", { after: "settle" });
      await world.run("work", "print");
      assert.deepEqual(world.told, { cron: [] });
      await world.revive();
      await world.advance("1m");
      await world.run("work", "ok");
    },
    told: { cron: ["output work"] },
  },
  {
    name: "a daemon is killed between a notice and its delivery",
    isOnEtcd: true,
    happens: async (world) => {
      world.endBefore("settle", { after: "putMemo" });
      await world.run("work", "fail");
      assert.deepEqual(world.told, { ops: [] });
      await world.revive();
      await world.advance("1m");
      await world.run("work", "ok");
    },
    told: ONCE,
  },
  {
    name: "a run is lost with its daemon, which was its last try",
    start: () => ({ jobs: [jobOf("work", { options: { crashesMax: 0 } })] }),
    happens: async (world) => {
      await world.run("work", "hang");
      await world.kill();
      await world.start();
      await world.advance("1m");
      await world.run("work", "ok");
    },
    told: { ops: ["lost work", "recovered work"] },
  },
  {
    name: "another node takes over while an incident is open",
    isOnEtcd: true,
    happens: async (world) => {
      await world.run("work", "fail");
      await world.kill();
      await world.start("other");
      await world.advance("1m");
      await world.run("work", "fail ok");
    },
    told: ONCE,
  },
  {
    name: "a node dies with a failure in hand, and another one lives",
    isOnEtcd: true,
    start: () => ({ jobs: [jobOf("work", { options: { crashesMax: 0 } })] }),
    happens: async (world) => {
      await world.run("work", "hang");
      await world.start("other");
      await world.kill("node");
      await world.advance("2m");
      await world.run("work", "ok");
    },
    told: { ops: ["lost work", "recovered work"] },
  },
  {
    name: "two nodes run the same jobs",
    isOnEtcd: true,
    happens: async (world) => {
      await world.start("other");
      await world.run("work", "fail fail fail ok fail ok");
    },
    told: { ops: ["failed work", "recovered work", "failed work", "recovered work"] },
  },
  {
    name: "a node freezes in the middle of a delivery until another one has made it",
    happens: async (world) => {
      await world.start("other");
      await world.run("work", "fail");
      world.freeze("node");
      await world.advance("1m");
      await world.submitAt("other", "work", "fail");
      await world.advance("1m");
      await world.submitAt("other", "work", "ok");
      await world.advance("1m");
      await world.thaw("node");
      await world.advance("1m");
    },
    told: ONCE,
  },
  {
    name: "a node without channels fails what a node with channels tells",
    happens: async (world) => {
      await world.start("plain", { channels: [], jobs: [jobOf("theirs")] });
      await world.submitAt("plain", "theirs", "fail");
      await world.submitAt("plain", "theirs", "fail");
      await world.submitAt("plain", "theirs", "ok");
    },
    told: { ops: ["failed theirs", "recovered theirs"] },
  },
  {
    name: "a failure is not told that came before anybody wanted to hear",
    start: () => ({ channels: [] }),
    happens: async (world) => {
      await world.run("work", "fail");
      await world.reload({ channels: [new RecordedChannel("ops")] });
      await world.run("work", "ok ok");
      assert.deepEqual(world.told, { ops: [] });
      await world.run("work", "fail");
    },
    told: { ops: ["failed work"] },
  },
  {
    name: "a reload leaves jobs and channels as they are while an incident is open",
    happens: async (world) => {
      await world.run("work", "fail");
      await world.reload({});
      await world.run("work", "fail");
      await world.reload({});
      await world.run("work", "ok");
    },
    told: ONCE,
  },
  {
    name: "a reload removes a channel while an incident is open",
    start: () => ({ channels: [new RecordedChannel("ops"), new RecordedChannel("night")] }),
    happens: async (world) => {
      await world.run("work", "fail");
      await world.reload({ channels: world.channels.slice(0, 1) });
      await world.run("work", "ok");
    },
    told: { ops: ["failed work", "recovered work"], night: ["failed work"] },
  },
  {
    name: "a reload adds a channel while an incident is open",
    happens: async (world) => {
      await world.run("work", "fail");
      await world.reload({ channels: [...world.channels, new RecordedChannel("night")] });
      await world.run("work", "ok");
    },
    told: { ops: ["failed work", "recovered work"], night: [] },
  },
  {
    name: "a reload removes the job of an open incident, and another brings it back",
    start: () => ({ jobs: [jobOf("work"), jobOf("other")] }),
    happens: async (world) => {
      const both = world.jobs;
      await world.run("work", "fail");
      await world.reload({ jobs: [both[1]!] });
      await world.run("other", "fail");
      await world.reload({ jobs: both });
      await world.run("work", "ok");
    },
    told: { ops: ["failed work", "failed other", "recovered work"] },
  },
  {
    name: "a reload lets a job be heard of that named no channel",
    start: () => ({ jobs: [jobOf("work", { options: { notify: [] } })] }),
    happens: async (world) => {
      await world.run("work", "fail fail");
      await world.reload({ jobs: [jobOf("work")] });
      await world.run("work", "fail ok");
    },
    told: ONCE,
  },
  {
    name: "a reload takes a job's channels away while an incident is open",
    happens: async (world) => {
      await world.run("work", "fail");
      await world.reload({ jobs: [jobOf("work", { options: { notify: [] } })] });
      await world.run("work", "fail ok fail");
      await world.reload({ jobs: [jobOf("work")] });
      await world.run("work", "ok");
    },
    told: { ops: ["failed work"] },
  },
  {
    name: "a daemon stops for good to have channels, and has them again later",
    happens: async (world) => {
      const { channels } = world;
      await world.run("work", "fail");
      await world.reload({ channels: [] });
      await world.run("work", "ok fail");
      await world.reload({ channels });
      await world.run("work", "ok");
    },
    told: ONCE,
  },
]);

import assert from "node:assert/strict";
import { JobError } from "../../../src/core/errors.ts";
import { RecordedChannel } from "../../support/notices/recorded_channel.ts";
import { playStories } from "../../support/notices/story.ts";
import type { Outcome, StoryWorld } from "../../support/notices/story_world.ts";
import { jobOf } from "../../support/worlds/manager_world.ts";

const AWAY = new JobError("unavailable", "Cannot reach the mail server");
const REFUSED = Object.assign(new JobError("permission_denied", "The hook is gone"), {
  isPermanent: true,
});

playStories([
  {
    name: "the mail server is away for two hours, and a job fails and recovers meanwhile",
    happens: async (world) => {
      const [ops] = world.channels;
      ops!.problem = AWAY;
      await world.run("work", "fail");
      await world.advance("1h");
      await world.run("work", "fail ok");
      await world.advance("1h");
      const waiting = await world.look((store) =>
        store.list({ kinds: ["system.notice.ops"], states: ["scheduled"] }, { limit: 10 })
      );
      const [first, second] = waiting.items.toSorted((one, other) => one.dueAt - other.dueAt);
      // The later notice is not tried again and again meanwhile.
      assert.match(first!.argumentsJson, /"type":"failed"/);
      assert.match(second!.argumentsJson, /"type":"recovered"/);
      assert.ok(ops!.attempts > 5, `Only ${ops!.attempts} attempts`);
      ops!.problem = null;
      await world.advance("1h");
    },
    told: { ops: ["failed work", "recovered work"] },
  },
  {
    name: "the mail server is away while a job flaps",
    happens: async (world) => {
      const [ops] = world.channels;
      ops!.problem = AWAY;
      await world.run("work", "fail ok");
      await world.advance("20m");
      await world.run("work", "fail ok fail");
      await world.advance("10m");
      ops!.problem = null;
      await world.advance("2h");
    },
    told: {
      ops: [
        ...["failed work", "recovered work", "failed work", "recovered work", "failed work"],
      ],
    },
    stores: ["memory", "SQLite", "etcd's replica"],
  },
  {
    name: "the mail server is away for two hours while many jobs fail and recover",
    isLong: true,
    start: () => ({ jobs: many(90), workers: 100 }),
    happens: async (world) => {
      const [ops] = world.channels;
      ops!.problem = AWAY;
      await runAll(world, "fail");
      await world.advance("1h");
      await runAll(world, "ok");
      await world.advance("1h");
      ops!.problem = null;
      await world.advance("2h");
      for (const { kind } of world.jobs) {
        const told = ops!.told.filter((one) => one.endsWith(` ${kind}`));
        assert.deepEqual(told, [`failed ${kind}`, `recovered ${kind}`]);
      }
      assert.equal(ops!.delivered.length, 180);
      ops!.delivered.length = 0;
    },
    told: { ops: [] },
    stores: ["memory", "etcd's replica"],
  },
  {
    name: "the mail server takes a notice, and its answer is lost",
    isOnEtcd: true,
    happens: async (world) => {
      const [ops] = world.channels;
      ops!.problem = AWAY;
      ops!.isAnswerLost = true;
      await world.run("work", "fail");
      ops!.problem = null;
      await world.advance("1m");
      const [first, second] = ops!.delivered;
      assert.equal(first!.id, second!.id);
      await world.run("work", "ok");
    },
    told: { ops: ["failed work", "failed work", "recovered work"] },
  },
  {
    name: "a daemon is killed after the mail server took a notice",
    happens: async (world) => {
      const [ops] = world.channels;
      ops!.isHanging = true;
      await world.run("work", "fail");
      ops!.isHanging = false;
      ops!.delivered.length = 0;
      await world.kill();
      await world.start();
      await world.advance("1m");
      await world.run("work", "ok");
    },
    told: { ops: ["failed work", "recovered work"] },
  },
  {
    name: "a channel refuses for good, and the other one hears of it once",
    start: () => ({ channels: [new RecordedChannel("hook"), new RecordedChannel("mail")] }),
    happens: async (world) => {
      const [hook] = world.channels;
      hook!.problem = REFUSED;
      await world.run("work", "fail ok fail ok");
      const dead = await world.look((store) =>
        store.list({ kinds: ["system.notice.hook"], states: ["terminated"] }, { limit: 10 })
      );
      assert.equal(dead.items.length, 4);
      hook!.problem = null;
      await world.run("work", "fail");
    },
    told: {
      hook: ["failed work"],
      mail: [
        ...["failed work", "failed hook", "recovered work", "failed work", "recovered work"],
        ...["failed work", "recovered hook"],
      ],
    },
  },
  {
    name: "both channels refuse for good",
    start: () => ({ channels: [new RecordedChannel("hook"), new RecordedChannel("mail")] }),
    happens: async (world) => {
      for (const channel of world.channels) channel.problem = REFUSED;
      await world.run("work", "fail");
      await world.advance("1h");
      const { kinds } = await world.look((store) => store.stats());
      const dead = [...kinds].filter(([kind]) => kind.startsWith("system.notice."))
        .map(([kind, { terminated }]) => `${kind} ${terminated}`).sort();
      // Each of the two, and that the other one failed; that is not told again.
      assert.deepEqual(dead, ["system.notice.hook 2", "system.notice.mail 2"]);
      for (const channel of world.channels) channel.problem = null;
      await world.run("work", "ok");
    },
    told: {
      hook: ["recovered work", "recovered mail"],
      mail: ["recovered work", "recovered hook"],
    },
  },
  {
    name: "a mail server is away, which the other channel tells before it is given up",
    start: () => ({ channels: [new RecordedChannel("hook"), new RecordedChannel("mail")] }),
    happens: async (world) => {
      const [hook, mail] = world.channels;
      mail!.problem = AWAY;
      await world.run("work", "fail");
      assert.deepEqual(hook!.told, ["failed work"]);
      await world.advance("10m");
      await world.run("work", "ok");
      await world.advance("1h");
      const [, told] = hook!.delivered;
      const failed = "a notice was not delivered after 5 attempts: Cannot reach the mail server";
      assert.equal(told!.title, `Channel mail failed: ${failed}`);
      assert.equal(told!.command, "jobctl list instances --kind system.notice.mail");
      assert.deepEqual(hook!.told, ["failed work", "failed mail", "recovered work"]);
      mail!.problem = null;
      await world.advance("31m");
    },
    told: {
      hook: ["failed work", "failed mail", "recovered work", "recovered mail"],
      mail: ["failed work", "recovered work"],
    },
  },
  {
    name: "a server asks to wait for an hour, which the other channel tells at once",
    start: () => ({
      channels: [
        new RecordedChannel("hook"),
        new RecordedChannel("mail", { after: 3, rate: null }),
        new RecordedChannel("chat", { after: 2 }),
      ],
    }),
    happens: async (world) => {
      const [hook] = world.channels;
      hook!.problem = Object.assign(new JobError("unavailable", "Busy"), {
        retryAfterMs: 3_600_000,
      });
      await world.run("work", "fail");
      await world.advance("1m");
      hook!.problem = null;
      await world.advance("61m");
      await world.advance("1m");
    },
    told: {
      hook: ["failed work"],
      mail: ["failed hook", "recovered hook"],
      chat: ["failed hook", "recovered hook"],
    },
  },
  {
    name: "a refused notice is run again by its operator",
    happens: async (world) => {
      const [ops] = world.channels;
      ops!.problem = REFUSED;
      await world.run("work", "fail");
      ops!.problem = null;
      await world.of(world.manager().redriveInstances({ kinds: ["system.notice.ops"] }));
      await world.advance("1m");
    },
    told: { ops: ["failed work"] },
  },
  {
    name: "an open incident is repeated until its job recovers",
    start: () => ({ channels: [new RecordedChannel("ops", { repeatMs: 300_000 })] }),
    happens: async (world) => {
      await world.run("work", "fail");
      await world.advance("6m");
      await world.run("work", "fail");
      await world.advance("5m");
      await world.run("work", "ok");
      await world.advance("20m");
    },
    told: { ops: ["failed work", "failed work again", "failed work again", "recovered work"] },
  },
  {
    name: "an open incident is repeated by the daemon that comes after a restart",
    start: () => ({ channels: [new RecordedChannel("ops", { repeatMs: 300_000 })] }),
    happens: async (world) => {
      await world.run("work", "fail");
      await world.kill();
      await world.advance("12m");
      await world.start();
      await world.advance("1m");
      assert.deepEqual(world.told, { ops: ["failed work", "failed work again"] });
      await world.advance("5m");
      await world.run("work", "ok");
    },
    told: { ops: ["failed work", "failed work again", "failed work again", "recovered work"] },
  },
  {
    name: "an incident is acknowledged and then recovers",
    start: () => ({ channels: [new RecordedChannel("ops", { repeatMs: 300_000 })] }),
    happens: async (world) => {
      await world.run("work", "fail");
      await world.advance("6m");
      await acknowledge(world);
      await world.advance("20m");
      await world.run("work", "fail ok");
      await world.advance("20m");
      await world.run("work", "fail");
      await world.advance("6m");
    },
    told: {
      ops: [
        ...["failed work", "failed work again", "recovered work"],
        ...["failed work", "failed work again"],
      ],
    },
  },
  {
    name: "a job is removed for good while its incident is repeated",
    start: () => ({
      jobs: [jobOf("work"), jobOf("other")],
      channels: [new RecordedChannel("ops", { repeatMs: 300_000 })],
    }),
    happens: async (world) => {
      await world.run("work", "fail");
      await world.advance("6m");
      await world.reload({ jobs: world.jobs.slice(1) });
      await world.advance("20m");
    },
    told: { ops: ["failed work", "failed work again"] },
  },
]);

function many(count: number) {
  return Array.from({ length: count }, (_, index) => jobOf(`job-${index}`));
}

/** Run all jobs at once. */
async function runAll(world: StoryWorld, outcome: Outcome): Promise<void> {
  for (const { kind } of world.jobs) world.next(kind, outcome);
  const requests = world.jobs.map(({ kind }) => ({ kind, arguments: [] }));
  await world.of(world.manager().scheduleJobs(requests));
  await world.advance("1s");
}

async function acknowledge(world: StoryWorld): Promise<void> {
  const subject = { type: "job", name: "work" } as const;
  await world.of(world.manager().acknowledgeIncident(subject, { by: "Ada" }));
}

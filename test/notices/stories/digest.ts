import assert from "node:assert/strict";
import { JobError } from "../../../src/core/errors.ts";
import { RecordedChannel } from "../../support/notices/recorded_channel.ts";
import { playStories } from "../../support/notices/story.ts";
import type { StoryWorld } from "../../support/notices/story_world.ts";
import { jobOf } from "../../support/worlds/manager_world.ts";

const MINUTE = 60_000;
const AWAY = new JobError("unavailable", "Cannot reach the mail server");

playStories([
  {
    name: "a thousand jobs fail in one minute, and a digest tells of them",
    start: () => ({
      jobs: Array.from({ length: 1_000 }, (_, index) => jobOf(`job-${index}`)),
      channels: [new RecordedChannel("ops", { digestMs: 5 * MINUTE })],
      workers: 100,
    }),
    happens: async (world) => {
      const requests = world.jobs.map(({ kind }) => ({ kind, arguments: [] }));
      for (const { kind } of world.jobs) world.next(kind, "fail");
      for (let from = 0; from < 1_000; from += 100) {
        await world.of(world.manager().scheduleJobs(requests.slice(from, from + 100)));
        await world.advance("6s");
      }
      assert.deepEqual(world.told, { ops: [] });
      await world.advance("10m");
      const [digest] = world.channels[0]!.delivered;
      assert.equal(digest!.title, "Digest: job-0 failed, and 999 more events");
      assert.equal(digest!.items.length, 500);
      assert.deepEqual(digest!.facts, ["1000 events: failed 1000", "500 more are not listed"]);
      assert.equal(world.channels[0]!.delivered.length, 1);
      world.channels[0]!.delivered.length = 0;
      const left = await world.look((store) =>
        store.listMemos({ prefix: "collected:", after: null, limit: 10 })
      );
      assert.deepEqual(left, []);
    },
    told: { ops: [] },
    stores: ["memory", "SQLite"],
  },
  {
    name: "a digest counts what happens in its window, and the next one what follows",
    start: () => ({
      jobs: [jobOf("one"), jobOf("two")],
      channels: [new RecordedChannel("ops", { digestMs: 5 * MINUTE })],
    }),
    happens: async (world) => {
      await world.run("one", "fail ok fail");
      await world.run("two", "fail");
      await world.advance("6m");
      await world.run("two", "ok");
      await world.advance("6m");
    },
    told: {
      ops: [
        "digest: failed one x2, recovered one x1, failed two x1",
        "digest: recovered two x1",
      ],
    },
  },
  {
    name: "a daemon is killed in the window of a digest, and again while it is sent",
    start: () => ({ channels: [new RecordedChannel("ops", { digestMs: 5 * MINUTE })] }),
    happens: async (world) => {
      await world.run("work", "fail");
      await world.kill();
      await world.start();
      await world.run("work", "ok fail");
      const [ops] = world.channels;
      ops!.isHanging = true;
      await world.advance("5m");
      await world.kill();
      ops!.isHanging = false;
      await world.start();
    },
    told: { ops: ["digest: failed work x2, recovered work x1"] },
  },
  {
    name: "the answer to a digest is lost",
    start: () => ({ channels: [new RecordedChannel("ops", { digestMs: 5 * MINUTE })] }),
    happens: async (world) => {
      const [ops] = world.channels;
      Object.assign(ops!, { problem: AWAY, isAnswerLost: true });
      await world.run("work", "fail");
      await world.advance("5m");
      ops!.problem = null;
      await world.advance("5m");
      const ids = new Set(ops!.delivered.map(({ id }) => id));
      assert.equal(ids.size, 1);
    },
    told: { ops: ["digest: failed work x1", "digest: failed work x1"] },
  },
  {
    name: "the mail server is away for two hours, and digests wait for it",
    isLong: true,
    start: () => ({ channels: [new RecordedChannel("ops", { digestMs: 30 * MINUTE })] }),
    happens: async (world) => {
      const [ops] = world.channels;
      ops!.problem = AWAY;
      await world.run("work", "fail");
      await world.advance("1h");
      await world.run("work", "ok");
      await world.advance("1h");
      ops!.problem = null;
      await world.advance("1h");
    },
    told: { ops: ["digest: failed work x1", "digest: recovered work x1"] },
  },
  {
    name: "something is collected for a digest that has been sent meanwhile",
    start: () => ({
      jobs: [jobOf("one"), jobOf("two")],
      channels: [new RecordedChannel("ops", { digestMs: 5 * MINUTE })],
    }),
    happens: async (world) => {
      await world.run("one", "fail");
      const release = world.holdBefore("putMemo", "collected:");
      await world.run("two", "fail");
      await world.advance("6m");
      assert.deepEqual(world.told, { ops: ["digest: failed one x1"] });
      await release();
    },
    told: { ops: ["digest: failed one x1", "digest: failed two x1"] },
  },
  {
    name: "a job fails and recovers in quiet hours, and another one only fails",
    start: () => ({
      jobs: [jobOf("one"), jobOf("two")],
      channels: [new RecordedChannel("ops", { quiet: ["22:00-07:00"] })],
      startMs: Date.UTC(2026, 0, 1, 21, 59),
    }),
    happens: async (world) => {
      await world.run("one", "fail");
      await world.advance("1m");
      await world.run("one", "ok fail ok");
      await world.run("two", "fail fail");
      assert.deepEqual(world.told, { ops: ["failed one"] });
      await world.kill();
      await world.advance("8h");
      await world.start();
      await world.advance("59m");
      assert.deepEqual(world.told, { ops: ["failed one"] });
      await world.advance("1m");
      await world.run("two", "ok");
    },
    told: {
      ops: [
        "failed one",
        "digest: recovered one x2, failed one x1, failed two x2",
        "recovered two",
      ],
    },
  },
  {
    name: "a silenced job fails, and recovers after its silence",
    start: () => ({ jobs: [jobOf("work"), jobOf("other")] }),
    happens: async (world) => {
      await silence(world, "work", "1h");
      await world.run("work", "fail fail");
      await world.run("other", "fail");
      await world.advance("59m");
      assert.deepEqual(world.told, { ops: ["failed other"] });
      await world.advance("1m");
      await world.run("work", "fail ok");
    },
    told: { ops: ["failed other", "digest: failed work x2", "recovered work"] },
  },
  {
    name: "everything is silenced while jobs fail and recover",
    start: () => ({ jobs: [jobOf("one"), jobOf("two")] }),
    happens: async (world) => {
      await silence(world, null, "1h");
      await world.run("one", "fail ok");
      await world.run("two", "fail ok fail");
      await world.restart();
      await world.advance("61m");
      await world.run("two", "ok");
    },
    told: {
      ops: [
        "digest: failed one x1, recovered one x1, failed two x2, recovered two x1",
        "recovered two",
      ],
    },
  },
  {
    name: "a silence is removed early",
    happens: async (world) => {
      await silence(world, "work", "1h");
      await world.run("work", "fail");
      await world.advance("1m");
      await world.of(world.manager().removeSilence("work"));
      await world.advance("1s");
      assert.deepEqual(world.told, { ops: ["digest: failed work x1"] });
      await world.run("work", "ok fail");
      await world.advance("2h");
    },
    told: { ops: ["digest: failed work x1", "recovered work", "failed work"] },
  },
  {
    name: "a silence is extended, and its summary comes once",
    happens: async (world) => {
      await silence(world, "work", "30m");
      await world.run("work", "fail");
      await world.advance("10m");
      await silence(world, "work", "1h");
      await world.run("work", "ok fail");
      await world.advance("40m");
      assert.deepEqual(world.told, { ops: [] });
      await world.advance("30m");
      await world.run("work", "ok");
    },
    told: { ops: ["digest: failed work x2, recovered work x1", "recovered work"] },
  },
  {
    name: "a silence is shortened",
    happens: async (world) => {
      await silence(world, "work", "2h");
      await world.run("work", "fail");
      await silence(world, "work", "10m");
      await world.advance("11m");
    },
    told: { ops: ["digest: failed work x1"] },
  },
  {
    name: "a silence of a job ends within one of everything",
    start: () => ({ jobs: [jobOf("one"), jobOf("two")] }),
    happens: async (world) => {
      await silence(world, "one", "10m");
      await silence(world, null, "30m");
      await world.run("one", "fail");
      await world.run("two", "fail");
      await world.advance("20m");
      assert.deepEqual(world.told, { ops: [] });
      await world.advance("15m");
    },
    told: { ops: ["digest: failed one x1, failed two x1"] },
  },
  {
    name: "silences of two jobs end one after the other",
    start: () => ({ jobs: [jobOf("one"), jobOf("two")] }),
    happens: async (world) => {
      await silence(world, "one", "30m");
      await silence(world, "two", "10m");
      await world.run("one", "fail");
      await world.run("two", "fail");
      await world.advance("20m");
      assert.deepEqual(world.told, { ops: ["digest: failed two x1"] });
      await world.advance("15m");
    },
    told: { ops: ["digest: failed two x1", "digest: failed one x1"] },
  },
  {
    name: "a job fails in a window of silence of its configuration",
    start: () => ({
      jobs: [jobOf("work", { options: { silence: ["thu 01:00-03:00"] } })],
      startMs: Date.UTC(2026, 0, 1, 0, 59),
    }),
    happens: async (world) => {
      await world.run("work", "fail ok");
      await world.advance("2m");
      await world.run("work", "fail");
      await world.advance("1h");
      await world.run("work", "fail");
      await world.advance("1h");
      await world.run("work", "ok");
    },
    told: {
      ops: ["failed work", "recovered work", "digest: failed work x2", "recovered work"],
    },
  },
  {
    name: "an incident is repeated, but not while its job is silenced",
    start: () => ({ channels: [new RecordedChannel("ops", { repeatMs: 10 * MINUTE })] }),
    happens: async (world) => {
      await world.run("work", "fail");
      await silence(world, "work", "25m");
      await world.advance("30m");
      await world.advance("5m");
      await world.run("work", "ok");
    },
    told: {
      ops: ["failed work", "digest: failed work x2", "failed work again", "recovered work"],
    },
  },
  {
    name: "the summary of a silence waits for the mail server, and the recovery for the summary",
    happens: async (world) => {
      const [ops] = world.channels;
      await silence(world, "work", "10m");
      await world.run("work", "fail");
      ops!.problem = AWAY;
      await world.advance("10m");
      await world.run("work", "ok");
      await world.advance("5m");
      ops!.problem = null;
      await world.advance("30m");
    },
    told: { ops: ["digest: failed work x1", "recovered work"] },
  },
]);

async function silence(world: StoryWorld, kind: string | null, time: string): Promise<void> {
  const minutes = time.endsWith("h") ? 60 * parseInt(time) : parseInt(time);
  const until = world.clock.now().wallMs + minutes * MINUTE;
  await world.of(world.manager().silence(kind, { until, reason: "planned", by: "Ada" }));
}

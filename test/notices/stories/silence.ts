import assert from "node:assert/strict";
import { JobError } from "../../../src/core/errors.ts";
import type { Notice } from "../../../src/core/notices/notice.ts";
import { RecordedChannel } from "../../support/notices/recorded_channel.ts";
import { playStories } from "../../support/notices/story.ts";
import type { StoryWorld } from "../../support/notices/story_world.ts";
import { jobOf } from "../../support/worlds/manager_world.ts";

const MINUTE = 60_000;
const AWAY = new JobError("unavailable", "Cannot reach the mail server");

/** A channel whose server takes its time to answer. */
class SlowChannel extends RecordedChannel {
  readonly answers: (() => void)[] = [];

  override async deliver(notice: Notice): Promise<void> {
    await super.deliver(notice);
    await new Promise<void>((resolve) => this.answers.push(resolve));
  }
}

playStories([
  {
    name: "overlapping silences end at a slow server, and each failure is told once",
    start: () => ({ jobs: [jobOf("one"), jobOf("two")], channels: [new SlowChannel("ops")] }),
    happens: async (world) => {
      const [ops] = world.channels as readonly SlowChannel[];
      await silence(world, "one", 30 * MINUTE);
      await world.run("one", "fail");
      await silence(world, "two", 12 * MINUTE);
      await world.run("two", "fail");
      await world.advance("12m");
      assert.deepEqual(world.told, { ops: ["digest: failed two x1"] });
      ops!.answers.pop()!();
      await world.advance("1m");
      const waiting = await world.look((store) =>
        store.list({ kinds: ["system.notice.ops"], states: ["scheduled"] }, { limit: 10 })
      );
      assert.equal(waiting.items.length, 1);
      await world.advance("17m");
      await world.advance("6s");
      ops!.answers.pop()!();
    },
    told: { ops: ["digest: failed two x1", "digest: failed one x1"] },
  },
  {
    name: "overlapping silences end, and the answer to the summary is lost",
    isOnEtcd: true,
    start: () => ({ jobs: [jobOf("one"), jobOf("two")] }),
    happens: async (world) => {
      const [ops] = world.channels;
      await silence(world, "one", 30 * MINUTE);
      await world.run("one", "fail");
      await silence(world, "two", 12 * MINUTE);
      await world.run("two", "fail");
      await world.advance("20m");
      Object.assign(ops!, { problem: AWAY, isAnswerLost: true });
      await world.advance("10m");
      Object.assign(ops!, { problem: null, isAnswerLost: false });
      await world.advance("5m");
      const ids = ops!.delivered.slice(1).map(({ id }) => id);
      assert.deepEqual(ids, [ids[0], ids[0]]);
    },
    told: { ops: ["digest: failed two x1", "digest: failed one x1", "digest: failed one x1"] },
  },
  {
    name: "a job that people know to fail fails in a silence, and its summary tells of it",
    start: () => ({ jobs: [jobOf("one"), jobOf("two")] }),
    happens: async (world) => {
      await world.run("one", "exit");
      await silence(world, "one", 10 * MINUTE);
      await world.run("one", "exit exit");
      await world.run("two", "fail");
      await world.advance("11m");
      await world.run("one", "fail");
      const { title, facts, items: [item] } = world.channels[0]!.delivered.at(-1)!;
      assert.equal(title, "During a silence: one failed 2 times");
      assert.equal(facts[0], "2 events: failed 2");
      assert.match(facts[1]!, /^one was silenced by Ada from 2026-01-01 00:00:01 \+00:00 to /);
      assert.match(item!.detail!, /exit code 3/);
      assert.notEqual(item!.instanceId, null);
    },
    told: { ops: ["failed one", "failed two", "digest: failed one x2"] },
  },
  {
    name: "a job that people know to fail fails in a digest's window, which has nothing new",
    start: () => ({ channels: [new RecordedChannel("ops", { digestMs: 5 * MINUTE })] }),
    happens: async (world) => {
      await world.run("work", "fail fail");
      await world.advance("6m");
      await world.run("work", "fail fail");
      await world.advance("6m");
    },
    told: { ops: ["digest: failed work x2"] },
  },
  {
    name: "the summary of a window of the configuration says since when it was silent",
    isLong: true,
    start: () => ({
      jobs: [jobOf("work", { options: { silence: ["thu 01:00-03:00"] } })],
      startMs: Date.UTC(2026, 0, 1, 1, 30),
    }),
    happens: async (world) => {
      await world.run("work", "fail");
      await world.advance("2h");
      const [summary] = world.channels[0]!.delivered;
      assert.deepEqual(summary!.facts, [
        "work was silenced by the configuration from 2026-01-01 01:00:00 +00:00 to " +
        "2026-01-01 03:00:00 +00:00",
      ]);
    },
    told: { ops: ["digest: failed work x1"] },
  },
  {
    name: "a failure and its dead letter are one notice, and further dead letters are others",
    start: () => ({ channels: [new RecordedChannel("ops", { on: ["failed", "dead"] })] }),
    happens: async (world) => {
      await world.run("work", "fail fail");
    },
    told: { ops: ["failed work", "dead work"] },
  },
]);

async function silence(world: StoryWorld, kind: string | null, ms: number): Promise<void> {
  const until = world.clock.now().wallMs + ms;
  await world.of(world.manager().silence(kind, { until, reason: "planned", by: "Ada" }));
}

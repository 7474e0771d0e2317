import assert from "node:assert/strict";
import { after } from "node:test";
import { JobError } from "../../src/core/errors.ts";
import type { Notice } from "../../src/core/notices/notice.ts";
import { RecordedChannel } from "../support/notices/recorded_channel.ts";
import { playStories } from "../support/notices/story.ts";
import { closeStoryServers } from "../support/notices/story_stores.ts";
import type { StoryWorld } from "../support/notices/story_world.ts";
import { jobOf } from "../support/worlds/manager_world.ts";

after(closeStoryServers);

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
]);

async function silence(world: StoryWorld, kind: string | null, ms: number): Promise<void> {
  const until = world.clock.now().wallMs + ms;
  await world.of(world.manager().silence(kind, { until, reason: "planned", by: "Ada" }));
}

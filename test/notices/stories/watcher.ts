import assert from "node:assert/strict";
import { RecordedChannel } from "../../support/notices/recorded_channel.ts";
import { playStories } from "../../support/notices/story.ts";
import type { StoryWorld } from "../../support/notices/story_world.ts";

playStories([
  {
    name: "a node that has been gone for an hour does not count as one that asks for news",
    happens: async (world) => {
      await world.start("other");
      await world.kill("other");
      await world.advance("65m");
      await world.restart();
      assert.deepEqual(await watchersOf(world), ["node"]);
      await world.run("work", "fail ok");
    },
    told: { ops: ["failed work", "recovered work"] },
  },
  {
    name: "news are recorded for the only node that asks, however long it is gone",
    happens: async (world) => {
      await world.start("plain", { channels: [] });
      await world.kill();
      await world.advance("65m");
      await world.stop("plain");
      await world.start("plain", { channels: [] });
      assert.deepEqual(await watchersOf(world), ["node"]);
      await world.run("work", "fail");
      await world.start();
    },
    told: { ops: ["failed work"] },
  },
  {
    name: "a node that was frozen for hours asks for news again",
    start: () => ({ channels: [new RecordedChannel("ops", { on: ["failed"] })] }),
    happens: async (world) => {
      await world.start("other");
      world.freeze();
      await world.advance("65m");
      await world.kill("other");
      await world.start("other");
      assert.deepEqual(await watchersOf(world), ["other"]);
      await world.thaw();
      await world.advance("1m");
      assert.deepEqual(await watchersOf(world), ["node", "other"]);
    },
    told: { ops: [] },
    // On others, nodes are forgotten by an owner that knows of no frozen one, or later.
    stores: ["Valkey"],
  },
]);

/** The nodes that ask for news. */
async function watchersOf(world: StoryWorld): Promise<readonly string[]> {
  // The start of a node takes its time.
  await world.advance("1s");
  const memos = await world.look((store) =>
    store.listMemos({ prefix: "watcher:", after: null, limit: 10 })
  );
  return memos.map(({ key }) => key.slice("watcher:".length));
}

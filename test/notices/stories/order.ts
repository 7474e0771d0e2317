import assert from "node:assert/strict";
import { test } from "node:test";
import type { Store } from "../../../src/store/store.ts";
import { RecordedChannel } from "../../support/notices/recorded_channel.ts";
import { STORY_STORES } from "../../support/notices/story_stores.ts";
import { StoryWorld } from "../../support/notices/story_world.ts";
import { jobOf } from "../../support/worlds/manager_world.ts";

/** So many that each order of the ids of their notices occurs. */
const KINDS = Array.from({ length: 12 }, (_, index) => `job${index}`);
const EVENTS = ["failed", "recovered"] as const;

for (const store of STORY_STORES) {
  test(`failures and recoveries that become due at once are sent in their order (${store})`, async () => {
    const world = await StoryWorld.started({
      store,
      jobs: KINDS.map((kind) => jobOf(kind)),
      channels: [
        new RecordedChannel("ops", { on: EVENTS }),
        new RecordedChannel("rarely", { on: EVENTS, after: 2 }),
      ],
    });
    // A node that knows nothing of notices goes on with the work.
    await world.kill();
    await world.start("plain", { channels: [] });
    for (const outcome of ["fail", "ok", "fail", "fail", "ok", "fail"]) {
      for (const kind of KINDS) {
        world.next(kind, outcome);
        await world.of(world.manager("plain").scheduleJob(kind));
      }
      await world.advance("1s");
    }
    world.plant = lastFirst;
    await world.start();
    await world.advance("3m");
    assertOrder(world, "ops", ["failed", "recovered", "failed", "recovered", "failed"]);
    assertOrder(world, "rarely", ["failed", "recovered"]);
    await world.close();
  });
}

/** A store that gives what became due at once in the reverse order. */
function lastFirst(store: Store): Store {
  return new Proxy(store, {
    get(target, name) {
      if (name === "claim") return claim;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  async function claim(request: Parameters<Store["claim"]>[0]) {
    const claimed = await store.claim(request);
    return { ...claimed, value: claimed.value.toReversed() };
  }
}

/** The notices of each job came in this order. */
function assertOrder(world: StoryWorld, channel: string, events: readonly string[]): void {
  for (const kind of KINDS) {
    const told = world.told[channel]!.filter((line) => line.endsWith(` ${kind}`));
    assert.deepEqual(told, events.map((event) => `${event} ${kind}`), `${channel} ${kind}`);
  }
}

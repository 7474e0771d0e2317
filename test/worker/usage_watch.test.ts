import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_LIMITS } from "../../src/core/job/job.ts";
import { sleep } from "../../src/platform/clock.ts";
import { UsageWatch } from "../../src/worker/process/usage_watch.ts";
import { SimClock } from "../support/worlds/sim_clock.ts";

/** How many searches for processes there are in a minute, of which each takes five seconds. */
async function searchesInAMinute(spentPerSearchMs: number): Promise<number> {
  const clock = new SimClock();
  let searches = 0;
  const watch = new UsageWatch({
    clock,
    spentMs: () => searches * spentPerSearchMs,
    limits: { ...NO_LIMITS, memoryBytes: 1 },
    worker: null,
    adopter: null,
    find: async () => {
      searches += 1;
      await sleep(clock, 5_000);
      return [];
    },
    onExceeded: () => assert.fail("there is no process"),
  });
  await clock.advance(60_000);
  watch.stop();
  return searches;
}

test("UsageWatch rests less often where others use the processor", async () => {
  assert.equal(await searchesInAMinute(5), 12);
});

test("UsageWatch rests four times as long as it used the processor", async () => {
  assert.equal(await searchesInAMinute(5_000), 3);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { ThreadMemory } from "../../../src/rpc/guard/thread_memory.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

const MIB = 2 ** 20;

/** A thread, and the actions on its memory since the previous check. */
function memoryWorld({ isLarge = false } = {}) {
  const clock = new SimClock();
  let done: string[] = [];
  const memory = new ThreadMemory(clock, {
    release: () => void done.push("release"),
    shrink: () => void done.push("shrink"),
    isLarge: () => isLarge,
  });
  const look = () => {
    const seen = done;
    done = [];
    return seen;
  };
  return { clock, memory, look, drop: () => void done.push("drop") };
}

test("ThreadMemory releases soon after 20 MiB were left behind", async () => {
  const { clock, memory, look } = memoryWorld();
  memory.leave(20 * MIB - 1);
  await clock.advance(10_000);
  assert.deepEqual(look(), []);
  memory.leave(1);
  assert.deepEqual(look(), []);
  await clock.advance(50);
  assert.deepEqual(look(), ["release"]);
  memory.leave(20 * MIB - 1);
  await clock.advance(10_000);
  assert.deepEqual(look(), []);
});

test("ThreadMemory releases at once when 40 MiB were left behind, and not again for them", async () => {
  const { clock, memory, look } = memoryWorld();
  memory.leave(30 * MIB);
  memory.leave(10 * MIB - 1);
  assert.deepEqual(look(), []);
  memory.leave(1);
  assert.deepEqual(look(), ["release"]);
  await clock.advance(10_000);
  assert.deepEqual(look(), []);
});

test("ThreadMemory shrinks three seconds after the last of a thousand calls, and not after fewer", async () => {
  const { clock, memory, look } = memoryWorld();
  for (let count = 0; count < 999; count++) memory.noteCall();
  await clock.advance(10_000);
  assert.deepEqual(look(), []);
  memory.noteCall();
  await clock.advance(2_000);
  memory.noteCall();
  await clock.advance(2_999);
  assert.deepEqual(look(), []);
  await clock.advance(1);
  assert.deepEqual(look(), ["shrink"]);
  // The count starts again.
  for (let count = 0; count < 999; count++) memory.noteCall();
  await clock.advance(10_000);
  assert.deepEqual(look(), []);
});

test("ThreadMemory shrinks after few calls where the process is large", async () => {
  const { clock, memory, look } = memoryWorld({ isLarge: true });
  memory.noteCall();
  await clock.advance(3_000);
  assert.deepEqual(look(), ["shrink"]);
  await clock.advance(60_000);
  assert.deepEqual(look(), []);
});

test("ThreadMemory shrinks once at rest after the start", async () => {
  const { clock, memory, look } = memoryWorld();
  memory.noteStart();
  await clock.advance(2_999);
  memory.noteCall();
  await clock.advance(2_999);
  assert.deepEqual(look(), []);
  await clock.advance(1);
  assert.deepEqual(look(), ["shrink"]);
  memory.noteCall();
  await clock.advance(10_000);
  assert.deepEqual(look(), []);
});

test("ThreadMemory drops the caches of reads and releases them at rest, once", async () => {
  const { clock, memory, look, drop } = memoryWorld();
  memory.noteRead(drop);
  await clock.advance(2_000);
  memory.noteRead(drop);
  await clock.advance(2_999);
  assert.deepEqual(look(), []);
  await clock.advance(1);
  assert.deepEqual(look(), ["drop", "release"]);
  memory.noteCall();
  await clock.advance(10_000);
  assert.deepEqual(look(), []);
});

import assert from "node:assert/strict";
import test from "node:test";
import { BusyMemory } from "../../../src/platform/process/busy_memory.ts";
import { SimClock } from "../../support/worlds/sim_clock.ts";

const MEBIBYTE = 1_024 * 1_024;

/** What was done, with a heap of a size. */
function memoryOf(heapBytes = MEBIBYTE, { starts = false } = {}) {
  const clock = new SimClock();
  const drops: number[] = [];
  let usedMs = 0;
  const reads = { count: 0 };
  const system = {
    dropCaches: () => void drops.push(clock.now().monotonicMs),
    heapBytes: () => heapBytes,
    usedMs: () => {
      reads.count += 1;
      return usedMs;
    },
  };
  const memory = starts ? BusyMemory.fromStart(clock, system) : new BusyMemory(clock, system);
  const work = (count: number) => {
    for (let index = 0; index < count; index++) memory.note();
  };
  const use = (ms: number) => void (usedMs += ms);
  return { clock, drops, work, use, reads };
}

test("BusyMemory drops caches once, five seconds after the last of a thousand pieces of work", async () => {
  const { clock, drops, work } = memoryOf();
  work(999);
  await clock.advance(4_000);
  work(1);
  await clock.advance(4_999);
  assert.equal(drops.length, 0);
  await clock.advance(1);
  assert.equal(drops.length, 1);
  await clock.advance(60_000);
  assert.equal(drops.length, 1);
});

test("BusyMemory keeps what was compiled if there were pauses between fewer pieces of work", async () => {
  const { clock, drops, work } = memoryOf();
  for (let minute = 0; minute < 60; minute++) {
    work(101);
    await clock.advance(60_000);
  }
  assert.equal(drops.length, 0);
});

test("BusyMemory drops caches once after a start, when the first work has ended", async () => {
  const { clock, drops, work } = memoryOf(MEBIBYTE, { starts: true });
  await clock.advance(4_000);
  work(1);
  await clock.advance(4_999);
  assert.equal(drops.length, 0);
  await clock.advance(60_000);
  work(1);
  await clock.advance(60_000);
  assert.equal(drops.length, 1);
});

test("BusyMemory does not collect a large heap", async () => {
  const { clock, drops, work } = memoryOf(64 * MEBIBYTE + 1);
  work(1_000);
  await clock.advance(5_000);
  assert.equal(drops.length, 0);
});

test("BusyMemory keeps what was compiled while the process is busy with something else", async () => {
  const { clock, drops, use } = memoryOf(MEBIBYTE, { starts: true });
  for (let second = 0; second < 60; second++) {
    use(200);
    await clock.advance(1_000);
  }
  assert.equal(drops.length, 0);
  use(999);
  await clock.advance(5_000);
  assert.equal(drops.length, 1);
});

test("BusyMemory reads the processor time ten times a second at most", async () => {
  const { clock, drops, work, use, reads } = memoryOf(MEBIBYTE, { starts: true });
  for (let ms = 0; ms < 1_000; ms++) {
    work(3);
    use(1);
    await clock.advance(1);
  }
  assert.equal(reads.count, 10);
  use(899);
  await clock.advance(5_000);
  assert.equal(drops.length, 1);
});

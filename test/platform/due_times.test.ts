import assert from "node:assert/strict";
import test from "node:test";
import { DueTimes } from "../../src/platform/due_times.ts";
import { SimClock } from "../support/worlds/sim_clock.ts";

/** Due times of letters, and when each was called back. */
function world() {
  const clock = new SimClock();
  const startMs = clock.now().monotonicMs;
  const called: string[] = [];
  const times = new DueTimes<string>(clock, (item) => {
    called.push(`${item} ${clock.now().monotonicMs - startMs}`);
  });
  return { clock, times, called };
}

test("DueTimes calls back once for each item, at its time", async () => {
  const { clock, times, called } = world();
  times.setIn("c", 3_000);
  times.setIn("a", 1_000);
  times.setIn("b", 2_000);
  await clock.advance(999);
  assert.deepEqual(called, []);
  await clock.advance(60_000);
  assert.deepEqual(called, ["a 1000", "b 2000", "c 3000"]);
});

test("DueTimes calls back at the last time that was set, earlier or later", async () => {
  const { clock, times, called } = world();
  times.setIn("later", 1_000);
  times.setIn("earlier", 5_000);
  times.setIn("never", 1_000);
  await clock.advance(500);
  times.setIn("later", 2_500);
  times.setIn("earlier", 1_500);
  times.set("never", null);
  await clock.advance(60_000);
  assert.deepEqual(called, ["earlier 2000", "later 3000"]);
});

test("DueTimes calls back again for an item that was set again when it was called back", async () => {
  const clock = new SimClock();
  let count = 0;
  const times = new DueTimes<string>(clock, (item) => {
    if (++count < 3) times.setIn(item, 0);
  });
  times.setIn("a", 1_000);
  await clock.advance(60_000);
  assert.equal(count, 3);
});

test("DueTimes does not call back for an item that another one's callback has moved", async () => {
  const clock = new SimClock();
  const called: string[] = [];
  const times = new DueTimes<string>(clock, (item) => {
    called.push(item);
    if (item !== "first") return;
    times.set("stopped", null);
    times.setIn("moved", 1_000);
  });
  for (const item of ["first", "stopped", "moved"]) times.setIn(item, 1_000);
  await clock.advance(1_000);
  assert.deepEqual(called, ["first"]);
  await clock.advance(1_000);
  assert.deepEqual(called, ["first", "moved"]);
});

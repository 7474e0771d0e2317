import assert from "node:assert/strict";
import { test } from "node:test";
import { ShortTurns, type Turn } from "../../src/worker/short_turns.ts";
import { makeJob } from "../support/attempts.ts";
import { SimClock } from "../support/sim_clock.ts";

const AT_ONCE = 2;

/** Turns of one job that is known to take `tookMs`, and the numbers of those that began. */
function world(tookMs: number) {
  const clock = new SimClock();
  const turns = new ShortTurns(clock, AT_ONCE);
  const job = makeJob("a", { type: "module", path: "/a.ts", entry: "a", version: "1" });
  const began: number[] = [];
  const enter = (number: number): Turn => {
    const turn = { job, begin: () => void began.push(number) };
    turns.enter(turn);
    return turn;
  };
  for (let count = 0; count < 20; count++) turns.leave(enter(0), tookMs);
  began.length = 0;
  return { clock, turns, began, enter };
}

test("ShortTurns lets a short job begin a few times at once, then as others end", () => {
  const { turns, began, enter } = world(0.01);
  const [first] = [1, 2, 3, 4].map(enter);
  assert.deepEqual(began, [1, 2]);
  turns.leave(first!, 0.01);
  assert.deepEqual(began, [1, 2, 3]);
});

test("ShortTurns lets a job begin at once that takes longer, and one that it does not know", () => {
  const { began, enter } = world(0.31);
  for (const number of [1, 2, 3]) enter(number);
  assert.deepEqual(began, [1, 2, 3]);
  const clock = new SimClock();
  const turns = new ShortTurns(clock, AT_ONCE);
  const job = makeJob("b", { type: "module", path: "/b.ts", entry: "b", version: "1" });
  let count = 0;
  for (let number = 0; number < 3; number++) turns.enter({ job, begin: () => void (count += 1) });
  assert.equal(count, 3);
});

test("ShortTurns keeps to turns when a short job is slow once, and not when it has become slow", () => {
  const { turns, began, enter } = world(0.01);
  turns.leave(enter(0), 5_000);
  began.length = 0;
  const held = [1, 2, 3].map(enter);
  assert.deepEqual(began, [1, 2]);
  for (const turn of held) turns.leave(turn, 0.4);
  for (let count = 0; count < 100; count++) turns.leave(enter(0), 0.4);
  began.length = 0;
  for (const number of [4, 5, 6]) enter(number);
  assert.deepEqual(began, [4, 5, 6]);
});

test("ShortTurns lets the next begin 2 ms after those before it were still running", async () => {
  const { clock, began, enter } = world(0.01);
  for (const number of [1, 2, 3, 4, 5]) enter(number);
  await clock.advance(1.9);
  assert.deepEqual(began, [1, 2]);
  await clock.advance(0.1);
  assert.deepEqual(began, [1, 2, 3, 4]);
  await clock.advance(2);
  assert.deepEqual(began, [1, 2, 3, 4, 5]);
});

test("ShortTurns counts one that has run for 10 ms no longer, whatever ends beside it", async () => {
  const { clock, turns, began, enter } = world(0.01);
  const all = [1, 2, 3, 4, 5, 6, 7, 8, 9].map(enter);
  for (let step = 1; step <= 5; step++) {
    turns.leave(all[step]!, 0.01);
    await clock.advance(2);
  }
  assert.deepEqual(began, [1, 2, 3, 4, 5, 6, 7, 8]);
});

test("ShortTurns forgets one that leaves before it began", () => {
  const { turns, began, enter } = world(0.01);
  const [first, , third] = [1, 2, 3, 4].map(enter);
  turns.leave(third!, null);
  turns.leave(first!, 0.01);
  assert.deepEqual(began, [1, 2, 4]);
});

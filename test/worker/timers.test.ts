import assert from "node:assert/strict";
import { test } from "node:test";
import { GuardLine } from "../../src/worker/guard/guard_line.ts";
import { LazyTimer } from "../../src/platform/lazy_timer.ts";
import { SimClock } from "../support/worlds/sim_clock.ts";

test("LazyTimer calls back at the due time when it was moved later and earlier", async () => {
  const clock = new SimClock();
  const fired: number[] = [];
  const timer = new LazyTimer(clock, () => fired.push(clock.now().monotonicMs));
  timer.set(100);
  timer.set(300);
  await clock.advance(299);
  assert.deepEqual(fired, []);
  await clock.advance(1);
  timer.set(1_000);
  timer.set(400);
  await clock.advance(1_000);
  assert.deepEqual(fired, [300, 400]);
});

test("LazyTimer calls nothing when it was set to null or canceled", async () => {
  const clock = new SimClock();
  const timer = new LazyTimer(clock, () => assert.fail("called"));
  timer.set(100);
  timer.set(null);
  await clock.advance(200);
  timer.set(300);
  timer.cancel();
  await clock.advance(200);
  assert.equal(clock.nextTimerMs(), null);
});

function makeLine() {
  const clock = new SimClock();
  const sent: (readonly [at: number, until: number | null])[] = [];
  const line = new GuardLine(clock, (text) => {
    sent.push([clock.now().monotonicMs, (JSON.parse(text) as { untilMs: number | null }).untilMs]);
  });
  return { clock, sent, line };
}

test("GuardLine sends a first and a shorter limit at once", () => {
  const { sent, line } = makeLine();
  line.set(1_000);
  line.set(400);
  assert.deepEqual(sent, [[0, 1_000], [0, 400]]);
});

test("GuardLine sends a longer limit before the earlier one is half used up", async () => {
  const { clock, sent, line } = makeLine();
  line.set(1_000);
  line.set(2_000);
  await clock.advance(499);
  assert.equal(sent.length, 1);
  await clock.advance(1);
  assert.deepEqual(sent.at(-1), [500, 1_500]);
});

test("GuardLine sends one message when many short attempts follow each other", async () => {
  const { clock, sent, line } = makeLine();
  for (let index = 0; index < 100; index++) {
    line.set(clock.now().monotonicMs + 15_000);
    await clock.advance(1);
    line.set(null);
  }
  assert.equal(sent.length, 1);
  await clock.advance(1_000);
  assert.deepEqual(sent.at(-1)![1], null);
});

test("GuardLine never lets the guard have a later limit than wanted", async () => {
  const { clock, sent, line } = makeLine();
  let held = Infinity;
  for (const wanted of [1_000, 5_000, 3_000, 2_000, 9_000, 8_000]) {
    line.set(wanted);
    for (; sent.length > 0;) {
      const [at, until] = sent.shift()!;
      held = until === null ? Infinity : at + until;
    }
    assert.ok(held <= wanted, `${held} is later than ${wanted}`);
    await clock.advance(50);
  }
});

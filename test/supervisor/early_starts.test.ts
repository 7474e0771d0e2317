import assert from "node:assert/strict";
import { test } from "node:test";
import { EarlyStarts } from "../../src/supervisor/inside/early_starts.ts";
import { AHEAD_MS_MAX } from "../../src/core/time/ahead.ts";
import { SimClock } from "../support/worlds/sim_clock.ts";

function world() {
  const clock = new SimClock();
  const begun: string[] = [];
  const starts = new EarlyStarts<string>(clock);
  const add = (name: string, inMs: number) => {
    starts.at(clock.now().wallMs + inMs, name, () => begun.push(name));
  };
  return { clock, begun, starts, add };
}

test("commands begin at their time and not before, those with the same time in order", async () => {
  const { clock, begun, add } = world();
  add("later", 50);
  add("first", 30);
  add("second", 30);
  await clock.advance(29);
  assert.deepEqual(begun, []);
  await clock.advance(1);
  assert.deepEqual(begun, ["first", "second"]);
  await clock.advance(20);
  assert.deepEqual(begun, ["first", "second", "later"]);
});

test("a command whose time has passed begins at once", () => {
  const { begun, add } = world();
  add("now", 0);
  add("late", -1);
  assert.deepEqual(begun, ["now", "late"]);
});

test("a command that is removed does not begin", async () => {
  const { clock, begun, starts, add } = world();
  add("removed", 10);
  add("other", 10);
  assert.ok(starts.remove("removed"));
  assert.ok(!starts.remove("removed"));
  await clock.advance(10);
  assert.deepEqual(begun, ["other"]);
  assert.ok(!starts.remove("other"));
});

test("a command begins soon though the clock was set back after it was sent", async () => {
  const { clock, begun, starts } = world();
  const startAt = clock.now().wallMs + 5;
  clock.shiftWall(-86_400_000);
  starts.at(startAt, "one", () => begun.push("one"));
  await clock.advance(AHEAD_MS_MAX - 1);
  assert.deepEqual(begun, []);
  await clock.advance(1);
  assert.deepEqual(begun, ["one"]);
});

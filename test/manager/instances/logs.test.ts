import assert from "node:assert/strict";
import test from "node:test";
import { ManagerWorld } from "../../support/worlds/manager_world.ts";

test("dispatcher() writes an attempt's lines with its outcome", async () => {
  const world = await new ManagerWorld().started();
  const { id } = await world.schedule();
  world.executor.last.log("one");
  world.executor.last.ok();
  await world.clock.settle();
  assert.equal(world.link.count("appendLogs"), 0);
  assert.deepEqual(await world.logOf(id), ["one"]);
});

test("dispatcher() writes the lines of a long attempt while it runs", async () => {
  const world = await new ManagerWorld().started();
  const { id } = await world.schedule();
  world.executor.last.log("one");
  await world.clock.advance(100);
  assert.deepEqual(await world.logOf(id), ["one"]);
});

test("dispatcher() keeps lines in order when the store refuses some, and never spins", async () => {
  const world = await new ManagerWorld().started();
  const { id } = await world.schedule();
  const { last } = world.executor;
  world.link.cut(["appendLogs"]);
  const expected = Array.from({ length: 300 }, (_, index) => `line ${index}`);
  for (const line of expected.slice(0, 250)) last.log(line);
  await world.clock.advance(1_000);
  for (const line of expected.slice(250)) last.log(line);
  await world.clock.advance(4_000);
  assert.ok(world.link.count("appendLogs") <= 60, `${world.link.count("appendLogs")} writes`);
  world.link.mend();
  await world.clock.advance(5_000);
  assert.deepEqual(await world.logOf(id), expected);
});

test("dispatcher() loses no line when an attempt ends while its log is being refused", async () => {
  const world = await new ManagerWorld().started();
  const { id } = await world.schedule();
  const { last } = world.executor;
  const release = world.link.hold("appendLogs");
  world.link.cut(["appendLogs"]);
  last.log("one");
  await world.clock.advance(100);
  last.log("two");
  last.ok();
  release();
  await world.clock.settle();
  assert.equal((await world.get(id)).state, "completed");
  assert.deepEqual(await world.logOf(id), ["one", "two"]);
});

test("dispatcher() waits with the outcome for lines that are on their way", async () => {
  const world = await new ManagerWorld().started();
  const { id } = await world.schedule();
  const { last } = world.executor;
  const release = world.link.hold("appendLogs");
  last.log("one");
  await world.clock.advance(100);
  last.log("two");
  last.ok();
  await world.clock.settle();
  assert.equal(world.link.count("settle"), 0);
  release();
  await world.clock.settle();
  last.log("after the end");
  await world.clock.advance(1_000);
  assert.deepEqual(await world.logOf(id), ["one", "two"]);
});

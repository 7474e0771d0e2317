import assert from "node:assert/strict";
import test from "node:test";
import type { ManagerEvent } from "../../../src/manager/api.ts";
import { ManagerWorld } from "../../support/worlds/manager_world.ts";

test("dispatcher() writes how far a running attempt is, and the newest when the store refuses", async () => {
  const world = await new ManagerWorld().started();
  const { id } = await world.schedule();
  const { sink } = world.executor.last;
  sink.progress({ done: 1, total: 3 });
  await world.clock.advance(100);
  assert.deepEqual((await world.get(id)).progress, { done: 1, total: 3 });
  world.link.cut(["appendLogs"]);
  sink.progress({ done: 2, total: 3 });
  await world.clock.advance(150);
  sink.progress({ done: 3, total: 3 });
  world.link.mend();
  await world.clock.advance(5_000);
  assert.deepEqual((await world.get(id)).progress, { done: 3, total: 3 });
});

test("dispatcher() writes the last progress of an attempt with its outcome", async () => {
  const world = await new ManagerWorld().started();
  const { id } = await world.schedule();
  world.executor.last.sink.progress({ done: 5, total: null });
  world.executor.last.ok();
  await world.clock.settle();
  assert.equal(world.link.count("appendLogs"), 0);
  assert.deepEqual((await world.get(id)).progress, { done: 5, total: null });
});

test("subscribe() reports lines and progress after they are committed, before the outcome", async () => {
  const world = await new ManagerWorld().started();
  const told: string[] = [];
  world.manager.subscribe((event: ManagerEvent) => {
    const detail = event.type === "log"
      ? event.entries.map(({ message }) => message).join()
      : event.type === "progress"
      ? `${event.progress.done}/${event.instance.progress?.done}`
      : event.instance.state;
    told.push(`${event.type} ${detail}`);
  });
  await world.schedule();
  world.executor.last.log("one");
  world.executor.last.sink.progress({ done: 1, total: 2 });
  await world.clock.advance(100);
  world.executor.last.log("two");
  world.executor.last.ok();
  await world.clock.settle();
  assert.deepEqual(told, [
    "state scheduled",
    "state processing",
    "log one",
    "progress 1/1",
    "log two",
    "attempt completed",
    "state completed",
  ]);
});

test("processesOf() knows what running attempts use, and the store what they have used", async () => {
  const world = await new ManagerWorld().started();
  const { id } = await world.schedule();
  const { sink } = world.executor.last;
  const seen = { maxRssBytes: 9, cpuMs: 3, rssBytes: 5, openFiles: 4, processes: 2 };
  assert.equal((await world.manager.processesOf([id])).size, 0);
  sink.used(seen);
  const processes = await world.manager.processesOf([id, "another"]);
  assert.deepEqual([...processes], [[id, { place: null, usage: seen }]]);
  const place = { pid: 4711, supervisorPid: 4700, adoptedAt: null };
  sink.placed(place);
  assert.deepEqual((await world.manager.processesOf([id])).get(id), { place, usage: seen });
  assert.equal((await world.get(id)).usage, null);
  sink.used({ maxRssBytes: 10, cpuMs: 4 });
  world.executor.last.ok();
  await world.clock.settle();
  assert.equal((await world.manager.processesOf([id])).size, 0);
  assert.deepEqual((await world.get(id)).usage, { maxRssBytes: 10, cpuMs: 4 });
});

test("dispatcher() writes what was seen last of an attempt that does not report it at its end", async () => {
  const world = await new ManagerWorld().started();
  const { id } = await world.schedule();
  const { sink } = world.executor.last;
  sink.used({ maxRssBytes: null, cpuMs: 3, rssBytes: 5, openFiles: null, processes: 1 });
  world.executor.last.ok();
  await world.clock.settle();
  assert.deepEqual((await world.get(id)).usage, { maxRssBytes: null, cpuMs: 3 });
});

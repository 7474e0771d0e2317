import assert from "node:assert/strict";
import test from "node:test";
import { failed, START, StoreWorld } from "../../../src/conformance/world/store_world.ts";
import { countUpTo } from "../../../src/manager/instances/count_up_to.ts";
import { jobStats } from "../../../src/manager/instances/job_stats.ts";
import { MemoryStore } from "../../../src/store/memory/store.ts";

const MINUTE = 60_000;

async function openWorld(): Promise<StoreWorld> {
  const store = new MemoryStore();
  const world = new StoreWorld(store);
  await store.open({ at: world.at, node: "n1" });
  return world;
}

/** Runs an instance for a time. @param error of a failure; a success without */
async function run(world: StoreWorld, ms: number, error?: string): Promise<void> {
  const instance = await world.start();
  world.advance(ms);
  const failure = failed();
  await world.settle(instance, {
    ...(error === undefined || failure.type !== "final" ? {} : {
      outcome: { ...failure, error: { name: "Error", message: error } },
    }),
  });
}

test("jobStats() counts outcomes, durations and errors of a span", async () => {
  const world = await openWorld();
  await run(world, 1_000, "before the span");
  world.advance(MINUTE);
  const from = world.wallMs;
  for (const ms of [100, 200, 300, 400, 1_000]) await run(world, ms);
  await run(world, 10, "disk 7 is full (0190a7c8-4c4a-7000-9e94-b92c64a87e2f)");
  await run(world, 10, "disk 12 is full (0190a7c8-4c4a-7000-9e94-b92c64a87e30)");
  await run(world, 10, "no route");
  world.advance(MINUTE);
  const [waiting] = await world.add({}, { kind: "other" });
  await world.cancel((await world.addOne()).id);
  const to = world.wallMs + 1;
  const stats = await jobStats(world.store, { kind: "mail", from, to, buckets: 2 });
  assert.deepEqual(stats.totals.counts, {
    ...{ completed: 5, terminated: 3, canceled: 1, timedOut: 0, unfinished: 1 },
  });
  assert.deepEqual(stats.buckets.map(({ counts }) => [counts.completed, counts.canceled]), [
    [5, 0],
    [0, 1],
  ]);
  assert.deepEqual(stats.totals.durations, { runs: 5, p50Ms: 300, p90Ms: 1_000, maxMs: 1_000 });
  assert.equal(stats.buckets[1]!.durations, null);
  assert.equal(stats.successRate, 5 / 8);
  assert.equal(stats.isEstimate, false);
  assert.equal(stats.last.length, 11);
  assert.equal(stats.last.some(({ id }) => id === waiting!.id), true);
  assert.deepEqual(stats.failures.map(({ error, count }) => [error.slice(0, 15), count]), [
    ["disk 12 is full", 2],
    ["no route", 1],
  ]);
  assert.equal(stats.lastFailureAt, from + 2_030);
  assert.equal(stats.lastSuccessAt, from + 2_000);
  assert.equal(stats.usual, null, "too few successes");
  await world.store.close();
});

test("jobStats() samples the parts of a span with more successes than it reads", async () => {
  const world = await openWorld();
  for (let index = 0; index < 1_000; index++) {
    await run(world, index < 500 ? 10 : 20);
    world.advance(100);
  }
  const query = { kind: "mail", from: START, to: world.wallMs, buckets: 10 };
  const stats = await jobStats(world.store, query);
  assert.equal(stats.totals.counts.completed, 1_000);
  assert.ok(stats.buckets.every(({ durations }) => durations !== null && durations.runs >= 10));
  assert.equal(stats.buckets[0]!.durations!.p50Ms, 10);
  assert.equal(stats.buckets[9]!.durations!.p50Ms, 20);
  assert.ok(stats.totals.durations!.runs < 600);
  assert.deepEqual(stats.usual, { p50Ms: 20, p99Ms: 20 });
  await world.store.close();
});

test("jobStats() of a job that never ran is empty", async () => {
  const world = await openWorld();
  const stats = await jobStats(world.store, { kind: "no", from: 0, to: START, buckets: 1 });
  assert.deepEqual(
    [stats.successRate, stats.lastFailureAt, stats.lastSuccessAt, stats.last, stats.failures],
    [null, null, null, [], []],
  );
  await world.store.close();
});

test("countUpTo() counts exactly up to a number", async () => {
  const world = await openWorld();
  await world.add(...Array.from({ length: 30 }, (_, index) => ({
    kind: index < 20 ? "a" : "b",
    argumentsJson: index % 2 === 0 ? '["even"]' : "[]",
  })));
  const count = (query: object, max: number) => countUpTo(world.store, query, max);
  assert.deepEqual(await count({}, 5), { count: 30, hasMore: false }, "counters have no limit");
  assert.deepEqual(await count({ kinds: ["a", "a"], states: ["scheduled"] }, 5), {
    count: 20,
    hasMore: false,
  });
  assert.deepEqual(await count({ text: "EVEN" }, 15), { count: 15, hasMore: false });
  assert.deepEqual(await count({ text: "EVEN" }, 14), { count: 14, hasMore: true });
  assert.deepEqual(await count({ kinds: ["b"], after: START }, 100), { count: 10, hasMore: false });
  assert.deepEqual(await count({ after: START }, 9), { count: 9, hasMore: true });
  assert.deepEqual(await count({ after: START + 1 }, 9), { count: 0, hasMore: false });
  assert.deepEqual(await count({ after: START + 1, before: START }, 9), {
    count: 0,
    hasMore: false,
  });
  const waiting = { states: ["scheduled"], after: START };
  assert.deepEqual(await count(waiting, 100), { count: 30, hasMore: false });
  await world.store.close();
});

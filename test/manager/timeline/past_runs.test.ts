import assert from "node:assert/strict";
import test from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import type { TimelineQuery } from "../../../src/manager/api/timeline.ts";
import { jobOf, ManagerWorld, scheduleOf } from "../../support/worlds/manager_world.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 0, 1);
const KEPT = { options: { keepSuccessMs: 9 * DAY, keepFailureMs: 9 * DAY } };

async function timelineOf(world: ManagerWorld, query: TimelineQuery = {}) {
  return await world.of(world.manager.lookupTimeline(query));
}

test("lookupTimeline() lists runs in order, and those that began earlier and reach in", async () => {
  const world = await new ManagerWorld({ workers: 9, jobs: [jobOf("work", KEPT), jobOf("long")] })
    .started();
  const long = await world.schedule("long");
  const running = await world.schedule("long");
  const done = await world.schedule();
  await world.clock.settle();
  world.executor.attempts[2]!.ok();
  await world.clock.advance(HOUR);
  world.executor.attempts[0]!.fail("broken");
  const inside = await world.schedule();
  await world.clock.advance(MINUTE);
  const from = START + 30 * MINUTE;
  const found = await timelineOf(world, { from });
  assert.deepEqual(found.runs.map(({ id }) => id), [long.id, running.id, inside.id]);
  assert.equal(found.runs[0]!.error!.message, "broken");
  assert.deepEqual([found.total, found.counts, found.gaps], [1, [], []]);
  const all = await timelineOf(world, { from: START });
  assert.deepEqual(all.runs.map(({ id }) => id), [long.id, running.id, done.id, inside.id]);
  const one = await timelineOf(world, { from: START, kinds: ["work"] });
  assert.deepEqual(one.runs.map(({ id }) => id), [done.id, inside.id]);
  assert.deepEqual((await timelineOf(world, { from: START, kinds: [] })).runs, []);
});

test("lookupTimeline() counts runs by kind and state if they are too many", async () => {
  const world = await new ManagerWorld({
    workers: 9,
    jobs: [
      jobOf("often", { ...KEPT, schedules: [scheduleOf()] }),
      jobOf("rare", { ...KEPT, schedules: [scheduleOf({ cron: "0 * * * *" })] }),
    ],
  }).started();
  world.executor.onRun = (attempt) => {
    const { kind, scheduledFor } = attempt.instance;
    if (kind === "rare") attempt.fail();
    else if (scheduledFor !== START + 3 * HOUR) attempt.ok();
  };
  await world.clock.advance(3 * HOUR);
  const query = { from: START, to: START + 4 * HOUR, spans: 4, limit: 100 };
  const found = await timelineOf(world, query);
  assert.equal(found.total, 183);
  const [often, rare] = found.counts;
  assert.equal(often!.kind, "often");
  assert.deepEqual(Object.fromEntries(often!.counts), {
    completed: [59, 60, 60, 0],
    null: [0, 0, 0, 1],
  });
  assert.deepEqual(Object.fromEntries(rare!.counts), { terminated: [0, 1, 1, 1] });
  assert.deepEqual(found.runs.map(({ kind, state }) => `${kind} ${state}`), ["often processing"]);
  assert.equal(found.bounds.length, 5);
});

test("lookupTimeline() gives gaps with the sentence of explain()", async () => {
  const world = await new ManagerWorld({
    jobs: [jobOf("work", { schedules: [scheduleOf({ cron: "*/10 * * * *" })] })],
  }).started();
  await world.clock.advance(21 * MINUTE);
  await world.of(world.manager.pause("work", { reason: "repair" }));
  await world.clock.advance(20 * MINUTE);
  const { gaps, gapsFrom } = await timelineOf(world);
  assert.equal(gapsFrom, null);
  assert.deepEqual(gaps.map(({ fate }) => [(fate.from - START) / MINUTE, fate.fate, fate.reason]), [
    [20, "skipped", "overlap"],
    [30, "skipped", "paused"],
    [40, "skipped", "paused"],
  ]);
  for (const { fate, why, kind } of gaps) {
    const [report] = await world.of(world.manager.explain({ kind, at: fate.from, spanMs: 1 }));
    assert.equal(why, report!.why);
  }
  const cut = await timelineOf(world, { limit: 2 });
  assert.deepEqual(cut.gaps.map(({ fate }) => (fate.from - START) / MINUTE), [30, 40]);
  assert.equal(cut.gapsFrom, START + 30 * MINUTE);
  const other = await timelineOf(world, { kinds: ["other"] });
  assert.deepEqual(other.gaps, []);
});

test("lookupTimeline() finds every gap of ticks that have one time", async () => {
  const count = 1_005;
  const jobs = Array.from(
    { length: count },
    (_, index) => jobOf(`k${index}`, { schedules: [scheduleOf({ cron: "0 * * * *" })] }),
  );
  const world = await new ManagerWorld({ jobs }).started();
  await world.of(world.manager.pause(null));
  await world.clock.advance(2 * HOUR + MINUTE);
  const { cells } = await world.of(world.manager.calendar({ from: START, to: START + DAY }));
  assert.equal(cells[0]!.skipped, 2 * count);
  const one = await timelineOf(world, { kinds: ["k7"], from: START });
  assert.deepEqual(one.gaps.map(({ fate }) => fate.from), [START + HOUR, START + 2 * HOUR]);
});

test("lookupTimeline() keeps the gaps of a removed schedule of the configuration", async () => {
  const jobs = [jobOf("work", { schedules: [scheduleOf({ cron: "0 * * * *" })] })];
  const world = await new ManagerWorld({ jobs }).started();
  await world.of(world.manager.pause(null));
  await world.clock.advance(HOUR);
  await world.of(world.store.deleteSchedule({ at: world.clock.now(), id: "config:work:0" }));
  const { gaps } = await timelineOf(world);
  assert.deepEqual(gaps.map(({ kind, why }) => [kind, why]), [
    ["work", "It was skipped: paused; its schedule is gone"],
  ]);
});

test("lookupTimeline() refuses spans and numbers out of range", async () => {
  const world = await new ManagerWorld().started();
  const queries: TimelineQuery[] = [
    { from: START, to: START },
    { from: START - 400 * DAY - 2, to: START },
    { limit: 0 },
    { limit: 1_001 },
    { spans: 0 },
  ];
  for (const query of queries) {
    const isRefused = (error: unknown) => isJobError(error, "invalid_argument");
    await assert.rejects(timelineOf(world, query), isRefused, JSON.stringify(query));
  }
});

import assert from "node:assert/strict";
import test from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import type { CalendarCell, CalendarQuery } from "../../../src/manager/api/timeline.ts";
import { completed, failed, START } from "../../../src/conformance/world/store_world.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { SqliteStore } from "../../../src/store/sqlite/store.ts";
import type { Store } from "../../../src/store/store.ts";
import { TimelineWorld } from "./timeline_world.ts";
import { jobOf, ManagerWorld, scheduleOf } from "../../support/worlds/manager_world.ts";
import { MemoryStore } from "../../../src/store/memory/store.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

async function cellsOf(world: ManagerWorld, query: CalendarQuery = {}) {
  return (await world.of(world.manager.calendar(query))).cells;
}

/** The counts of a cell that are not zero. */
function countsOf(cell: CalendarCell): Record<string, number> {
  const { ended, unfinished, skipped, missed, coalesced, ticks, ticksSkipped, waiting } = cell;
  const all = { ...ended, unfinished, skipped, missed, coalesced, ticks, ticksSkipped, waiting };
  return Object.fromEntries(Object.entries(all).filter(([, count]) => count !== 0));
}

const STORES: Readonly<Record<string, () => Store>> = {
  memory: () => new MemoryStore({ defer: systemClock.defer }),
  sqlite: () => new SqliteStore({ path: ":memory:", defer: systemClock.defer }),
};
const KEPT = { keepSuccessMs: 90 * DAY, keepFailureMs: 90 * DAY };

for (const [type, make] of Object.entries(STORES)) {
  test(`calendar() on ${type} counts runs, skipped ticks and future ticks by day`, async () => {
    const world = await new TimelineWorld(make()).opened();
    const spec = { ...world.newSchedule().spec, cron: "0 */6 * * *", blackout: ["06:00-07:00"] };
    await world.putSchedule({ spec });
    for (let tick = 1; tick <= 8; tick++) {
      world.advance(6 * HOUR);
      const [before, at] = [START + (tick - 1) * 6 * HOUR, START + tick * 6 * HOUR];
      const fire = world.newInstance({
        ...{ scheduleId: "config:mail:0", scheduledFor: at, dueAt: at, ...KEPT },
      });
      const { accepted } = await world.fire(before, [at], { fires: [fire], nextAt: at + 6 * HOUR });
      if (accepted.length === 0) continue;
      const outcome = tick === 4 ? failed() : completed();
      await world.settle((await world.claim())[0]!, { outcome });
    }
    world.advance(HOUR);
    await world.add({ dueAt: world.wallMs + DAY }, { kind: "other", dueAt: world.wallMs + DAY });
    const query = { from: START, to: START + 5 * DAY };
    const { cells } = await world.timeline.calendar(query);
    assert.deepEqual(cells.map(({ name }) => name), [
      ...["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04", "2026-01-05"],
    ]);
    assert.deepEqual(cells.map(countsOf), [
      { completed: 2, skipped: 1 },
      { completed: 2, terminated: 1, skipped: 1 },
      { completed: 1, unfinished: 2, ticks: 3, ticksSkipped: 1 },
      { ticks: 4, ticksSkipped: 1, waiting: 2 },
      { ticks: 4, ticksSkipped: 1 },
    ]);
    assert.ok(cells.every(({ isEstimate, isPartial }) => !isEstimate && !isPartial));
    const other = await world.timeline.calendar({ ...query, kinds: ["other"] });
    assert.deepEqual(other.cells.map(countsOf), [{}, {}, { unfinished: 1 }, { waiting: 1 }, {}]);
    const none = await world.timeline.calendar({ ...query, kinds: [] });
    assert.deepEqual(none.cells.map(countsOf), [{}, {}, {}, {}, {}]);
    await world.store.close();
  });
}

for (const [type, make] of Object.entries(STORES)) {
  test(`forecast() and calendar() on ${type} leave no schedule out because the store is slow`, async () => {
    const store = make();
    const world = new TimelineWorld(store);
    const { list } = store;
    store.list = async (...request) => {
      world.advance(1_500);
      return await list.apply(store, request);
    };
    await world.opened();
    const { spec } = world.newSchedule();
    for (let index = 0; index < 20; index++) {
      const kind = `often-${index}`;
      const id = `config:${kind}:0`;
      await world.putSchedule({ id, kind, spec: { ...spec, cron: "* * * * * *" } });
    }
    const found = await world.timeline.forecast({ to: START + DAY });
    assert.deepEqual([found.densities.length, found.leftOut], [20, []]);
    const { leftOut } = await world.timeline.calendar({ from: START, to: START + DAY });
    assert.equal(leftOut, 0);
    await store.close();
  });
}

test("calendar() counts by the days and hours of its zone, also when clocks change", async () => {
  const world = await new TimelineWorld(STORES.memory!()).opened();
  world.wallMs = Date.parse("2026-03-28T12:30:00Z");
  for (let hour = 0; hour < 40; hour++) {
    await world.finish(KEPT);
    world.advance(HOUR);
  }
  const timezone = "Europe/Berlin";
  const from = Date.parse("2026-03-28T23:00:00Z");
  const cellsOf = async (query: CalendarQuery) =>
    (await world.timeline.calendar({ from, to: from + 1, ...query })).cells;
  const [day] = await cellsOf({ timezone });
  assert.deepEqual([day!.name, day!.clockChange, day!.ended.completed], ["2026-03-29", 3_600, 23]);
  const hours = await cellsOf({ timezone, hours: true });
  assert.deepEqual(hours.map(({ ended }) => ended.completed), Array(23).fill(1));
  assert.equal(hours[2]!.name, "2026-03-29T03:00");
  const [kathmandu] = await cellsOf({ timezone: "Asia/Kathmandu" });
  assert.equal(kathmandu!.ended.completed, 24);
  assert.equal(new Date(kathmandu!.from).toISOString(), "2026-03-28T18:15:00.000Z");
});

test("calendar() divides a range of missed ticks among its days", async () => {
  const jobs = [jobOf("work", {
    schedules: [scheduleOf({ cron: "0 * * * *", misfire: "skip" })],
  })];
  const before = await new ManagerWorld({ jobs }).started();
  await before.of(before.manager.stop());
  await before.clock.advance(2 * DAY + 12 * HOUR + MINUTE + 1);
  const world = await new ManagerWorld({ jobs, before }).started();
  await world.clock.settle();
  const cells = await cellsOf(world, { from: START, to: START + 3 * DAY });
  assert.deepEqual(cells.map(({ missed }) => missed), [23, 24, 13]);
  // The range began before the calendar.
  const last = await cellsOf(world, { from: START + 2 * DAY, to: START + 3 * DAY });
  assert.deepEqual(last.map(({ missed }) => missed), [13]);
});

test("calendar() says from when successful runs may have been deleted", async () => {
  const world = await new TimelineWorld(STORES.memory!()).opened();
  world.advance(5 * DAY);
  await world.finish({ keepSuccessMs: 3 * DAY });
  const { cells } = await world.timeline.calendar({ from: START, to: START + 6 * DAY });
  assert.deepEqual(cells.map(({ isPartial }) => isPartial), [
    ...[true, true, false, false, false, false],
  ]);
});

test("notices to people are shown only if they are named", async () => {
  const world = await new TimelineWorld(STORES.memory!()).opened();
  await world.finish();
  const kind = "system.notice.ops";
  await world.finish({ kind });
  await world.add({ kind, dueAt: START + HOUR });
  world.advance(1);
  const counts = async (kinds?: readonly string[]) => {
    const query = kinds ? { kinds } : {};
    const { cells } = await world.timeline.calendar({ from: START, to: START + 1, ...query });
    const { total, runs } = await world.timeline.lookupTimeline(query);
    const { entries, waiting } = await world.timeline.forecast(query);
    return [countsOf(cells[0]!), total, runs.length, entries.length, waiting];
  };
  assert.deepEqual(await counts(), [{ completed: 1 }, 1, 1, 0, 0]);
  assert.deepEqual(await counts([kind]), [
    ...[{ completed: 1, unfinished: 1, waiting: 1 }, 2, 2, 1, 1],
  ]);
});

test("calendar() shows 30 days back and a day ahead unless asked", async () => {
  const world = await new ManagerWorld().started();
  const cells = await cellsOf(world);
  assert.deepEqual([cells.length, cells[0]!.name, cells.at(-1)!.name], [
    31,
    "2025-12-03",
    "2026-01-02",
  ]);
  const hours = await cellsOf(world, { hours: true });
  assert.deepEqual([hours.length, hours[0]!.name], [24, "2026-01-01T00:00"]);
  const isRefused = (error: unknown) => isJobError(error, "invalid_argument");
  await assert.rejects(cellsOf(world, { timezone: "Mars/Base" }), (error: unknown) => {
    return isJobError(error, "invalid_argument") && error.path === "timezone";
  });
  await assert.rejects(cellsOf(world, { from: START, to: START + 801 * DAY }), isRefused);
});

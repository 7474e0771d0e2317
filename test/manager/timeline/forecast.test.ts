import assert from "node:assert/strict";
import test from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import type { ForecastEntry, ForecastQuery } from "../../../src/manager/api/timeline.ts";
import { jobOf, ManagerWorld, scheduleOf } from "../../support/worlds/manager_world.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 0, 1);

/** Entries as minutes from the start: "work 10 runs", "work 20 skipped blackout". */
function texts(entries: readonly ForecastEntry[]): string[] {
  return entries.map(({ kind, at, outcome, reason }) =>
    [kind, (at - START) / MINUTE, outcome, reason].filter((part) => part !== null).join(" ")
  );
}

async function forecastOf(world: ManagerWorld, query: ForecastQuery = {}) {
  return await world.of(world.manager.forecast(query));
}

test("forecast() lists ticks and waiting instances in order, with what is to be expected", async () => {
  const world = await new ManagerWorld({
    jobs: [
      jobOf("work", { schedules: [scheduleOf({ cron: "*/20 * * * *" })] }),
      jobOf("night", {
        schedules: [scheduleOf({ cron: "30 * * * *", blackout: ["00:00-01:00"] })],
      }),
    ],
  }).started();
  const waiting = await world.schedule("work", { after: 10 * MINUTE });
  const query = { to: START + 50 * MINUTE };
  const found = await forecastOf(world, query);
  assert.deepEqual(texts(found.entries), [
    ...["work 10 runs", "work 20 runs", "night 30 skipped blackout", "work 40 runs"],
  ]);
  const [first, tick, night] = found.entries;
  assert.equal(first!.instance!.id, waiting.id);
  assert.match(first!.why, /^It waits until 2026-01-01 00:10:00 \+00:00$/);
  assert.equal(tick!.schedule!.id, "config:work:0");
  assert.equal(tick!.why, '"*/20 * * * *" in UTC: 2026-01-01 00:20:00 +00:00');
  assert.match(night!.why, /; it will be skipped: it is in the blackout window "00:00-01:00"$/);
  assert.deepEqual([found.from, found.to, found.waiting], [START, query.to, 1]);
  assert.deepEqual(found.densities, []);
  const one = await forecastOf(world, { ...query, kinds: ["night"] });
  assert.deepEqual(texts(one.entries), ["night 30 skipped blackout"]);
  assert.deepEqual((await forecastOf(world, { ...query, kinds: [] })).entries, []);
});

test("forecast() knows pauses, requested skips, and the runs that are left", async () => {
  const world = await new ManagerWorld({
    jobs: [
      jobOf("work", { schedules: [scheduleOf({ cron: "*/20 * * * *" })] }),
      jobOf("few", { schedules: [scheduleOf({ cron: "*/20 * * * *", runsMax: 1 })] }),
      jobOf("broken", { schedules: [scheduleOf({ cron: "*/30 * * * *" })] }),
    ],
  }).started();
  await world.of(world.manager.pause("work", { until: START + 25 * MINUTE, reason: "repair" }));
  await world.of(world.manager.skipTicks({ kind: "broken" }, { count: 1 }));
  const { entries } = await forecastOf(world, { to: START + HOUR });
  assert.deepEqual(texts(entries), [
    ...["work 20 skipped paused", "few 20 runs", "broken 30 skipped skip requested"],
    ...["work 40 runs", "few 40 skipped runs_max"],
  ]);
  assert.match(entries[0]!.why, /is paused until 2026-01-01 00:25:00 \+00:00 \("repair"\)$/);
  assert.match(entries.at(-1)!.why, /it will not come: the schedule is finished after runs_max 1$/);
});

test("forecast() expects overlaps and starts from the usual duration of the last runs", async () => {
  const options = { keepSuccessMs: DAY };
  const world = await new ManagerWorld({
    workers: 9,
    jobs: [
      jobOf("skips", { options, schedules: [scheduleOf({ cron: "0 * * * *", overlap: "skip" })] }),
      jobOf("queues", {
        options,
        schedules: [scheduleOf({ cron: "0 * * * *", overlap: "queue" })],
      }),
    ],
  }).started();
  world.executor.onRun = (attempt) => void world.clock.timer(90 * MINUTE, () => attempt.ok());
  await world.clock.advance(5 * HOUR + MINUTE);
  const { entries } = await forecastOf(world, { to: world.clock.now().wallMs + 3 * HOUR });
  const skips = entries.filter(({ kind }) => kind === "skips");
  assert.deepEqual(texts(skips), [
    "skips 360 skipped overlap",
    "skips 420 runs",
    "skips 480 skipped overlap",
  ]);
  assert.match(skips[0]!.why, /the run before it takes usually 1h30m \(overlap "skip"\)$/);
  assert.equal(skips[1]!.durationMs, 90 * MINUTE);
  const queued = entries.find(({ kind, at }) => kind === "queues" && at === START + 6 * HOUR);
  // Two wait for the one that runs.
  assert.equal((queued!.startsAt - START) / MINUTE, 240 + 3 * 90);
  assert.match(queued!.why, /it will probably wait until .* \(overlap "queue"\)$/);
});

test("forecast() marks local times that do not exist or come twice", async () => {
  const world = await new ManagerWorld({
    jobs: [jobOf("work", {
      schedules: [scheduleOf({ cron: "30 2 * * *", timezone: "Europe/Berlin" })],
    })],
  }).started();
  const at = async (from: string, to: string) => {
    const { entries } = await forecastOf(world, { from: Date.parse(from), to: Date.parse(to) });
    return entries.map(({ at, clockChange }) => [new Date(at).toISOString(), clockChange]);
  };
  const moved = "moved by a clock change: 02:30 does not exist on this day";
  assert.deepEqual(await at("2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z"), [
    ["2026-03-29T01:00:00.000Z", moved],
    ["2026-03-30T00:30:00.000Z", null],
  ]);
  const twice = "clock change: 02:30 comes twice, runs the first time only";
  assert.deepEqual(await at("2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z"), [
    ["2026-10-25T00:30:00.000Z", twice],
    ["2026-10-26T01:30:00.000Z", null],
  ]);
});

test("forecast() counts frequent ticks and lists rare ones", async () => {
  const world = await new ManagerWorld({
    jobs: [
      jobOf("often", { schedules: [scheduleOf({ cron: "* * * * * *" })] }),
      jobOf("daily", { schedules: [scheduleOf({ cron: "0 12 * * *" })] }),
      jobOf("minutely", {
        schedules: [scheduleOf({ cron: "* * * * *", blackout: ["2026-01-03/2026-01-04"] })],
      }),
    ],
  }).started();
  await world.of(world.manager.pause("often", { until: START + 2 * DAY }));
  const found = await forecastOf(world, { to: START + 31 * DAY, spans: 31, limit: 100 });
  assert.equal(found.entries.length, 31);
  assert.deepEqual(new Set(found.entries.map(({ kind }) => kind)), new Set(["daily"]));
  assert.equal(found.bounds.length, 32);
  const [often, minutely] = found.densities;
  assert.equal(often!.schedule!.kind, "often");
  assert.deepEqual(often!.ticks.slice(0, 3), [86_399, 86_400, 86_400]);
  assert.deepEqual(often!.skipped.slice(0, 3), [86_399, 86_400, 0]);
  assert.equal(minutely!.schedule!.id, "config:minutely:0");
  assert.deepEqual(minutely!.ticks.slice(0, 2), [1_439, 1_440]);
  assert.deepEqual(minutely!.skipped.slice(0, 5), [0, 0, 1_440, 1_440, 0]);
});

test("forecast() says that a job is disabled, and leaves removed schedules out", async () => {
  const jobs = [
    jobOf("work", { schedules: [scheduleOf()] }),
    jobOf("gone", { schedules: [scheduleOf()] }),
  ];
  const before = await new ManagerWorld({ jobs }).started();
  await before.of(before.manager.stop());
  const world = await new ManagerWorld({ jobs: [], disabledKinds: ["work"], before }).started();
  const { entries } = await forecastOf(world, { to: START + 90_000 });
  assert.deepEqual(texts(entries), ["work 1 skipped disabled"]);
  assert.match(entries[0]!.why, /its job is disabled: Cannot load work\.ts: as asked$/);
});

test("forecast() lists retries with their attempts", async () => {
  const world = await new ManagerWorld({
    jobs: [jobOf("work", {
      options: {
        retry: { ...jobOf("x").options.retry, max: 3, initialMs: 5 * MINUTE, capMs: HOUR },
      },
    })],
  }).started();
  world.executor.onRun = (attempt) => attempt.fail("no");
  await world.schedule();
  await world.clock.settle();
  const { entries } = await forecastOf(world);
  assert.deepEqual(texts(entries), ["work 5 runs"]);
  assert.equal(entries[0]!.instance!.attempt, 1);
  assert.match(entries[0]!.why, /for its next attempt; attempt 1 ended: error$/);
});

test("forecast() shares its limit between ticks and waiting instances", async () => {
  const world = await new ManagerWorld({
    jobs: [jobOf("work", { schedules: [scheduleOf({ cron: "*/10 * * * *" })] })],
  }).started();
  for (let minute = 1; minute <= 8; minute++) {
    await world.schedule("work", { after: minute * MINUTE });
  }
  const found = await forecastOf(world, { to: START + HOUR, limit: 10 });
  const ticks = found.entries.filter(({ schedule }) => schedule !== null);
  assert.deepEqual([found.entries.length, ticks.length, found.waiting], [10, 5, 8]);
  const narrow = await forecastOf(world, { to: START + HOUR, limit: 4 });
  assert.equal(narrow.entries.length, 4);
  assert.equal(narrow.densities.length, 1);
});

test("forecast() refuses spans and numbers out of range", async () => {
  const world = await new ManagerWorld().started();
  const queries: ForecastQuery[] = [
    { to: START },
    { to: START + 32 * DAY + 1 },
    { limit: 0 },
    { limit: 1_001 },
    { spans: 401 },
    { kinds: [3 as unknown as string] },
  ];
  for (const query of queries) {
    await assert.rejects(
      forecastOf(world, query),
      (error: unknown) => isJobError(error, "invalid_argument"),
      JSON.stringify(query),
    );
  }
  assert.equal((await forecastOf(world, { to: START + 32 * DAY, spans: 400 })).bounds.length, 401);
  // The past is not forecast.
  const { from, to } = await forecastOf(world, { from: START - DAY });
  assert.deepEqual([from, to], [START, START + DAY]);
});

import assert from "node:assert/strict";
import test from "node:test";
import type { ScheduleRecord, ScheduleSpec } from "../../../src/core/time/schedule.ts";
import {
  countForecast,
  countFuture,
  type ForecastTick,
  forecastTicks,
  type Outlook,
} from "../../../src/core/time/forecast.ts";
import { nextTickOf } from "../../../src/core/time/ticks.ts";
import { simulate, type SimulatedTick } from "../../../src/tools/simulation/engine.ts";

const START = Date.UTC(2026, 2, 27);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const SPEC: ScheduleSpec = {
  cron: "*/10 * * * *",
  everyMs: null,
  timezone: "UTC",
  overlap: "skip",
  misfire: "latest",
  misfireWithinMs: DAY,
  jitterMs: 0,
};

function outlookOf(
  spec: Partial<ScheduleSpec> = {},
  given: Partial<Omit<Outlook, "record">> & { readonly record?: Partial<ScheduleRecord> } = {},
): Outlook {
  const whole = { ...SPEC, ...spec };
  const record: ScheduleRecord = {
    id: "config:mail:0",
    kind: "mail",
    origin: "config",
    spec: whole,
    specHash: "",
    generation: 1,
    cursor: START,
    startAt: START,
    nextAt: nextTickOf(whole, START, START),
    argumentsJson: "[]",
    priority: null,
    timeoutMs: null,
    retryMax: null,
    createdAt: START,
    updatedAt: START,
    ...given.record,
  };
  const facts = { nowMs: START, pausedUntil: null, isDisabled: false, durationMs: null };
  return { ...facts, openUntil: [], ...given, record };
}

/** Ticks as minutes from the start, with what is expected: "10", "20 overlap", "30 at 35". */
function texts(ticks: Iterable<ForecastTick>): string[] {
  return [...ticks].map(({ at, skipped, startsAt, replaces }) =>
    [
      (at - START) / MINUTE,
      skipped,
      startsAt === at ? null : `at ${(startsAt - START) / MINUTE}`,
      replaces === null ? null : `replaces ${(replaces - START) / MINUTE}`,
    ].filter((part) => part !== null).join(" ")
  );
}

const hour = { fromMs: START, toMs: START + HOUR };

test("forecastTicks() decides as the scheduler does", () => {
  const list = (...given: Parameters<typeof outlookOf>) =>
    texts(forecastTicks(outlookOf(...given), hour));
  assert.deepEqual(list(), ["10", "20", "30", "40", "50"]);
  assert.deepEqual(list({ blackout: ["00:20-00:40"] }), [
    ...["10", "20 blackout", "30 blackout", "40", "50"],
  ]);
  const until = START + 30 * MINUTE;
  assert.deepEqual(list({}, { pausedUntil: until }), ["10 paused", "20 paused", "30", "40", "50"]);
  const skipped = "skip requested";
  assert.deepEqual(list({}, { record: { skipUntil: until } }), [
    ...[`10 ${skipped}`, `20 ${skipped}`, "30", "40", "50"],
  ]);
  assert.deepEqual(list({}, { record: { skipNext: 1 } }), [
    ...[`10 ${skipped}`, "20", "30", "40", "50"],
  ]);
  assert.deepEqual(list({ runsMax: 5 }, { record: { runs: 3 } }), ["10", "20", "30 runs_max"]);
  assert.deepEqual(list({}, { isDisabled: true }).slice(0, 1), ["10 disabled"]);
  assert.deepEqual(list({ endsAt: until }), ["10", "20"]);
  assert.deepEqual(list({}, { record: { removedAt: START } }), []);
  assert.deepEqual(list({}, { record: { nextAt: null } }), []);
  assert.deepEqual(list({}, { nowMs: until }), ["30", "40", "50"]);
});

test("forecastTicks() expects overlaps from the usual duration", () => {
  const list = (overlap: ScheduleSpec["overlap"], minutes: number, openUntil = 0) =>
    texts(forecastTicks(
      outlookOf({ overlap }, {
        durationMs: minutes * MINUTE,
        openUntil: openUntil === 0 ? [] : [START + openUntil * MINUTE],
      }),
      hour,
    ));
  assert.deepEqual(list("skip", 9), ["10", "20", "30", "40", "50"]);
  // The end of a run comes a little later than its tick.
  assert.deepEqual(list("skip", 10), ["10", "20 overlap", "30", "40 overlap", "50"]);
  assert.deepEqual(list("skip", 5, 15), ["10 overlap", "20", "30", "40", "50"]);
  assert.deepEqual(list("queue", 15), [
    ...["10", "20 at 25", "30 at 40", "40 at 55", "50 at 70"],
  ]);
  assert.deepEqual(list("replace", 15), [
    ...["10", "20 replaces 25", "30 replaces 35", "40 replaces 45", "50 replaces 55"],
  ]);
  assert.deepEqual(list("allow", 60), ["10", "20", "30", "40", "50"]);
});

test("forecastTicks() carries the ticks before the span over", () => {
  const later = { fromMs: START + 30 * MINUTE, toMs: START + HOUR };
  const list = (given: Parameters<typeof outlookOf>[1], spec: Partial<ScheduleSpec> = {}) =>
    texts(forecastTicks(outlookOf(spec, given), later));
  assert.deepEqual(list({ record: { skipNext: 3 } }), ["30 skip requested", "40", "50"]);
  assert.deepEqual(list({}, { runsMax: 3 }), ["30", "40 runs_max"]);
  assert.deepEqual(list({ durationMs: 11 * MINUTE }), ["30", "40 overlap", "50"]);
  // Too many to decide on one by one.
  const far = { fromMs: START + 20 * DAY, toMs: START + 20 * DAY + 3 * MINUTE };
  const often = outlookOf({ cron: "* * * * *", runsMax: 28_802 }, { record: { skipNext: 2 } });
  assert.deepEqual(texts(forecastTicks(often, far)), ["28800", "28801", "28802"]);
});

test("forecastTicks() agrees with the simulation of the manager", () => {
  const crons = ["*/7 * * * *", "0 */3 * * *", "30 2 * * *", "0 0-5 * * 6,0", "*/20 1-4 * * *"];
  for (const cron of crons) {
    for (const overlap of ["skip", "queue", "allow"] as const) {
      for (const minutes of [1, 17, 200]) {
        const blackout = ["sat 03:00-05:00", "22:30-00:30"];
        const spec = { cron, overlap, blackout, timezone: "Europe/Berlin", queueMax: 2 };
        const durationMs = minutes * MINUTE;
        const outlook = outlookOf(spec, { durationMs });
        const settled: SimulatedTick[] = [];
        simulate({
          jobs: [{
            kind: "mail",
            durationMs,
            schedules: [{ id: "x", spec: outlook.record.spec, priority: 5, limits: [] }],
          }],
          workers: 1_000,
          node: "n1",
          fromMs: START,
          toMs: START + 3 * DAY,
        }, (tick) => settled.push(tick));
        const wanted = settled.sort((left, right) => left.at - right.at)
          .map(({ at, fate, reason, startedAt }) =>
            fate === "skipped" ? [at, reason, at] : [at, null, startedAt ?? "later"]
          );
        const span = { fromMs: START, toMs: START + 3 * DAY };
        const found = [...forecastTicks(outlook, span)].map((
          { at, skipped, startsAt },
        ) => [at, skipped, startsAt >= span.toMs ? "later" : startsAt]);
        assert.deepEqual(found, wanted, `${cron} ${overlap} ${minutes}`);
      }
    }
  }
});

test("countForecast() counts what forecastTicks() lists", () => {
  const bounds = Array.from({ length: 25 }, (_, index) => START + index * 3 * HOUR);
  const specs: Partial<ScheduleSpec>[] = [
    { cron: "*/5 * * * *" },
    { cron: "30 2 * * *", timezone: "Europe/Berlin" },
    { everyMs: 7 * MINUTE, cron: null, overlap: "allow" },
    { cron: "*/10 * * * *", blackout: ["22:00-06:00", "sat 05:00-12:00"] },
    { cron: "0 * * * *", blackout: ["2026-03-28/2026-03-29"], timezone: "Asia/Kathmandu" },
    { cron: "*/10 * * * *", runsMax: 100 },
    { cron: "*/10 * * * *", endsAt: START + 30 * HOUR },
  ];
  const facts: Parameters<typeof outlookOf>[1][] = [
    {},
    { pausedUntil: START + 10 * HOUR },
    { record: { skipUntil: START + 2 * HOUR }, pausedUntil: START + HOUR },
    { record: { skipNext: 30 } },
    { nowMs: START + 13 * HOUR },
    { isDisabled: true },
  ];
  for (const spec of specs) {
    for (const given of facts) {
      const outlook = outlookOf(spec, given);
      const { ticks, skipped } = countForecast(outlook, bounds);
      for (const [span, count] of ticks.entries()) {
        const range = { fromMs: bounds[span]!, toMs: bounds[span + 1]! };
        const listed = [...forecastTicks(outlook, range)]
          .filter((tick) => tick.skipped !== "runs_max");
        const what = `${JSON.stringify(spec)} ${JSON.stringify(given)} span ${span}`;
        assert.equal(count, listed.length, what);
        assert.equal(skipped[span], listed.filter((tick) => tick.skipped !== null).length, what);
      }
    }
  }
});

test("countForecast() expects overlaps from the distance of ticks", () => {
  const bounds = [START, START + HOUR, START + 2 * HOUR];
  const count = (overlap: ScheduleSpec["overlap"], durationMs: number) =>
    countForecast(outlookOf({ cron: "* * * * *", overlap }, { durationMs }), bounds);
  assert.deepEqual(count("skip", MINUTE - 1).skipped, [0, 0]);
  assert.deepEqual(count("skip", MINUTE).skipped, [29, 30]);
  assert.deepEqual(count("queue", 3 * MINUTE - 1).skipped, [39, 40]);
  assert.deepEqual(count("allow", 3 * MINUTE).skipped, [0, 0]);
});

test("countFuture() counts ticks that are not decided yet", () => {
  const outlook = outlookOf({}, { nowMs: START + 20 * MINUTE });
  assert.equal(countFuture(outlook, hour), 4);
  assert.equal(countFuture(outlook, { fromMs: START + 30 * MINUTE, toMs: START + HOUR + 1 }), 4);
  assert.equal(countFuture(outlookOf({}, { record: { removedAt: 1 } }), hour), 0);
});

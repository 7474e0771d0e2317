import assert from "node:assert/strict";
import test from "node:test";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { isJobError } from "../../../src/core/errors.ts";
import { failed, START } from "../../../src/conformance/world/store_world.ts";
import type { ReadApi } from "../../../src/manager/api.ts";
import { ScopedQueries, scopedReads } from "../../../src/manager/scoped_reads.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import {
  CalendarRequestSchema,
  type CalendarResponse,
  CalendarResponseSchema,
  ForecastRequestSchema,
  type ForecastResponse,
  ForecastResponseSchema,
  JobState,
  LookupTimelineRequestSchema,
  type LookupTimelineResponse,
  LookupTimelineResponseSchema,
} from "../../../src/rpc/gen/job_pb.ts";
import { ScopedHandlers } from "../../../src/rpc/handlers/scoped_handlers.ts";
import { timelineHandlers } from "../../../src/rpc/handlers/timeline_handlers.ts";
import { writeJson } from "../../../src/rpc/model/write_json.ts";
import { fromBinary } from "@bufbuild/protobuf";
import { MemoryStore } from "../../../src/store/memory/store.ts";
import { TimelineWorld } from "../../manager/timeline/timeline_world.ts";

const MINUTE = 60_000;

/** A world, and its methods as a caller limited to some jobs calls them; null for all jobs. */
async function openWorld(jobs: readonly string[] | null = null) {
  const world = await new TimelineWorld(new MemoryStore({ defer: systemClock.defer })).opened();
  const api = world.timeline as unknown as ReadApi;
  const handlers = new ScopedHandlers<ReadApi>({
    api,
    limit: (patterns) =>
      scopedReads(new ScopedQueries(api, async () => ["mail", "other"], patterns)),
    handlersOf: timelineHandlers,
  });
  const call = { isCanceled: () => false, jobs };
  const complete = (name: "forecast" | "calendar" | "lookupTimeline", request: Uint8Array) =>
    handlers.complete(name, request, call);
  return {
    world,
    forecast: async (given: MessageInitShape<typeof ForecastRequestSchema> = {}) => {
      const request = toBinary(ForecastRequestSchema, create(ForecastRequestSchema, given));
      return fromBinary(ForecastResponseSchema, await complete("forecast", request));
    },
    calendar: async (given: MessageInitShape<typeof CalendarRequestSchema> = {}) => {
      const request = toBinary(CalendarRequestSchema, create(CalendarRequestSchema, given));
      return fromBinary(CalendarResponseSchema, await complete("calendar", request));
    },
    lookupTimeline: async (given: MessageInitShape<typeof LookupTimelineRequestSchema> = {}) => {
      const schema = LookupTimelineRequestSchema;
      const request = toBinary(schema, create(schema, given));
      return fromBinary(LookupTimelineResponseSchema, await complete("lookupTimeline", request));
    },
  };
}

test("forecast, calendar and timeline have everything on the wire, and in JSON", async () => {
  const { world, forecast, calendar, lookupTimeline } = await openWorld();
  await world.putSchedule();
  await world.finish({}, { outcome: failed() });
  const waiting = await world.addOne({ dueAt: START + 2 * MINUTE + 1_000 });
  await world.store.setPause({ at: world.at, kind: null, until: START + MINUTE, reason: "x" });
  world.advance(1);

  const future: ForecastResponse = await forecast({ to: timestampFromMs(START + 3 * MINUTE) });
  assert.deepEqual(
    future.entries.map(({ at, outcome, uuid, scheduleId }) => [
      timestampMs(at!) - START,
      outcome,
      uuid ?? scheduleId,
    ]),
    [
      [MINUTE, "runs", "config:mail:0"],
      [2 * MINUTE, "runs", "config:mail:0"],
      [2 * MINUTE + 1_000, "runs", waiting.id],
    ],
  );
  assert.equal(future.waiting, 1n);
  const json = JSON.parse(writeJson(ForecastResponseSchema.typeName, future));
  assert.deepEqual(json.entries[2], {
    at: "2026-01-01T00:02:01.000Z",
    kind: "mail",
    instance_id: waiting.id,
    outcome: "runs",
    why: "It waits until 2026-01-01 00:02:01 +00:00",
    starts_at: "2026-01-01T00:02:01.000Z",
    attempts: 0,
  });
  const dense = await forecast({ to: timestampFromMs(START + 9 * MINUTE), limit: 1, spans: 3 });
  assert.deepEqual(dense.densities.map(({ kind, ticks, skipped }) => [kind, ticks, skipped]), [
    ["mail", [3, 2, 3], [0, 0, 0]],
  ]);

  const days: CalendarResponse = await calendar({ timezone: "Europe/Berlin" });
  const day = days.cells.find(({ terminated }) => terminated > 0n)!;
  assert.deepEqual([day.name, day.terminated, day.unfinished, day.waiting], [
    ...["2026-01-01", 1n, 1n, 1n],
  ]);
  assert.equal(days.timezone, "Europe/Berlin");
  const hours = await calendar({ hours: true, from: timestampFromMs(START) });
  assert.equal(hours.cells.length, 24);

  const past: LookupTimelineResponse = await lookupTimeline();
  assert.deepEqual(past.runs.map(({ state, error, attempts }) => [state, error, attempts]), [
    [JobState.TERMINATED, "boom", 1],
    [JobState.SCHEDULED, undefined, 0],
  ]);
  const few = await lookupTimeline({ limit: 1, spans: 2 });
  assert.deepEqual(
    few.counts.map(({ kind, terminated, unfinished }) => [
      kind,
      terminated,
      unfinished,
    ]),
    [["mail", [0n, 1n], [0n, 1n]]],
  );
});

test("a caller limited to some jobs sees nothing of others in forecast, calendar and timeline", async () => {
  const { world, forecast, calendar, lookupTimeline } = await openWorld(["oth*"]);
  await world.putSchedule();
  await world.putSchedule({ id: "config:other:0", kind: "other" });
  await world.finish();
  const own = await world.finish({ kind: "other" });
  await world.add({ dueAt: START + MINUTE });
  await world.store.setPause({ at: world.at, kind: null, until: null, reason: "" });
  world.advance(MINUTE);
  await world.fire(START, [START + MINUTE]);
  world.advance(1);
  const future = await forecast();
  assert.deepEqual(new Set(future.densities.map(({ kind }) => kind)), new Set(["other"]));
  assert.equal(future.waiting, 0n);
  const { cells } = await calendar();
  const sum = (name: "completed" | "skipped" | "waiting") =>
    cells.reduce((total, cell) => total + cell[name], 0n);
  assert.deepEqual([sum("completed"), sum("skipped"), sum("waiting")], [1n, 0n, 0n]);
  const past = await lookupTimeline();
  assert.deepEqual(past.runs.map(({ uuid }) => uuid), [own.id]);
  assert.deepEqual(past.gaps, []);
  for (const read of [forecast, calendar, lookupTimeline]) {
    const isRefused = (error: unknown) => isJobError(error, "permission_denied");
    await assert.rejects(read({ kinds: ["mail"] }), isRefused);
  }
});

test("forecast, calendar and timeline refuse what is out of range", async () => {
  const { forecast, calendar, lookupTimeline } = await openWorld();
  const isRefused = (error: unknown) => isJobError(error, "invalid_argument");
  await assert.rejects(forecast({ kinds: Array(1_001).fill("mail") }), isRefused);
  await assert.rejects(forecast({ limit: 0 }), isRefused);
  await assert.rejects(calendar({ timezone: "Mars" }), isRefused);
  await assert.rejects(lookupTimeline({ from: { seconds: 1n << 60n, nanos: 0 } }), isRefused);
});

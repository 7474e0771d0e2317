import assert from "node:assert/strict";
import { test } from "node:test";
import type { ScheduleSpec } from "../../../src/core/time/schedule.ts";
import { hashOf } from "../../../src/manager/schedules/schedule_spec.ts";

const SPEC: ScheduleSpec = {
  cron: "0 3 * * *",
  everyMs: null,
  timezone: "UTC",
  overlap: "queue",
  misfire: "all",
  misfireWithinMs: 1,
  jitterMs: 2,
  startsAt: 3,
  endsAt: 4,
  blackout: ["sat-sun"],
  runsMax: 5,
  queueMax: 6,
};

test("hashOf() gives stored schedules the hashes of earlier versions", () => {
  assert.equal(hashOf(SPEC, "[1]", 7), "4786a32c4279af5b7a7a5138f3f08078");
  const { startsAt: _, blackout: __, runsMax: ___, ...some } = SPEC;
  assert.equal(hashOf(some, "[1]", 7), "a48bfb456a5d83a2c29bdca9bc994f81");
  const { endsAt: ____, queueMax: _____, ...common } = some;
  const every = { ...common, cron: null, everyMs: 1_000, overlap: "skip", misfire: "latest" };
  assert.equal(
    hashOf({ ...every, jitterMs: 0 } as ScheduleSpec, "[]", null),
    "bba98de420ae9b007d93be664e5f8428",
  );
});

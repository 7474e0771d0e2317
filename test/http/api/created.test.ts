import assert from "node:assert/strict";
import { test } from "node:test";
import { type Created, placeOf } from "../../../src/http/api/created.ts";

test("placeOf() names the instance, or the schedule, and nothing of a dry run", () => {
  const place = (response: Created) => placeOf(response, "/base");
  assert.equal(place({ instance: { uuid: "u-1" } }), "/base/api/v1/instances/u-1");
  assert.equal(place({ schedule: { id: "a b" } }), "/base/api/v1/schedules/a%20b");
  assert.equal(place({ instance: { uuid: "" } }), null);
  assert.equal(place({}), null);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { AfterRest } from "../../src/platform/after_rest.ts";
import { SimClock } from "../support/sim_clock.ts";

test("AfterRest runs its action once nothing was done for three seconds", async () => {
  const clock = new SimClock();
  let count = 0;
  const rest = new AfterRest(clock, () => count += 1);
  rest.note();
  await clock.advance(2_000);
  rest.note();
  await clock.advance(2_999);
  assert.equal(count, 0);
  await clock.advance(1);
  assert.equal(count, 1);
  await clock.advance(10_000);
  assert.equal(count, 1);
  rest.note();
  await clock.advance(3_000);
  assert.equal(count, 2);
});

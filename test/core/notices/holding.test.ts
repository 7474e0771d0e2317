import assert from "node:assert/strict";
import { test } from "node:test";
import { holdOf, isRunning, silenceZoneOf } from "../../../src/core/notices/holding.ts";
import { isChannelOf } from "../../../src/core/notices/job_channels.ts";

const MIDNIGHT = Date.UTC(2026, 0, 5);
const HOUR = 3_600_000;
const RULES = { quiet: ["00:00-07:00"], digestMs: HOUR };

test("holdOf() prefers a silence to quiet hours, and these to a digest", () => {
  const at = (atMs: number) => ({ timezone: "UTC", atMs });
  const silence = MIDNIGHT + 2 * HOUR;
  const silenced = { why: "silence", until: silence };
  assert.deepEqual(holdOf(RULES, silence, at(MIDNIGHT)), silenced);
  assert.deepEqual(holdOf(undefined, silence, at(MIDNIGHT)), silenced);
  const quiet = { why: "quiet", until: MIDNIGHT + 7 * HOUR };
  assert.deepEqual(holdOf(RULES, null, at(MIDNIGHT)), quiet);
  const noon = at(MIDNIGHT + 12 * HOUR);
  assert.deepEqual(holdOf(RULES, null, noon), { why: "digest", windowMs: HOUR });
  assert.equal(holdOf({ ...RULES, digestMs: null }, null, noon), null);
  assert.equal(holdOf(undefined, null, noon), null);
});

test("isRunning() takes a window for over at its end, and when the clock was set back", () => {
  assert.equal(isRunning(MIDNIGHT + HOUR, HOUR, MIDNIGHT), true);
  assert.equal(isRunning(MIDNIGHT, HOUR, MIDNIGHT), false);
  assert.equal(isRunning(MIDNIGHT + HOUR + 1, HOUR, MIDNIGHT), false);
});

test("silenceZoneOf() is the configuration's zone for a job without schedules", () => {
  assert.equal(silenceZoneOf({ schedules: [] }, "Asia/Tokyo"), "Asia/Tokyo");
});

test("isChannelOf() goes by the names of a job, or else by the patterns of the channel", () => {
  const ops = { name: "ops", jobs: ["shop-*"] };
  const isOps = (kind: string, notify?: readonly string[]) => isChannelOf({ kind, notify }, ops);
  assert.deepEqual([isOps("shop-mail"), isOps("bank")], [true, false]);
  assert.deepEqual([isOps("bank", ["ops"]), isOps("shop-mail", ["other"])], [true, false]);
  assert.deepEqual([isOps("shop-mail", ["*"]), isOps("bank", ["*", "other"])], [true, false]);
  assert.equal(isOps("shop-mail", []), false);
});

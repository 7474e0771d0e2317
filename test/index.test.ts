import assert from "node:assert/strict";
import { test } from "node:test";
import { Manager } from "../src/index.ts";

test("registerJob() gives schedules that name no zone the manager's", () => {
  const manager = new Manager({ timezone: "Europe/Berlin" });
  const run = () => {};
  const job = manager.registerJob({ kind: "report", schedule: "30 2 * * *", run });
  assert.equal(job.schedules[0]!.spec.timezone, "Europe/Berlin");
  const own = manager.registerJob({ kind: "sync", schedule: "@daily", timezone: "UTC", run });
  assert.equal(own.schedules[0]!.spec.timezone, "UTC");
});

import assert from "node:assert/strict";
import test from "node:test";
import { Manager } from "../../src/index.ts";
import { processorMs } from "../support/processor_time.ts";

test("registerJob() puts schedules that name no zone in the manager's", async () => {
  const manager = new Manager({ timezone: "Asia/Tokyo" });
  const { schedules } = manager.registerJob({ kind: "daily", schedule: "0 9 * * *", run() {} });
  assert.equal(schedules[0]!.spec.timezone, "Asia/Tokyo");
});

test("registerJob() after the start serves the job's schedules", async () => {
  const manager = new Manager();
  await manager.start();
  try {
    const fired = new Promise<void>((resolve) =>
      void manager.registerJob({ kind: "often", schedule: "@every 100ms", run: () => resolve() })
    );
    await fired;
  } finally {
    await manager.stop();
  }
});

test("scheduleJob() with a cron of undefined schedules now", async () => {
  const manager = new Manager();
  await manager.start();
  try {
    manager.registerJob({ kind: "once", run: () => 7 });
    const options = { cron: undefined } as object;
    const { state } = await manager.wait(await manager.scheduleJob("once", options));
    assert.equal(state, "completed");
  } finally {
    await manager.stop();
  }
});

test("fault 41: registerJob() and scheduleRecurring() refuse a date that never comes, naming the field, in 50 ms", async () => {
  const manager = new Manager();
  await manager.start();
  try {
    manager.registerJob({ kind: "work", run() {} });
    const cron = "0 0 30 2 *";
    const names = /day of month "30" never comes in month "2"/;
    const start = processorMs();
    assert.throws(() => manager.registerJob({ kind: "never", schedule: cron, run() {} }), names);
    await assert.rejects(manager.scheduleRecurring("work", { cron }), names);
    assert.ok(processorMs() - start < 50);
  } finally {
    await manager.stop();
  }
});

test("registerJob() picks for H by the job's kind", () => {
  const manager = new Manager();
  const cronOf = (kind: string) =>
    manager.registerJob({ kind, schedule: "H H * * *", run() {} }).schedules[0]!.spec.cron;
  assert.match(cronOf("a")!, /^\d+ \d+ \* \* \*$/);
  assert.notEqual(cronOf("b"), cronOf("c"));
});

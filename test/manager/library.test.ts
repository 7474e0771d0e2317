import assert from "node:assert/strict";
import test from "node:test";
import { Manager } from "../../src/index.ts";

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

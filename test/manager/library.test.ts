import assert from "node:assert/strict";
import test from "node:test";
import { JobError, Manager, resultsOf } from "../../src/index.ts";
import { processorMs } from "../support/processes/processor_time.ts";

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

test("scheduleJob() applies the defaults of params, which no function knows", async () => {
  const manager = new Manager();
  await manager.start();
  try {
    manager.registerJob({
      kind: "sum",
      params: "x: number, y = 2, note: string | null = 'none', at = new Date()",
      run: (...given) => given,
    });
    const results = async (args: unknown) => {
      const instance = await manager.scheduleJob("sum", { arguments: args as unknown[] });
      return resultsOf(await manager.wait(instance))[0];
    };
    assert.deepEqual(await results([1]), [1, 2, "none", null]);
    assert.deepEqual(await results({ x: "1", note: null }), [1, 2, null, null]);
    assert.deepEqual(await results([1, 5, "a", "2026-01-01"]), [
      1,
      5,
      "a",
      "2026-01-01T00:00:00.000Z",
    ]);
  } finally {
    await manager.stop();
  }
});

test("scheduleJob() refuses options that it does not have", async () => {
  const manager = new Manager();
  await manager.start();
  try {
    manager.registerJob({ kind: "work", run() {} });
    const options = { later: 50 } as object;
    await assert.rejects(manager.scheduleJob("work", options), (error) => {
      assert.ok(error instanceof JobError);
      assert.equal(error.message, 'Cannot schedule job "work": unknown option "later"');
      assert.equal(error.path, "later");
      return true;
    });
    assert.equal((await manager.lookupInstances({})).items.length, 0);
  } finally {
    await manager.stop();
  }
});

test("registerJob() refuses a class, and a function without a name, for what they are", () => {
  const manager = new Manager();
  const Named = class Mailer {};
  assert.throws(
    () => manager.registerJob(Named as unknown as () => void),
    /Cannot define job "Mailer": "run" is a class/,
  );
  assert.throws(() => manager.registerJob(() => 1), /Cannot register a job: it has no kind/);
});

test("explain() names the limit that an instance waits for", async () => {
  const manager = new Manager();
  await manager.start();
  try {
    const held = Promise.withResolvers<void>();
    manager.registerJob({ kind: "one", concurrency: 1, run: () => held.promise });
    const first = await manager.scheduleJob("one");
    const second = await manager.scheduleJob("one");
    const [report] = await manager.explain({ instanceId: second.id });
    assert.match(report!.why, /^It has been waiting since .* for concurrency of one \(1 of 1\)$/);
    held.resolve();
    await manager.wait(first);
    await manager.wait(second);
  } finally {
    await manager.stop();
  }
});

test("registerJob() refuses a function that is to run in another process", () => {
  assert.throws(
    () => new Manager().registerJob({ kind: "far", isolation: "process", run: () => 1 }),
    /Cannot register job "far" with isolation "process": a function runs where it was made/,
  );
});

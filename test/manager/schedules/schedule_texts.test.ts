import assert from "node:assert/strict";
import test from "node:test";
import { JobError, Manager, type ScheduleOptions } from "../../../src/index.ts";

async function withManager(body: (manager: Manager) => Promise<void>): Promise<void> {
  const manager = new Manager();
  await manager.start();
  try {
    await body(manager);
  } finally {
    await manager.stop();
  }
}

test("scheduleJob() takes durations as text", () =>
  withManager(async (manager) => {
    manager.registerJob({ kind: "work", run() {} });
    const before = Date.now();
    const instance = await manager.scheduleJob("work", {
      after: "2h",
      timeout: "5m",
      deadline: "1d",
      jitter: "0",
      uniqueKey: "one",
      uniqueFor: "3h",
    });
    const waitMs = instance.dueAt - before;
    assert.ok(waitMs >= 7_200_000 && waitMs < 7_300_000, `due in ${waitMs} ms`);
    assert.equal(instance.timeoutMs, 300_000);
    assert.equal(instance.deadlineAt! - instance.dueAt, 86_400_000);
    assert.equal(instance.uniqueUntil! - instance.createdAt, 10_800_000);
  }));

test("scheduleJobs() and recurring schedules take durations as text", () =>
  withManager(async (manager) => {
    manager.registerJob({ kind: "work", run() {} });
    const [late] = await manager.scheduleJobs([{ kind: "work", after: "1h", timeout: "90s" }]);
    assert.equal(late!.timeoutMs, 90_000);
    const { id, spec, timeoutMs } = await manager.scheduleJob("work", {
      cron: "0 3 * * *",
      jitter: "10s",
      misfireWithin: "2h",
      timeout: "1m",
    });
    assert.deepEqual([spec.jitterMs, spec.misfireWithinMs, timeoutMs], [10_000, 7_200_000, 60_000]);
    assert.equal((await manager.updateSchedule(id, { timeout: "2m" })).timeoutMs, 120_000);
    assert.equal((await manager.updateSchedule(id, { timeout: null })).timeoutMs, null);
  }));

const REFUSED: readonly [options: object, path: string, message: RegExp][] = [
  [{ after: "2 hours" }, "after", /^Cannot use "after" "2 hours": /],
  [{ timeout: "5" }, "timeout", /the unit is missing/],
  [{ deadline: {} }, "deadline", /not milliseconds or duration text/],
  [{ after: -1 }, "after", /not a whole number/],
  [{ after: "1s", afterMs: 5 }, "after", /both "after" and "afterMs"/],
  [{ after: "1s", at: new Date() }, "at", /both "at" and "after"/],
];

for (const [options, path, message] of REFUSED) {
  test(`scheduleJob() refuses ${JSON.stringify(options)}`, () =>
    withManager(async (manager) => {
      manager.registerJob({ kind: "work", run() {} });
      await assert.rejects(manager.scheduleJob("work", options as ScheduleOptions), (error) => {
        assert.ok(error instanceof JobError);
        assert.equal(error.code, "invalid_argument");
        assert.equal(error.path, path);
        assert.match(error.message, message);
        return true;
      });
      assert.equal((await manager.lookupInstances({})).items.length, 0);
    }));
}

test("a job schedules with durations as text, too", () =>
  withManager(async (manager) => {
    manager.registerJob({ kind: "child", run() {} });
    manager.registerJob({
      kind: "parent",
      params: "ctx: Context",
      run: (ctx) => ctx.manager.scheduleJob("child", { after: "2h" }),
    });
    await manager.wait(await manager.scheduleJob("parent"));
    const { items: [child] } = await manager.lookupInstances({ kinds: ["child"] });
    assert.ok(child!.dueAt - child!.createdAt > 7_100_000);
  }));

test("children wait behind other work of their job's priority, unless they have their own", () =>
  withManager(async (manager) => {
    manager.registerJob({ kind: "child", priority: 3, run() {} });
    manager.registerJob({ kind: "lowest", priority: 2 ** 31 - 1, run() {} });
    manager.registerJob({
      kind: "parent",
      params: "ctx: Context",
      run: async (ctx) => {
        await ctx.manager.scheduleJob("child");
        await ctx.manager.scheduleJob("child", { priority: 3 });
        await ctx.manager.scheduleJobs([{ kind: "child" }, { kind: "lowest" }]);
      },
    });
    const parent = await manager.wait(await manager.scheduleJob("parent"));
    assert.equal(parent.priority, 5);
    const { items } = await manager.lookupInstances({ parentId: parent }, { order: "oldest" });
    assert.deepEqual(items.map(({ priority }) => priority), [4, 3, 4, 2 ** 31 - 1]);
    assert.equal((await manager.scheduleJob("child")).priority, 3);
  }));

test("the log of an instance formats values as console does", () =>
  withManager(async (manager) => {
    const cause = new RangeError("too far");
    cause.stack = "RangeError: too far\n    at here";
    manager.registerJob({
      kind: "talk",
      params: "ctx: Context",
      run: ({ log }) => {
        log.info("100%", "of", { a: [1, { b: 2 }] }, null, undefined, 7n);
        log.warn("%s has %d of %j", "it", 2, { c: 3 });
        log.error(cause);
        log.debug("only %s");
        log.info({
          get [Symbol.toStringTag]() {
            throw new Error("hostile");
          },
        });
        log.info();
        log.info("x".repeat(20_000));
      },
    });
    const { id, state } = await manager.wait(await manager.scheduleJob("talk"));
    assert.equal(state, "completed");
    const { items } = await manager.lookupInstanceLogs({ instanceId: id });
    const messages = items.map(({ message }) => message);
    assert.equal(messages[0], "100% of { a: [ 1, { b: 2 } ] } null undefined 7n");
    assert.equal(messages[1], 'it has 2 of {"c":3}');
    assert.match(messages[2]!, /^RangeError: too far\n {4}at here/);
    assert.equal(messages[3], "only %s");
    assert.equal(messages[5], "");
    assert.ok(messages[6]!.length < 9_000);
    assert.equal(messages.length, 7);
  }));

test("priorities below 0 are the same in definitions and at schedule time", () =>
  withManager(async (manager) => {
    const { options } = manager.registerJob({ kind: "first", priority: -20, run() {} });
    assert.equal(options.priority, -20);
    assert.equal((await manager.scheduleJob("first")).priority, -20);
    assert.equal((await manager.scheduleJob("first", { priority: -1 })).priority, -1);
    for (const priority of [-(2 ** 31), 2 ** 31, 0.5]) {
      assert.throws(() => manager.registerJob({ kind: `p${priority}`, priority, run() {} }));
      await assert.rejects(manager.scheduleJob("first", { priority }));
    }
  }));

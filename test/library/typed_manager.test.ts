import assert from "node:assert/strict";
import test from "node:test";
import { JobError, Manager, type StandardSchema } from "../../src/index.ts";
import { withTempDir } from "../support/temp_dir.ts";

async function withManager(
  body: (manager: Manager) => Promise<void>,
  setup: ConstructorParameters<typeof Manager>[0] = {},
): Promise<void> {
  const manager = new Manager(setup);
  await manager.start();
  try {
    await body(manager);
  } finally {
    await manager.stop();
  }
}

function refused(code: string, message: RegExp): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof JobError);
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  };
}

test("scheduleJob() registers a function whose kind is free, once", () =>
  withManager(async (manager) => {
    const double = (x: number) => 2 * x;
    for (const x of [1, 2]) {
      const done = await manager.wait(await manager.scheduleJob(double, { arguments: [x] }));
      assert.deepEqual([done.kind, done.arguments, done.results], ["double", [x], [2 * x]]);
    }
  }));

test("scheduleJob() registers a definition whose kind is free, and takes the same one again", () =>
  withManager(async (manager) => {
    const job = { kind: "hello (no input and no return)", run: () => "hello" };
    await manager.wait(await manager.scheduleJob(job));
    const done = await manager.wait(await manager.scheduleJob(job));
    assert.deepEqual(done.results, ["hello"]);
    const other = { ...job, run: () => "another" };
    await assert.rejects(
      manager.scheduleJob(other),
      refused("already_exists", /the kind is taken/),
    );
    await assert.rejects(
      manager.scheduleJob(() => 1),
      refused("invalid_argument", /it has no kind/),
    );
    for (const job of [undefined, 5, {}]) {
      await assert.rejects(manager.scheduleJob(job as never), refused("invalid_argument", /./));
    }
  }));

test("kinds with blanks have queues and unique keys of their own", () =>
  withManager(async (manager) => {
    const run = () => {};
    const limits = { params: "a: string", concurrency: { max: 1, by: "a" }, unique: "a", run };
    await manager.resizeWorkers(0);
    const kinds = ["mail", "mail a", "mail%20a", "sum (two input and one output)"];
    for (const kind of kinds) manager.registerJob({ kind, ...limits });
    const of = (kind: string) => manager.scheduleJob(kind, { arguments: ["x"] });
    const instances = await Promise.all(kinds.map(of));
    assert.equal(new Set(instances.map(({ id }) => id)).size, kinds.length);
    for (const member of ["queueKey", "uniqueKey"] as const) {
      const keys = instances.map((instance) => instance[member]);
      assert.deepEqual(keys.map((key) => key!.split(" ")[0]), [
        "mail",
        "mail%20a",
        "mail%2520a",
        "sum%20(two%20input%20and%20one%20output)",
      ]);
    }
    await manager.resizeWorkers(4);
    await manager.idle();
    assert.equal(await manager.count({ state: "completed" }), kinds.length);
  }));

test("registerJob() with replace takes the place of the job of its kind", () =>
  withManager(async (manager) => {
    manager.registerJob({ kind: "one", run: () => "old" });
    assert.throws(
      () => manager.registerJob({ kind: "one", run: () => "new" }),
      refused("already_exists", /taken/),
    );
    manager.registerJob({ kind: "one", run: () => "new" }, { replace: true });
    assert.deepEqual((await manager.wait(await manager.scheduleJob("one"))).results, ["new"]);
    assert.throws(
      () => manager.registerJob({ kind: "one", run() {} }, { replaces: true } as object),
      refused("invalid_argument", /unknown option "replaces"/),
    );
  }));

test("scheduleJob() before the start opens the store, for several at once", () =>
  withTempDir({}, async ({ path }) => {
    const manager = new Manager({ store: `sqlite:${path}/jobs.db` });
    const ran: number[] = [];
    const job = manager.registerJob({ kind: "early", run: (x: number) => void ran.push(x) });
    const instances = await Promise.all([1, 2, 3].map((x) => job.schedule(x)));
    assert.equal(await manager.count({ state: "scheduled" }), 3);
    await manager.stop();
    await assert.rejects(job.schedule(4), refused("unavailable", /has stopped/));
    await manager.start();
    await job.schedule(5);
    await manager.idle({ timeout: "20s" });
    assert.deepEqual(ran.sort(), [1, 2, 3, 5]);
    assert.equal((await manager.getInstance(instances[0]!.id)).state, "completed");
    await manager.stop();
  }));

test("handlers at schedule time take the place of the job's, for that instance", () =>
  withManager(async (manager) => {
    const told: string[] = [];
    const tell = (text: string) => void told.push(text);
    manager.registerJob({
      kind: "work",
      run: (fails: boolean) => {
        if (fails) throw new Error("no luck");
        return "fine";
      },
      onComplete: () => tell("job's own"),
    });
    const options = {
      onComplete: (_: unknown, results: readonly unknown[]) => tell(`complete ${results}`),
      onTerminate: (_: unknown, error: Error) => tell(`terminate ${error.message}`),
      onStateChange: (_: unknown, state: string) => tell(state),
    };
    await manager.scheduleJob("work", { arguments: [false], ...options });
    await manager.idle();
    assert.deepEqual(told.splice(0), ["scheduled", "processing", "complete fine", "completed"]);
    await manager.scheduleJob("work", { arguments: [true], ...options });
    await manager.idle();
    assert.deepEqual(told.splice(0), [
      "scheduled",
      "processing",
      "terminate no luck",
      "terminated",
    ]);
    await manager.scheduleJob("work", { arguments: [false] });
    await manager.idle();
    assert.deepEqual(told.splice(0), ["job's own"]);
  }));

test("handlers of an instance that is not accepted are of none", () =>
  withManager(async (manager) => {
    const told: string[] = [];
    manager.registerJob({ kind: "work", run() {} });
    await manager.scheduleJob("work", { uniqueKey: "k", after: "30ms" });
    const onComplete = () => void told.push("complete");
    const second = await manager.scheduleJob("work", { uniqueKey: "k", after: "30ms", onComplete });
    await manager.wait(second);
    await manager.idle();
    assert.deepEqual(told, []);
    await assert.rejects(
      manager.scheduleJob("work", { cron: "@daily", onComplete } as never),
      refused("invalid_argument", /unknown option "onComplete"/),
    );
  }));

test("idle() waits for what runs and what is due, not for what is due later", () =>
  withManager(async (manager) => {
    const held = Promise.withResolvers<void>();
    manager.registerJob({ kind: "held", run: () => held.promise });
    manager.registerJob({ kind: "work", run() {} });
    await manager.idle();
    await manager.scheduleJob("work", { after: "1h" });
    await manager.scheduleJob("held");
    await assert.rejects(manager.idle({ timeout: "30ms" }), refused("timeout", /after 30 ms/));
    await manager.scheduleJobs(Array.from({ length: 50 }, () => ({ kind: "work" })));
    held.resolve();
    await manager.idle({ timeout: 20_000 });
    assert.equal(await manager.count({ state: "completed" }), 51);
    assert.equal(await manager.count({ kind: "work", states: ["scheduled"] }), 1);
  }, { workers: 2 }));

test("idle() refuses a manager that is not running", async () => {
  await assert.rejects(new Manager().idle(), refused("unavailable", /not running/));
});

test("count() agrees with the list, by counts and by pages", () =>
  withManager(async (manager) => {
    manager.registerJob({ kind: "a", run() {} });
    manager.registerJob({ kind: "b", run() {} });
    await manager.resizeWorkers(0);
    const kinds = ["a", "b", "a", "a"];
    const instances = await manager.scheduleJobs(kinds.map((kind) => ({ kind })));
    const counts = await Promise.all([
      manager.count(),
      manager.count({ kind: "a" }),
      manager.count({ kinds: ["a", "b", "a"], state: "scheduled" }),
      manager.count({ kind: "none" }),
      manager.count({ kinds: [] }),
      manager.count({ ids: instances.slice(0, 2).map(({ id }) => id) }),
      manager.count({ kind: "b", after: instances[0]!.createdAt - 1 }),
    ]);
    assert.deepEqual(counts, [4, 3, 4, 0, 0, 2, 1]);
  }));

test("instances() gives every instance once, over several pages, in the order wanted", () =>
  withManager(async (manager) => {
    manager.registerJob({ kind: "many", run() {} });
    await manager.resizeWorkers(0);
    const accepted = await manager.scheduleJobs(
      Array.from({ length: 450 }, (_, index) => ({ kind: "many", arguments: [index] })),
    );
    const found: unknown[] = [];
    for await (const { arguments: [index] } of manager.instances({ kind: "many" })) {
      found.push(index);
    }
    assert.deepEqual(found, accepted.map((_, index) => 449 - index));
    for await (const first of manager.instances({}, { order: "oldest" })) {
      assert.deepEqual(first.arguments, [0]);
      break;
    }
  }));

test("values of an instance are no part of its copies", () =>
  withManager(async (manager) => {
    manager.registerJob({ kind: "sum", run: (x: number, y: number) => x + y });
    const done = await manager.wait(await manager.scheduleJob("sum", { arguments: [1, 2] }));
    assert.deepEqual([done.arguments, done.results], [[1, 2], [3]]);
    assert.equal(done.results, done.results);
    const copy: object = { ...done };
    assert.ok(!("results" in copy) && !("arguments" in JSON.parse(JSON.stringify(done))));
    const { items: [listed] } = await manager.lookupInstances({ kind: "sum" });
    assert.deepEqual(listed!.results, [3]);
  }));

test("a closure with a tuple in returns has several results of their types", () =>
  withManager(async (manager) => {
    const job = manager.registerJob({
      kind: "both",
      returns: "[day: Date, product: number]",
      run: (x: number, y: number): [Date, number] => [new Date(x), x * y],
    });
    const { results } = await manager.wait(await job.schedule(6, 7));
    assert.deepEqual(results, [new Date(6), 42]);
    assert.equal((await job.result(await job.schedule(1, 2))).getTime(), 1);
    for (const returns of ["[number", "5 +", "Missing", "number) => {}; (", ""]) {
      assert.throws(
        () => manager.registerJob({ kind: "bad", returns, run() {} }),
        refused("invalid_argument", /Cannot read returns/),
      );
    }
  }));

test("result() returns the first result, or throws the failure", () =>
  withManager(async (manager) => {
    const job = manager.registerJob({
      kind: "risky",
      run: (fails: boolean) => {
        if (fails) throw new RangeError("too far");
        return { fine: true };
      },
    });
    assert.deepEqual(await job.result(await job.schedule(false)), { fine: true });
    const failed = await job.schedule(true);
    await assert.rejects(job.result(failed), (error) => {
      assert.ok(error instanceof JobError);
      assert.match(error.message, /^Cannot take the result of job "risky": it failed: too far$/);
      assert.equal((error.cause as Error).name, "RangeError");
      return true;
    });
    const late = await job.scheduleWith({ after: "1h", priority: -3 }, false);
    assert.equal(late.priority, -3);
    await assert.rejects(job.result(late, { timeout: "20ms" }), refused("timeout", /20 ms/));
    await manager.cancelInstances({ instance: late });
    await assert.rejects(job.result(late), refused("canceled", /it was canceled/));
  }));

/** A schema like those of libraries: a record of checks, some of which change the value. */
function record<Input, Output>(
  read: (value: Record<string, unknown>) => Output | string,
): StandardSchema<Input, Output> {
  return {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: async (value) => {
        const result = read(value as Record<string, unknown>);
        return typeof result === "string"
          ? { issues: [{ message: result, path: [{ key: "to" }, 0] }] }
          : { value: result };
      },
    },
  };
}

test("an argument of undefined at the end is left out", () =>
  withManager(async (manager) => {
    const step: StandardSchema<number | undefined, number> = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: (value) =>
          value === undefined || typeof value === "number"
            ? { value: value ?? 10 }
            : { issues: [{ message: "expected a number" }] },
      },
    };
    const job = manager.registerJob({ kind: "step", params: [step, step], run: (a, b) => a + b });
    assert.equal(await job.result(await job.schedule(1, undefined)), 11);
    assert.equal(await job.result(await job.scheduleWith({ priority: 0 })), 20);
    const untyped = manager.registerJob({
      kind: "plain",
      run: (...args: unknown[]) => args.length,
    });
    assert.equal(await untyped.result(await untyped.schedule(1, undefined, 2, undefined)), 3);
  }));

test("a schema checks arguments when scheduling, and makes what the function is given", () =>
  withManager(async (manager) => {
    const mail = record<{ to: string; on?: string }, { to: string; on: Date }>((value) =>
      typeof value?.to === "string"
        ? { to: value.to, on: new Date((value.on as string | undefined) ?? 0) }
        : "expected text"
    );
    const job = manager.registerJob({
      kind: "mail",
      params: mail,
      run: ({ to, on }, ctx) => `${ctx.instance.kind} ${to} ${on.getTime()}`,
    });
    assert.equal(await job.result(await job.schedule({ to: "ann" })), "mail ann 0");
    const wrong = { arguments: [{ to: 5 }] };
    const check = (error: unknown) => {
      refused("invalid_argument", /to\[0\]: expected text/)(error);
      assert.equal((error as JobError).path, "arguments[0].to[0]");
      return true;
    };
    await assert.rejects(manager.scheduleJob("mail", wrong), check);
    await assert.rejects(manager.scheduleJobs([{ kind: "mail", ...wrong }]), check);
    await assert.rejects(manager.scheduleJob(job, { cron: "@daily", ...wrong }), check);
    await assert.rejects(manager.scheduleJob("mail"), check);
    await assert.rejects(
      manager.scheduleJob("mail", { arguments: [{ to: "a" }, 2, 3] }),
      refused("invalid_argument", /argument/),
    );
    assert.equal(await manager.count({ kind: "mail" }), 1);
  }));

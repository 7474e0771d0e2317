import assert from "node:assert/strict";
import test from "node:test";
import {
  JobError,
  Manager,
  nextTicks,
  readSignature,
  resultsOf,
  type StandardSchema,
} from "../../src/index.ts";

interface Refusal {
  readonly path?: string;
  readonly message: RegExp;
  readonly hint?: RegExp;
}

function refusal({ path, message, hint }: Refusal): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof JobError, String(error));
    assert.match(error.message, message);
    assert.equal(error.path, path, error.message);
    if (hint) assert.match(error.hint ?? "", hint);
    return true;
  };
}

async function assertRefused(run: () => unknown, wanted: Refusal): Promise<void> {
  // A constructor throws, a method rejects.
  await assert.rejects(async () => await run(), refusal(wanted));
}

/** Mistakes in code that no compiler checks: the call, and its error. */
const MISTAKES: Readonly<Record<string, readonly [run: (manager: any) => unknown, Refusal]>> = {
  "a zone that does not exist": [
    () => new Manager({ timezone: "Europe/Berln" }),
    { path: "timezone", message: /"Europe\/Berln"/ },
  ],
  "a lease without a unit": [
    () => new Manager({ lease: "15" }),
    { path: "lease", message: /^Cannot use "lease" "15": the unit is missing/, hint: /"10s"/ },
  ],
  "a pool that is text": [
    () => new Manager({ pools: { heavy: "2" as never } }),
    { path: "pools", message: /"pools": found "2" for "heavy", wanted a whole number/ },
  ],
  "a Map of options": [
    () => new Manager(new Map([["workers", 5]]) as never),
    { message: /found a Map of 1, wanted an object of options/ },
  ],
  "options of a store without its URL": [
    () => new Manager({ store: { prefix: "shop" } as never }),
    { path: "store.url", message: /"store.url": it is missing/, hint: /url: "valkey:/ },
  ],
  "a Map of conditions": [
    (manager) => manager.lookupInstances(new Map([["kind", "sum"]])),
    { message: /found a Map of 1, wanted an object of conditions/ },
  ],
  "a promise that was not awaited": [
    (manager) => manager.count(Promise.resolve({ kind: "sum" })),
    { message: /found a promise, wanted an object of conditions/ },
  ],
  "a list as kind": [
    (manager) => manager.lookupInstances({ kind: ["sum"] }),
    { path: "kind", message: /"kind" is an array of 1, not .* \(kinds takes a list\)/ },
  ],
  "a member of a limit that does not exist": [
    (manager) => manager.registerJob({ kind: "a", run: () => {}, concurrency: { mx: 1 } }),
    { path: "concurrency", message: /"concurrency": found the unknown key "mx"/, hint: /"max"/ },
  ],
  "no job": [
    (manager) => manager.registerJob(undefined),
    { message: /from undefined/, hint: /Give a named function/ },
  ],
  "a cron expression of four fields": [
    (manager) => manager.scheduleJob("sum", { arguments: [1, 2], cron: "0 0 * *" }),
    { path: "cron", message: /it has 4 fields/ },
  ],
  "a zone of a schedule": [
    (manager) => manager.scheduleJob("sum", { arguments: [1, 2], cron: "@daily", timezone: "X/Y" }),
    { path: "timezone", message: /"X\/Y"/ },
  ],
  "a delay that is a word": [
    (manager) => manager.scheduleJob("sum", { arguments: [1, 2], after: "soon" }),
    { path: "after", message: /^Cannot use "after" "soon": "soon" is not a number with a unit$/ },
  ],
  "a key without a rule": [
    (manager) => manager.scheduleJob("hi", { onConflict: "keep" }),
    { path: "uniqueKey", message: /there is no key$/, hint: /^Give "uniqueKey", or set "unique"/ },
  ],
  "a key for no time": [
    (manager) => manager.scheduleJob("hi", { uniqueKey: "k", uniqueFor: 0 }),
    { path: "uniqueFor", message: /^Cannot use "uniqueFor" "0": / },
  ],
  "a time and a delay": [
    (manager) => manager.scheduleJob("hi", { at: 1, after: "2s" }),
    { path: "at", message: /^Cannot schedule with both "at" and "after"$/ },
  ],
  "an id that is not a UUID": [
    (manager) => manager.scheduleJob("hi", { id: "x" }),
    { path: "id", message: /^Cannot use "id" "x": / },
  ],
  "an unknown instance": [
    (manager) => manager.getInstance("01938f2c-7d3e-7000-8000-000000000000"),
    { path: "id", message: /: no such instance$/ },
  ],
  "no runs of a schedule": [
    (manager) => manager.scheduleRecurring("hi", { cron: "@daily", runsMax: 0 }),
    { path: "runsMax", message: /^Cannot use "runsMax" "0": / },
  ],
  "an end of a schedule that is no time": [
    (manager) => manager.scheduleRecurring("hi", { cron: "@daily", endsAt: -1 }),
    { path: "endsAt", message: /^Cannot use "endsAt" "-1": / },
  ],
  "an unknown misfire policy": [
    (manager) => manager.scheduleRecurring("hi", { cron: "@daily", misfire: "often" as never }),
    { path: "misfire", message: /^Cannot use "misfire" "often": no such choice$/ },
  ],
  "a time limit that is a word": [
    (manager) => manager.idle({ timeout: "soon" }),
    { path: "timeout", message: /^Cannot use "timeout" "soon"/ },
  ],
  "one wrong request of two": [
    (manager) => manager.scheduleJobs([{ kind: "hi" }, { kind: "hi", pririty: 3 }]),
    { path: "requests[1].pririty", message: /\(requests\[1\]\)/, hint: /"priority"/ },
  ],
  "a wrong argument in one request of two": [
    (manager) => manager.scheduleJobs([{ kind: "hi" }, { kind: "sum", arguments: [1, "two"] }]),
    { path: "requests[1].y", message: /"two" is not a number \(requests\[1\]\)/ },
  ],
  "a kind that does not exist in one request of two": [
    (manager) => manager.scheduleJobs([{ kind: "hi" }, { kind: "smu" }]),
    { path: "requests[1].kind", message: /"smu".*\(requests\[1\]\)/, hint: /"sum"/ },
  ],
  "a kind in place of a request": [
    (manager) => manager.scheduleJobs(["hi"]),
    { path: "requests[0].kind", message: /wanted a kind \(requests\[0\]\)/ },
  ],
  "workers as text": [
    (manager) => manager.resizeWorkers("3"),
    { path: "count", message: /^Cannot run "3" workers/ },
  ],
  "a schedule in place of its id": [
    (manager) => manager.deleteSchedule({ id: "x" }),
    { message: /^Cannot delete schedule an object: no such schedule/ },
  ],
  "no cron expression": [
    () => nextTicks(5 as never, { after: new Date(0), count: 1 }),
    { path: "expression", message: /found 5/, hint: /as text/ },
  ],
  "a function in place of its source": [
    () => readSignature((() => {}) as never),
    { path: "source", message: /of a function/, hint: /text of a module/ },
  ],
  "results of nothing": [
    () => resultsOf(undefined as never),
    { path: "instance", message: /of undefined/, hint: /manager\.wait/ },
  ],
};

test("a mistake is refused with its value, its place and a remedy", async () => {
  const manager = new Manager();
  manager.registerJob({ kind: "sum", params: "x: number, y: number", run: (x, y) => x + y });
  manager.registerJob({ kind: "hi", run: () => {} });
  await manager.start();
  try {
    for (const [name, [run, wanted]] of Object.entries(MISTAKES)) {
      await assertRefused(() => run(manager), wanted).catch((error: Error) => {
        throw new Error(`${name}: ${error.message}`, { cause: error });
      });
    }
    assert.equal(await manager.count(), 0);
  } finally {
    await manager.stop();
  }
});

test("a handle refuses arguments that are given twice, and the result of another job", async () => {
  const manager = new Manager();
  const sum = manager.registerJob({ kind: "sum", run: (x: number, y: number) => x + y });
  const hi = manager.registerJob({ kind: "hi", run: () => "hi" });
  await manager.start();
  try {
    const options = { arguments: [3, 4] } as object;
    await assertRefused(() => sum.scheduleWith(options, 1, 2), {
      path: "arguments",
      message: /Cannot schedule job "sum": "arguments"/,
      hint: /after the options/,
    });
    const instance = await hi.schedule();
    for (const other of [instance.id, instance as never]) {
      await assertRefused(() => sum.result(other), {
        path: "instance",
        message: /job "sum": instance ".*" is of job "hi"/,
        hint: /manager\.wait/,
      });
    }
    assert.equal(await hi.result(instance), "hi");
  } finally {
    await manager.stop();
  }
});

test("scheduleJobs() takes what registerJob() returned as kind", async () => {
  const manager = new Manager();
  const sum = manager.registerJob({ kind: "sum", run: (x: number, y: number) => x + y });
  await manager.start();
  try {
    const [instance] = await manager.scheduleJobs([{ kind: sum, arguments: [1, 2] }]);
    assert.deepEqual((await manager.wait(instance!)).results, [3]);
  } finally {
    await manager.stop();
  }
});

test("a manager that has stopped says so, and that it can be started again", async () => {
  const manager = new Manager();
  manager.registerJob({ kind: "hi", run: () => {} });
  await manager.start();
  await manager.stop();
  const wanted = { message: /^Cannot .*: the manager has stopped$/, hint: /manager\.start\(\)/ };
  await assertRefused(() => manager.scheduleJob("hi"), wanted);
  await assertRefused(() => manager.scheduleJobs([{ kind: "hi" }]), wanted);
  await assertRefused(() => manager.count(), wanted);
  await assertRefused(() => manager.redriveInstances({ kind: "hi" }), wanted);
  await manager.start();
  await manager.wait(await manager.scheduleJob("hi"));
  await manager.stop();
});

/** Like ArkType's: a list whose own `map` begins with the length given to its constructor. */
class Path extends Array<PropertyKey> {
  constructor(...parts: PropertyKey[]) {
    super();
    this.push(...parts);
  }
}

function failing(message: string, path: readonly PropertyKey[]): StandardSchema<unknown> {
  const validate = () => ({ issues: [{ message, path }] });
  return { "~standard": { version: 1, vendor: "test", validate } };
}

test("an issue of a schema has the path of its value, and a hint on dates only for one", async () => {
  const manager = new Manager();
  manager.registerJob({
    kind: "a",
    params: failing("must be positive", new Path()),
    run: () => {},
  });
  manager.registerJob({ kind: "b", params: failing("no date", new Path("at", 1)), run: () => {} });
  await assertRefused(() => manager.scheduleJob("a", { arguments: [-2] }), {
    path: "arguments[0]",
    message: /as argument 1 of job "a": must be positive$/,
  });
  const at = [0, new Date(0)];
  await assertRefused(() => manager.scheduleJob("b", { arguments: [{ at }] }), {
    path: "arguments[0].at[1]",
    message: /: at\[1\]: no date$/,
    hint: /a schema for a Date must accept text/,
  });
  await assert.rejects(manager.scheduleJob("a", { arguments: [-2] }), { hint: undefined });
  await manager.stop();
});

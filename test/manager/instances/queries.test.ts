import assert from "node:assert/strict";
import test from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import {
  convertArguments,
  type Instance,
  type InstanceFilter,
  Manager,
  nextTicks,
  readSignature,
} from "../../../src/index.ts";

/** A manager with one finished instance of each of three kinds, and one that waits of two. */
async function withWorld(
  check: (world: {
    readonly manager: Manager;
    readonly done: Instance;
    readonly waiting: Instance;
    readonly count: () => Promise<number>;
  }) => Promise<void>,
): Promise<void> {
  const manager = new Manager({ workers: 1 });
  for (const kind of ["s", "slow", "sum"]) manager.registerJob({ kind, run: () => kind });
  manager.registerJob({
    kind: "bad",
    run: () => {
      throw new Error("broken");
    },
  });
  await manager.start();
  try {
    const done = await manager.wait(await manager.scheduleJob("sum"));
    await manager.wait(await manager.scheduleJob("bad"));
    const waiting = await manager.scheduleJob("s", { afterMs: 3_600_000 });
    await manager.scheduleJob("slow", { afterMs: 3_600_000 });
    const count = async () => (await manager.lookupInstances({})).items.length;
    await check({ manager, done, waiting, count });
  } finally {
    await manager.stop();
  }
}

/** Checks for `invalid_argument` of a member, with a hint like `hint`. */
function refuses(path: string, hint?: RegExp) {
  return (error: unknown) => {
    assert.ok(isJobError(error, "invalid_argument"), String(error));
    assert.equal(error.path, path);
    if (hint) assert.match(error.hint ?? "", hint);
    return true;
  };
}

/** A filter as untyped code may write it. */
function untyped(filter: unknown): InstanceFilter {
  return filter as InstanceFilter;
}

const MISTAKES: readonly (readonly [filter: unknown, path: string, hint?: RegExp])[] = [
  [{ knid: "sum" }, "knid", /Did you mean "kind"/],
  [{ kinds: "slow" }, "kinds"],
  [{ kind: ["slow"] }, "kind"],
  [{ kind: "" }, "kind"],
  [{ idPrefix: "" }, "idPrefix"],
  [{ state: "Schedulled" }, "state", /Did you mean "scheduled"/],
  [{ states: ["nope"] }, "states[0]", /States: created/],
  [{ states: "Terminated" }, "states"],
  [{ instance: "nope" }, "instance"],
  [{ ids: ["nope"] }, "ids"],
  [{ after: "yesterday" }, "after"],
  [{ before: new Date(NaN) }, "before"],
  [{ isDead: false }, "isDead"],
  [{ kind: "s", kinds: ["slow"] }, "kinds", /one of them/],
];

test("a mistake in a filter is refused by every look-up, cancel, redrive and clear, and changes nothing", async () => {
  await withWorld(async ({ manager, count }) => {
    const before = await count();
    for (const [mistake, path, hint] of MISTAKES) {
      const filter = untyped(mistake);
      await assert.rejects(manager.lookupInstances(filter), refuses(path, hint));
      await assert.rejects(manager.cancelInstances(filter), refuses(path, hint));
      await assert.rejects(manager.cancelInstances(filter, { all: true }), refuses(path, hint));
      await assert.rejects(manager.redriveInstances(filter), refuses(path, hint));
      await assert.rejects(manager.clearInstanceHistory(filter), refuses(path, hint));
    }
    assert.equal(await count(), before);
    const { items } = await manager.lookupInstances({ state: "scheduled" });
    assert.deepEqual(items.map(({ kind }) => kind).sort(), ["s", "slow"]);
  });
});

test("a cancel, a redrive and a clear without a condition ask for all: true", async () => {
  await withWorld(async ({ manager, count }) => {
    const all = /all: true/;
    const kind = process.env.JOBCTL_NO_SUCH_VARIABLE;
    await assert.rejects(manager.cancelInstances({}), refuses("query", all));
    await assert.rejects(manager.redriveInstances({}), refuses("query", all));
    await assert.rejects(manager.clearInstanceHistory({}), refuses("query", all));
    await assert.rejects(manager.clearInstanceLogs({}), refuses("query", all));
    await assert.rejects(
      manager.cancelInstances({ kind, state: "scheduled" }),
      refuses("kind", /Leave it out/),
    );
    await assert.rejects(manager.clearInstanceHistory({ all: false }), refuses("query", all));
    assert.equal(await count(), 4);
    assert.equal((await manager.redriveInstances({}, { all: true })).length, 1);
    assert.equal((await manager.cancelInstances({ all: true })).length >= 2, true);
    assert.equal(await manager.clearInstanceLogs({ all: true }) >= 0, true);
    assert.equal(await manager.clearInstanceHistory({ all: true }) >= 4, true);
  });
});

test("a condition that is inherited, hidden or read twice widens nothing", async () => {
  await withWorld(async ({ manager, count }) => {
    const state = "completed";
    class OfKind {
      readonly state = state;
      get kind(): string {
        return "none";
      }
    }
    const hidden = Object.defineProperty({ state }, "kind", { value: "none" });
    const inherited = Object.assign(Object.create({ kind: "none" }), { state });
    for (const filter of [new OfKind(), hidden, inherited]) {
      const given = untyped(filter);
      await assert.rejects(manager.clearInstanceHistory(given), refuses("kind", /plain object/));
      await assert.rejects(manager.cancelInstances(given), refuses("kind"));
      await assert.rejects(manager.redriveInstances(given), refuses("kind"));
      await assert.rejects(
        manager.clearInstanceLogs(Object.create(given)),
        refuses("kind"),
      );
      await assert.rejects(manager.lookupInstances(given), refuses("kind"));
    }
    const all = Object.create({ all: true });
    await assert.rejects(manager.clearInstanceHistory(all), refuses("all"));
    await assert.rejects(manager.clearInstanceHistory({}, all), refuses("all"));
    let reads = 0;
    const changing = {
      state,
      get kind() {
        return ++reads === 1 ? "none" : undefined;
      },
    };
    assert.equal(await manager.clearInstanceHistory(untyped(changing)), 0);
    assert.equal(await count(), 4);
  });
});

test("a filter takes a kind, a state in any spelling, an instance and times as they are at hand", async () => {
  await withWorld(async ({ manager, done, waiting }) => {
    const kindsOf = async (filter: InstanceFilter) =>
      (await manager.lookupInstances(filter)).items.map(({ kind }) => kind).sort();
    assert.deepEqual(await kindsOf({ kind: "sum" }), ["sum"]);
    assert.deepEqual(await kindsOf({ kind: manager.getJob("sum") }), ["sum"]);
    assert.deepEqual(await kindsOf({ instance: done }), ["sum"]);
    assert.deepEqual(await kindsOf({ instance: done.id.toUpperCase() }), ["sum"]);
    for (const state of ["Completed", "COMPLETED", "JOB_STATE_COMPLETED"]) {
      assert.deepEqual(await kindsOf(untyped({ state })), ["sum"]);
    }
    assert.deepEqual(await kindsOf({ states: ["Terminated", "timed_out", "Cancelled"] }), ["bad"]);
    assert.deepEqual(await kindsOf({ ids: [] }), []);
    assert.deepEqual(await kindsOf({ kinds: [] }), []);
    const from = new Date(done.createdAt);
    assert.equal((await kindsOf({ after: from })).length, 4);
    assert.equal((await kindsOf({ after: from.toISOString() })).length, 4);
    assert.deepEqual(await kindsOf({ before: from.toISOString() }), []);
    const [canceled, ...others] = await manager.cancelInstances({ instance: waiting });
    assert.equal(canceled!.id, waiting.id);
    assert.deepEqual(others, []);
    const history = await manager.lookupInstanceHistory({ instance: done });
    assert.equal(history.items.at(-1)!.state, "completed");
    assert.equal(
      await manager.clearInstanceHistory({ kind: "sum", settledBefore: new Date(0) }),
      0,
    );
    assert.equal(await manager.clearInstanceHistory({ kind: "sum" }), 1);
  });
});

test("redriveInstances() of ids refuses one that does not meet the other conditions", async () => {
  await withWorld(async ({ manager }) => {
    const [dead] = (await manager.lookupInstances({ isDead: true })).items;
    await assert.rejects(
      manager.redriveInstances({ ids: [dead!.id], kind: "sum" }),
      (error) => isJobError(error, "conflict"),
    );
    assert.equal((await manager.redriveInstances({ instance: dead!, kind: "bad" })).length, 1);
  });
});

test("a mistake in any options object is refused with what was meant", async () => {
  const logs = { warn() {} };
  for (
    const [setup, path] of [
      [{ worker: 5 }, "worker"],
      [{ workers: "5" }, "workers"],
      [{ logger: logs }, "logger"],
      [{ lease: -1 }, "lease"],
      [{ pools: { heavy: 0 } }, "pools"],
    ] as const
  ) {
    assert.throws(() => new Manager(setup as object), refuses(path));
  }
  assert.throws(() => new Manager({ worker: 5 } as object), refuses("worker", /"workers"/));
  const source = "export default (x: number) => x;";
  const signature = readSignature(source);
  for (
    const [call, path] of [
      [() => readSignature(source, { path: "x" } as object), "path"],
      [() => convertArguments(signature, [1], { knid: "x" } as object), "knid"],
      [
        () => nextTicks("@daily", { after: new Date(), count: 1, timezon: "UTC" } as never),
        "timezon",
      ],
    ] as const
  ) assert.throws(call, refuses(path));
  assert.throws(() => new Manager({ timezone: "Europe/Berlim" }), /Europe\/Berlim/);
  await withWorld(async ({ manager, done }) => {
    const wrong = (options: object) => options as never;
    const id = done.id;
    const attempts: readonly [() => unknown, string, RegExp?][] = [
      [() => manager.scheduleJob("sum", wrong({ prioritty: 1 })), "prioritty", /"priority"/],
      [() => manager.scheduleJob("sum", wrong({ uniqueKey: 5 })), "uniqueKey"],
      [() => manager.scheduleJob("sum", wrong({ cron: "@daily", timzone: "UTC" })), "timzone"],
      [() => manager.scheduleJobs([wrong({ kind: "sum", argumets: [] })]), "requests[0].argumets"],
      [
        () => manager.scheduleRecurring("sum", wrong({ cron: "@daily", blackouts: [] })),
        "blackouts",
      ],
      [() => manager.updateSchedule(id, wrong({ crom: "@daily" })), "crom", /"cron"/],
      [() => manager.lookupInstances({}, wrong({ limits: 5 })), "limits", /"limit"/],
      [() => manager.lookupInstances({}, { limit: 0 }), "limit"],
      [() => manager.lookupInstanceLogs(wrong({ ids: [id] })), "ids", /Known conditions/],
      [() => manager.lookupInstanceHistory(wrong({ instnce: id })), "instnce", /"instance"/],
      [() => manager.cancelInstances({ kind: "s" }, wrong({ al: true })), "al", /"all"/],
      [() => manager.redriveInstances({ kind: "s" }, wrong({ force: true })), "force"],
      [() => manager.pause("sum", wrong({ untill: 1 })), "untill", /"until"/],
      [() => manager.listSchedules(wrong({ kinds: "x" })), "kinds", /"kind"/],
      [() => manager.runSchedule(wrong({ kind: "sum", shedule: "x" })), "shedule"],
      [() => manager.backfill(wrong({ kind: "sum", frm: 1, to: 2 })), "frm", /"from"/],
      [() => manager.explain(wrong({ instance: id })), "instance", /"instanceId"/],
      [() => manager.stop(wrong({ drain: 5 })), "drain", /drainMs/],
      [() => manager.follow(wrong({ knd: "sum" })).next(), "knd", /"kind"/],
      [
        () => manager.follow({ kind: "sum" }, wrong({ fromnow: true })).next(),
        "fromnow",
        /fromNow/,
      ],
    ];
    for (const [attempt, path, hint] of attempts) {
      await assert.rejects(async () => await attempt(), refuses(path, hint));
    }
  });
});

test("scheduleJob() says what it wants of undefined, a number and an object without a kind", async () => {
  const manager = new Manager();
  for (const job of [undefined, null, 5, "", {}]) {
    await assert.rejects(manager.scheduleJob(job as never), (error) => {
      assert.ok(isJobError(error, "invalid_argument"));
      assert.match(error.message, /wanted a kind/);
      return true;
    });
  }
  assert.throws(
    () => manager.registerJob(undefined as never),
    /Cannot define a job from undefined/,
  );
});

test("a filter takes everyday words for states", async () => {
  await withWorld(async ({ manager }) => {
    const words = ["waiting", "running", "failed", "cancelled", "timed_out"] as const;
    const counts = await Promise.all(words.map((state) => manager.count({ state })));
    assert.deepEqual(counts, [2, 0, 1, 0, 0]);
  });
});

test("TypeScript refuses a member of a filter that is none, in a variable too", async () => {
  const manager = new Manager();
  const filter = { kind: "sum", stat: "scheduled" };
  // @ts-expect-error: "stat" is no condition
  await assert.rejects(manager.lookupInstances(filter), refuses("stat"));
  // @ts-expect-error: "stat" is no condition
  await assert.rejects(manager.cancelInstances(filter), refuses("stat"));
  // @ts-expect-error: "stat" is no condition
  await assert.rejects(manager.clearInstanceHistory(filter), refuses("stat"));
  // @ts-expect-error: it takes one kind
  await assert.rejects(manager.cancelInstances({ kinds: "slow" }), refuses("kinds"));
  // @ts-expect-error: no state
  await assert.rejects(manager.lookupInstances({ states: ["broken"] }), refuses("states[0]"));
});

test("a missing kind, id or time limit is refused, and resumes, pauses and waits for nothing", async () => {
  await withWorld(async ({ manager, waiting }) => {
    await manager.pause(null);
    const nothing = undefined as never;
    const text = "5s" as never;
    const object = {} as never;
    const attempts: readonly [() => unknown, string][] = [
      [() => manager.resume(nothing), "job"],
      [() => manager.pause(nothing), "job"],
      [() => manager.getInstance(nothing), "id"],
      [() => manager.retryInstance(nothing), "id"],
      [() => manager.wait(nothing), "id"],
      [() => manager.wait(waiting, object), "timeoutMs"],
      [() => manager.waitInstance(waiting.id, text), "timeoutMs"],
      [() => manager.waitInstance(waiting.id, -1), "timeoutMs"],
      [() => manager.scheduleJobs(nothing), "requests"],
      [() => manager.scheduleJobs([nothing]), "requests[0].kind"],
      [() => manager.backfill(nothing), "job"],
      [() => manager.previewJob("sum", { prio: 1 } as object), "prio"],
    ];
    for (const [attempt, path] of attempts) {
      await assert.rejects(async () => await attempt(), refuses(path));
    }
    assert.deepEqual((await manager.listPauses()).map(({ kind }) => kind), [null]);
  });
});

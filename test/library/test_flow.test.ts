import assert from "node:assert/strict";
import test from "node:test";
import { type Context, JobError, StepError } from "../../src/index.ts";
import { hangs, never, testFlow } from "../../src/testing/index.ts";

/** Flows under test in virtual time. */

async function order(ctx: Context, id: string) {
  const charge = await ctx.step("charge", () => ({ id: `real charge of ${id}` }), { retry: 3 });
  const answer = await ctx.waitFor<{ ok: boolean }>("approved", { timeout: "7d" });
  if (answer.timedOut || !answer.value.ok) {
    await ctx.step("refund", () => `real refund of ${charge.id}`);
    return "refunded";
  }
  await ctx.sleep("packing", "2s");
  return await ctx.step("ship", () => `shipped ${id}`);
}

test("a flow runs to its waits, takes signals, and ends in virtual time", async () => {
  const charged: number[] = [];
  const flow = testFlow(order, {
    steps: { charge: ({ attempt }) => ({ id: `c${charged.push(attempt)}` }), refund: never },
  });
  await flow.run("o1");
  assert.deepEqual(flow.parkedOn, ["approved"]);
  assert.deepEqual(flow.waits, [
    { type: "signal", name: "approved", until: new Date("2026-01-08T00:00:00Z") },
  ]);
  assert.throws(() => flow.result, /Cannot take the result: it is parked on "approved"/);
  assert.equal(await flow.signal("approved", { ok: true }), "woke");
  assert.deepEqual(flow.parkedOn, ["packing"]);
  await flow.advance(1_999);
  assert.deepEqual(flow.parkedOn, ["packing"]);
  await flow.advance(1);
  assert.equal(flow.result satisfies string, "shipped o1");
  assert.equal(flow.state, "completed");
  assert.deepEqual(charged, [1]);
  const [charge] = flow.steps;
  assert.deepEqual(charge, {
    ...{ type: "step", name: "charge", state: "done", error: null },
    ...{ runs: 1, value: { id: "c1" } },
  });
  assert.deepEqual(flow.unreached, []);
});

test("advance() ends timeouts and pauses at their times", async () => {
  const flow = testFlow(order, { startAt: new Date("2030-05-01T12:00:00Z") });
  await flow.run("o2");
  await flow.advance("6d23h");
  assert.deepEqual(flow.parkedOn, ["approved"]);
  await flow.advance("1h");
  assert.equal(flow.result, "refunded");
  assert.equal(flow.now.toISOString().slice(0, 16), "2030-05-08T12:00");
  assert.equal(
    flow.steps.find(({ name }) => name === "refund")!.value,
    "real refund of real charge of o2",
  );
});

test("a step that fails is retried after its waits", async () => {
  let tries = 0;
  const flow = testFlow(order, {
    steps: {
      charge: () => {
        if (++tries < 3) throw new Error("no answer");
        return { id: "c3" };
      },
    },
  });
  await flow.run("o3");
  assert.deepEqual(flow.parkedOn, ["charge"]);
  await flow.advance("1s");
  assert.equal(tries, 2);
  await flow.advance("2s");
  assert.deepEqual(flow.parkedOn, ["approved"]);
});

test("crashAt() ends the process before the end of a step is recorded", async () => {
  const keys: string[] = [];
  const flow = testFlow(order, {
    steps: {
      refund: ({ key }) => void keys.push(key),
    },
  });
  flow.crashAt("charge");
  await flow.run("o4");
  assert.equal(flow.steps.find(({ name }) => name === "charge")!.runs, 2);
  flow.crashAt("refund");
  flow.crashAt("approved");
  await flow.signal("approved", { ok: false });
  assert.equal(flow.result, "refunded");
  assert.equal(keys.length, 2);
  assert.equal(keys[0], keys[1]);
  assert.deepEqual(flow.unreached, []);
});

test("an undo runs after a failure and a cancel, and can be decided on", async () => {
  const trip = async (ctx: Context, place: string) => {
    await ctx.step("flight", () => place, { undo: () => {}, retry: 0 });
    await ctx.waitFor("confirmed");
  };
  let isBroken = true;
  const undone: unknown[] = [];
  const flow = testFlow(trip, {
    steps: {
      "flight!undo": (value) => {
        undone.push(value);
        if (isBroken) throw new Error("no line");
      },
    },
  });
  await flow.run("Rome");
  await flow.cancel();
  assert.deepEqual(flow.waits.map(({ type }) => type), ["undo"]);
  isBroken = false;
  flow.crashAt("flight!undo");
  await flow.undo("retry");
  assert.equal(flow.state, "canceled");
  assert.deepEqual(undone, ["Rome", "Rome", "Rome"]);
});

test("children are functions in their place, and rounds begin again", async () => {
  const nightly = async (ctx: Context, round: number): Promise<number> => {
    const sizes = await ctx.callAll<(x: number) => number>("scale", [[round], [round + 1]]);
    if (round < 3) return await ctx.continueAs(round + 1);
    return await ctx.call<(x: number) => number>("scale", sizes[1]!);
  };
  const flow = testFlow(nightly, { children: { scale: (x: number) => x * 10 } });
  await flow.run(1);
  assert.equal(flow.result, 400);
});

test("names of stubs and crashes that nothing reached are told", async () => {
  const flow = testFlow(order, { steps: { charg: () => ({ id: "c1" }) } });
  flow.crashAt("pack");
  await flow.run("o5");
  assert.deepEqual(flow.unreached, ["charg", "pack"]);
});

test("a step that must not run fails the test", async () => {
  const flow = testFlow(order, { steps: { refund: never } });
  await flow.run("o6");
  await assert.rejects(
    flow.signal("approved", { ok: false }),
    /Cannot run step "refund": its stub/,
  );
});

test("a step's timeout ends a function that hangs", async () => {
  const slow = async (ctx: Context) => {
    try {
      return await ctx.step("fetch", () => "text", { timeout: "30s", retry: 0 });
    } catch (error) {
      return error instanceof StepError ? error.errorName : "?";
    }
  };
  const flow = testFlow(slow, { steps: { fetch: hangs } });
  await flow.run();
  await flow.advance("29s");
  assert.equal(flow.state, "processing");
  await flow.advance("1s");
  assert.equal(flow.result, "TimeoutError");
});

test("a flow fails as it would in the daemon", async () => {
  const broken = async (ctx: Context) => {
    await ctx.step("one", () => {
      throw new TypeError("no such file");
    }, { retry: 0 });
  };
  const flow = testFlow(broken);
  await flow.run();
  assert.equal(flow.state, "terminated");
  assert.match(flow.error!.message, /Step "one" failed: no such file/);
  assert.throws(() => flow.result, /it is terminated: Step "one" failed/);
});

test("the same name twice side by side is refused with the place in job code", async () => {
  const twice = (ctx: Context) =>
    Promise.all([ctx.step("a", () => 1, {}), ctx.step("a", () => 2, {})]);
  const flow = testFlow(twice);
  await flow.run();
  assert.match(flow.error!.message, /test_flow\.test\.ts:\d+ and test_flow\.test\.ts:\d+/);
});

test("ctx.each has stubs in the steps of its items, and real time passes for real work", async () => {
  const items = async (ctx: Context) =>
    await ctx.each("import", ["a", "b"], (own, item) => own.step("read", () => item), {
      key: (item) => item,
    });
  const flow = testFlow(items, {
    steps: {
      read: async ({ key }) => {
        await new Promise((resolve) => setTimeout(resolve, 30));
        return key.split(":").slice(1).join(":");
      },
    },
  });
  await flow.run();
  assert.deepEqual(flow.result, ["import[a].step:read", "import[b].step:read"]);
});

test("mistakes are refused with the remedy", async () => {
  assert.throws(
    () => testFlow(order, { step: {} } as never),
    (error: JobError) => error.code === "invalid_argument" && /"step"/.test(error.message),
  );
  const flow = testFlow(order);
  await assert.rejects(flow.signal("approved"), /Cannot send a signal: it has not begun/);
  await flow.run("o7");
  await assert.rejects(flow.run("o7"), /it has begun already/);
  await assert.rejects(flow.advance("soon"), /time/);
  await assert.rejects(flow.undo("retry"), /does not wait for that/);
});

test("a deadline passes at its time, and undoes what the steps did", async () => {
  const undone: Date[] = [];
  const flow = testFlow(async (ctx: Context) => {
    await ctx.step("hold", () => 1, { undo: () => void undone.push(flow.now) });
    await ctx.waitFor("never sent");
  }, { deadline: "36h" });
  await flow.run();
  await flow.advance("35h");
  assert.equal(undone.length, 0);
  await flow.advance("2h");
  assert.equal(flow.state, "timedOut");
  assert.equal(undone[0]!.toISOString().slice(0, 16), "2026-01-02T12:00");
});

test("three years pass in a moment", async () => {
  const long = async (ctx: Context) => {
    for (let year = 0; year < 3; year++) await ctx.sleep("year", "365d");
    return ctx.now().getUTCFullYear();
  };
  const flow = testFlow(long);
  await flow.run();
  const startMs = performance.now();
  await flow.advance("1095d");
  assert.equal(flow.result, 2028);
  assert.ok(performance.now() - startMs < 5_000);
});

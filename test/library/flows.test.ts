import assert from "node:assert/strict";
import test from "node:test";
import { JobError, Manager, StepError } from "../../src/index.ts";
import { childId } from "../../src/manager/dispatch/child_id.ts";
import { digestOf } from "../../src/worker/flow/child_operations.ts";
import { type Run, withFlow } from "../support/flow.ts";
import { until } from "../support/wait.ts";

/** Steps, waits and children of functions in this process. */

test("a step runs once, and later runs get what it returned", async () => {
  const calls: string[] = [];
  const run: Run = async (ctx) => {
    const first = await ctx.step("charge", ({ key, attempt }) => {
      calls.push("charge");
      return { at: new Date(0), key, attempt };
    });
    await ctx.sleep("pause", 5);
    calls.push(await ctx.step("after", () => "after"));
    return first;
  };
  await withFlow(run, async (flow) => {
    assert.deepEqual(await flow.result(), {
      ...{ at: "1970-01-01T00:00:00.000Z", key: `${flow.id}:step:charge`, attempt: 1 },
    });
    assert.deepEqual(calls, ["charge", "after"]);
    const { attempt, resumes, failures } = await flow.end();
    assert.deepEqual([attempt, resumes, failures], [1, 1, 0]);
  });
});

test("a step that fails is tried again, parked between, and then fails for good", async () => {
  const tries: number[] = [];
  const run: Run = async (ctx) => {
    try {
      await ctx.step("flaky", ({ attempt }) => {
        tries.push(attempt);
        throw Object.assign(new RangeError("no"), { code: "E_NO", data: { left: 1 } });
      }, { retry: { max: 2, initial: 1 } });
    } catch (error) {
      assert.ok(error instanceof StepError);
      const { step, errorName, message, code, data, attempts } = error;
      await ctx.sleep("later", 1);
      return { step, errorName, message, code, data, attempts };
    }
  };
  await withFlow(run, async (flow) => {
    assert.deepEqual(await flow.result(), {
      ...{ step: "flaky", errorName: "RangeError", message: "no", code: "E_NO" },
      ...{ data: { left: 1 }, attempts: 3 },
    });
    assert.deepEqual(tries, [1, 2, 3]);
  });
});

test("a step that fails for good ends the instance without a retry of the whole", async () => {
  let runs = 0;
  const run: Run = async (ctx) => {
    runs += 1;
    await ctx.step("bad", () => {
      throw new Error("broken");
    }, { retry: 0 });
  };
  await withFlow(run, async (flow) => {
    const { state, attempt, error } = await flow.end();
    assert.deepEqual([state, attempt, error?.message], [
      "terminated",
      1,
      'Step "bad" failed: broken',
    ]);
    assert.equal(runs, 1);
  }, { retry: 5 });
});

test("an error between steps is an attempt, and finished steps stay", async () => {
  const calls: string[] = [];
  const run: Run = async (ctx) => {
    await ctx.step("one", () => void calls.push("one"));
    calls.push("between");
    if (calls.length < 4) throw new Error("try again");
    return await ctx.step("two", () => "two");
  };
  await withFlow(run, async (flow) => {
    assert.equal(await flow.result(), "two");
    assert.deepEqual(calls, ["one", "between", "between", "between"]);
    assert.equal((await flow.end()).attempt, 3);
  }, { retry: 5 });
});

test("a signal wakes its wait; one that came before is found; the oldest first", async () => {
  const run: Run = async (ctx) => {
    const first = await ctx.waitFor<number>("go");
    const second = await ctx.waitFor<number>("go");
    return [first, second].map((one) => one.timedOut ? null : [one.value, one.by]);
  };
  await withFlow(run, async (flow) => {
    await flow.parkedOn("go");
    const send = (value: number, by: string) =>
      flow.manager.signalInstance({ id: flow.id }, "go", { value, by });
    assert.equal((await send(1, "ann")).status, "woke");
    await send(2, "bob");
    assert.deepEqual(await flow.result(), [[1, "ann"], [2, "bob"]]);
    assert.equal((await send(3, "eve")).status, "ended");
  });
});

test("a wait ends at its timeout, and takes no signal that comes later", async () => {
  const run: Run = async (ctx) => {
    const missed = await ctx.waitFor("go", { timeout: 1 });
    await ctx.waitFor("next");
    const found = await ctx.waitFor<string>("go", { timeout: "1m" });
    return [missed.timedOut, !found.timedOut && found.value];
  };
  await withFlow(run, async (flow) => {
    await flow.parkedOn("next");
    await flow.manager.signalInstance({ id: flow.id }, "go", { value: "late" });
    await flow.manager.signalInstance({ id: flow.id }, "next");
    assert.deepEqual(await flow.result(), [true, "late"]);
  });
});

test("the first of several waits is the same one in every run", async () => {
  const seen: string[] = [];
  const run: Run = async (ctx) => {
    const { name } = await ctx.first({
      approved: ctx.waitFor("approved"),
      late: ctx.sleep("late", 1),
    });
    seen.push(name);
    await ctx.waitFor("end");
    return name;
  };
  await withFlow(run, async (flow) => {
    await flow.parkedOn("end");
    await flow.manager.signalInstance({ id: flow.id }, "approved");
    await flow.manager.signalInstance({ id: flow.id }, "end");
    assert.equal(await flow.result(), "late");
    assert.deepEqual(new Set(seen), new Set(["late"]));
    assert.ok(seen.length >= 2);
  });
});

test("a child's result is that of its call, and its failure is thrown with its id", async () => {
  const run: Run = async (ctx) => {
    const four = await ctx.call<(x: number) => number>("double", 2);
    const failed = await ctx.call("double", -1).catch((error: unknown) => error);
    assert.ok(failed instanceof StepError);
    return [four, failed.step, failed.message, failed.childId];
  };
  const child = (x: number) => {
    if (x < 0) throw new Error("negative");
    return x * 2;
  };
  await withFlow(run, async (flow) => {
    const [four, step, message, childId] = await flow.result() as unknown[];
    assert.deepEqual([four, step, message], [4, "double", "negative"]);
    const { parentId, flowId, state } = await flow.manager.getInstance(childId as string);
    assert.deepEqual([parentId, flowId, state], [flow.id, flow.id, "terminated"]);
    const children = await flow.manager.lookupInstances({ parentId: flow.id });
    assert.equal(children.items.length, 2);
  }, { child });
});

test("nobody else can take the id of a child that a step will call", async () => {
  const run: Run = async (ctx) => {
    await ctx.waitFor("go");
    return await ctx.call("double", 4);
  };
  await withFlow(run, async ({ manager, ...flow }) => {
    // The id is derived from what others can know.
    const id = childId(flow, `call:double:${digestOf([4])}`, "8");
    await assert.rejects(manager.scheduleJob("double", { arguments: [5], id }), /version 8/);
    await manager.signalInstance({ id: flow.id }, "go");
    const { results } = await manager.wait(flow.id, "20s");
    assert.deepEqual(results, [8]);
    const { items } = await manager.lookupInstances({ parentId: flow.id });
    assert.deepEqual(items.map((child) => child.id), [id]);
  });
});

test("callAll() returns the results in order, of many children", async () => {
  const run: Run = async (ctx) => {
    const numbers = Array.from({ length: 1_200 }, (_, index) => index);
    const doubled = await ctx.callAll<(x: number) => number>("double", numbers.map((x) => [x]));
    const none = await ctx.callAll("double", []);
    return [doubled.length, doubled[1_199], none];
  };
  await withFlow(run, async (flow) => {
    assert.deepEqual(await flow.result(), [1_200, 2_398, []]);
  });
});

test("callAll() cancels the others at the first failure, or collects every end", async () => {
  const run: Run = async (ctx) => {
    const args = [[1], [-1], [3]] as [number][];
    const all = await ctx.callAll("double", args, { onFailure: "collect" });
    const failed = await ctx.callAll("double", [[-1], [99]], { key: "fast" })
      .catch((error: unknown) => error);
    return [all.map((one) => one.ok ? one.value : one.error.message), String(failed)];
  };
  const child = async (x: number) => {
    if (x < 0) throw new Error("negative");
    if (x === 99) await new Promise((resolve) => setTimeout(resolve, 200));
    return x * 2;
  };
  await withFlow(run, async (flow) => {
    assert.deepEqual(await flow.result(), [[2, "negative", 6], "StepError: negative"]);
    const left = await flow.manager.lookupInstances({ parentId: flow.id, state: "canceled" });
    assert.equal(left.items.length, 1);
  }, { child });
});

test("callAll() keeps as few children under way as asked for, in order", async () => {
  let running = 0;
  let most = 0;
  const began: number[] = [];
  const run: Run = async (ctx) => {
    const args = Array.from({ length: 230 }, (_, index) => [index]);
    return (await ctx.callAll<(x: number) => number>("double", args as [number][], { inFlight: 3 }))
      .reduce((sum, x) => sum + x, 0);
  };
  const child = async (x: number) => {
    most = Math.max(most, ++running);
    began.push(x);
    await new Promise((resolve) => setTimeout(resolve, 1));
    running -= 1;
    return x * 2;
  };
  await withFlow(run, async (flow) => {
    assert.equal(await flow.result(), 230 * 229);
    assert.equal(most, 3);
    const late = began.filter((x, index) => Math.abs(x - index) > 3);
    assert.deepEqual(late, []);
  }, { child });
});

test("callAll() reads results a few at a time, or keeps none", async () => {
  const run: Run = async (ctx) => {
    const args = Array.from({ length: 160 }, (_, index) => [index]) as [number][];
    let sum = 0;
    for await (const x of ctx.callAll<(x: number) => number>("double", args)) {
      sum += x;
      if (x === 0) sum += await ctx.step("between", () => 0.5);
    }
    const all = args.map(([x]) => [-x]) as [number][];
    const counts = await ctx.callAll("double", all, { results: false, onFailure: "collect" });
    const failed = await ctx.callAll("double", all, { results: false, key: "fails" })
      .catch((error: Error) => error.message);
    const none = await ctx.callAll("double", [], { results: false });
    await ctx.sleep("again", 1);
    return [sum, counts, failed, none];
  };
  const child = (x: number) => {
    if (x < -150) throw new Error("too small");
    return x * 2;
  };
  await withFlow(run, async (flow) => {
    const expected = [160 * 159 + 0.5, { completed: 151, failed: 9 }, "too small"];
    assert.deepEqual(await flow.result(), [...expected, { completed: 0, failed: 0 }]);
  }, { child });
});

test("callAll() that collects ends once more children fail than allowed", async () => {
  const run: Run = async (ctx) => {
    const args = [[-1], [1], [-2], [3], [4]] as [number][];
    const options = { onFailure: "collect", failuresMax: 1, inFlight: 1 } as const;
    const few = await ctx.callAll("double", args.slice(0, 2), options);
    const thrown = await ctx.callAll("double", args, options).catch((error) => error.message);
    await ctx.sleep("again", 1);
    return [few.map(({ ok }) => ok), thrown];
  };
  const child = (x: number) => {
    if (x < 0) throw new Error(`negative: ${x}`);
    return x;
  };
  await withFlow(run, async (flow) => {
    assert.deepEqual(await flow.result(), [[false, true], "negative: -2"]);
    const left = await flow.manager.lookupInstances({ parentId: flow.id, state: "canceled" });
    assert.equal(left.items.length, 2);
  }, { child });
});

test("callAll() refuses options that it cannot use", async () => {
  const run: Run = async (ctx) => {
    const messages: string[] = [];
    for (
      const options of [{ inFlight: 0 }, { failuresMax: 1 }, { results: "no" }, { inflight: 2 }]
    ) {
      const call = ctx.callAll("double", [[1]], options as never);
      await call.catch((error) => messages.push(error.message));
    }
    return messages;
  };
  await withFlow(run, async (flow) => {
    const [first, second, third, fourth] = await flow.result() as string[];
    assert.match(first!, /inFlight.*0.*a number from 1/);
    assert.match(second!, /failuresMax of ctx.callAll "double" without "collect"/);
    assert.match(third!, /results.*"no".*true or false/);
    assert.match(fourth!, /inflight/);
  });
});

test("each() gives every item steps of its own, some at a time", async () => {
  let open = 0;
  let most = 0;
  const ran: string[] = [];
  const run: Run = async (ctx) =>
    await ctx.each("import", ["a", "b", "c", "d"], async (own, item) => {
      const value = await own.step("read", async () => {
        most = Math.max(most, ++open);
        await new Promise((resolve) => setTimeout(resolve, 5));
        open -= 1;
        ran.push(item);
        return item.toUpperCase();
      });
      await own.sleep("pause", 1);
      return value;
    }, { key: (item) => item, max: 2 });
  await withFlow(run, async (flow) => {
    assert.deepEqual(await flow.result(), ["A", "B", "C", "D"]);
    assert.deepEqual([ran.sort(), most], [["a", "b", "c", "d"], 2]);
  });
});

test("a name may come again in a loop, and needs a key side by side", async () => {
  const run: Run = async (ctx) => {
    const loop: number[] = [];
    for (let index = 0; index < 3; index++) loop.push(await ctx.step("loop", () => index));
    await ctx.sleep("pause", 1);
    const both = await Promise.all([1, 2].map((x) => ctx.step("both", () => x, { key: x })));
    const unclear = await Promise.all([1, 2].map((x) => ctx.step("unclear", () => x)))
      .catch((error: unknown) => error);
    assert.ok(unclear instanceof JobError);
    return [loop, both, unclear.message];
  };
  await withFlow(run, async (flow) => {
    const [loop, both, message] = await flow.result() as unknown[];
    assert.deepEqual([loop, both], [[0, 1, 2], [1, 2]]);
    assert.match(message as string, /^Cannot tell two of "unclear" apart/);
    assert.match(message as string, /flows\.test\.ts:\d+ and flows\.test\.ts:\d+$/);
  });
});

test("now() and random() answer as they did first", async () => {
  const seen: unknown[] = [];
  const run: Run = async (ctx) => {
    seen.push(JSON.stringify([ctx.now(), ctx.random(), ctx.random(), ctx.now()]));
    await ctx.sleep("pause", 20);
    return seen;
  };
  await withFlow(run, async (flow) => {
    const [first, ...others] = await flow.result() as unknown[];
    assert.deepEqual(others, [first]);
    const [, one, other] = JSON.parse(first as string) as number[];
    assert.notEqual(one, other);
  });
});

test("a wait within a step, a bad name and a result that is too large are refused", async () => {
  const problem = async (begin: () => Promise<unknown>) => {
    try {
      await begin();
    } catch (error) {
      return (error as Error).message;
    }
  };
  const run: Run = async (ctx) => [
    await problem(() => ctx.step("outer", () => ctx.sleep("inner", 1), { retry: 0 })),
    await problem(() => ctx.step("a#2", () => 1)),
    await problem(() => ctx.step("a", "b" as never)),
    await problem(() => ctx.step("large", () => "x".repeat(1_048_576), { retry: 0 })),
    await problem(() => ctx.sleep("pause", "soon")),
    await problem(() => ctx.call("nobody")),
  ];
  await withFlow(run, async (flow) => {
    const problems = await flow.result() as string[];
    for (
      const [index, expected] of [
        /^Cannot wait for "inner" within the function of step "outer"$/,
        /^Cannot use "a#2" as the name of a step/,
        /^Cannot use step "a": found "b", wanted a function$/,
        /the result of step "large"/,
        /^Cannot read duration "soon"/,
        /"nobody"/,
      ].entries()
    ) assert.match(problems[index]!, expected);
  });
});

test("the log of a run that repeats what ran before has each line once", async () => {
  const run: Run = async (ctx) => {
    ctx.log.info("begin");
    await ctx.step("one", () => ctx.log.info("in step"));
    await ctx.sleep("pause", 1);
    ctx.log.info("end");
  };
  await withFlow(run, async (flow) => {
    await flow.end();
    const { items } = await flow.manager.lookupInstanceLogs({ instanceId: flow.id });
    assert.deepEqual(items.map(({ message }) => message), ["begin", "in step", "end"]);
  });
});

test("listSteps() shows steps, waits, children and signals with their results", async () => {
  const run: Run = async (ctx) => {
    await ctx.step("charge", () => ({ id: 7 }));
    await ctx.call("double", 2);
    await ctx.waitFor("go", { timeout: "1m" });
  };
  await withFlow(run, async (flow) => {
    await flow.parkedOn("go");
    await flow.manager.signalInstance({ id: flow.id }, "go", { value: true, by: "ann" });
    await flow.end();
    const steps = await flow.manager.listSteps(flow.id);
    assert.deepEqual(
      steps.map(({ type, name, state, valueJson, by }) => [type, name, state, valueJson, by]),
      [
        ["step", "charge", "done", '{"id":7}', null],
        ["child", "double", "done", "[4]", null],
        ["wait", "go", "done", "true", null],
        ["signal", "go", "done", "true", "ann"],
      ],
    );
  });
});

test("a deadline of the parent is the latest for its children", async () => {
  const run: Run = async (ctx) => await ctx.call("double", 1);
  const manager = new Manager();
  manager.registerJob({ kind: "double", params: "x: number", run: (x: number) => x });
  manager.registerJob({ kind: "flow", params: "ctx: Context", deadline: "1h", run });
  await manager.start();
  const instance = await manager.scheduleJob("flow");
  await manager.wait(instance.id, "10s");
  const [child] = (await manager.lookupInstances({ parentId: instance.id })).items;
  assert.equal(child!.deadlineAt, instance.deadlineAt);
  await manager.stop();
});

test("a cancel lets the function take back its steps, with its children canceled first", async () => {
  const done: string[] = [];
  const run: Run = async (ctx) => {
    await ctx.step("charge", () => void done.push("charge"));
    try {
      await ctx.call("double", 99);
    } catch (error) {
      assert.ok(error instanceof StepError);
      done.push(error.errorName);
      await ctx.step("refund", () => void done.push("refund"));
      await ctx.sleep("pause", 5);
      throw error;
    }
  };
  const child = () => new Promise((resolve) => setTimeout(resolve, 300));
  await withFlow(run, async (flow) => {
    await flow.parkedOn("double");
    const [canceled] = await flow.manager.cancelInstances({ ids: [flow.id] });
    assert.equal(canceled!.state, "canceled");
    assert.deepEqual(done.filter((text) => text !== "Canceled"), ["charge", "refund"]);
    assert.ok(done.includes("Canceled"));
    const [last] = (await flow.manager.lookupInstances({ parentId: flow.id })).items;
    assert.ok(last!.cancelRequestedAt !== null);
    const [step] = (await flow.manager.listSteps(flow.id))
      .filter(({ state }) => state === "canceled");
    assert.equal(step?.name ?? "double", "double");
  }, { child });
});

test("a cancel while a step runs ends that step, and lets the function take back the others", async () => {
  const done: string[] = [];
  const run: Run = async (ctx) => {
    await ctx.step("one", () => void done.push("one"));
    try {
      await ctx.step(
        "long",
        ({ signal }) =>
          new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
      );
    } catch (error) {
      await ctx.step("undo one", () => void done.push("undo one"));
      throw error;
    }
  };
  await withFlow(run, async (flow) => {
    await until("the first step has run", () => done.length === 1);
    await flow.manager.cancelInstances({ ids: [flow.id] });
    const { state } = await flow.end();
    assert.equal(state, "canceled");
    assert.deepEqual(done, ["one", "undo one"]);
  });
});

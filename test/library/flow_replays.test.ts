import assert from "node:assert/strict";
import test from "node:test";
import type { StepInfo } from "../../src/core/flow/step_info.ts";
import { type Flow, type Run, withFlow } from "../support/flow.ts";

/** What a function saw once, it sees in every run. */

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test("a step sees recorded what the function decided before it", async () => {
  let flow: Flow | null = null;
  let seen: readonly StepInfo[] = [];
  const run: Run = async (ctx) => {
    await ctx.step("begin", () => pause(30));
    const go = ctx.waitFor("go");
    const { name } = await ctx.first({ go, late: ctx.sleep("late", 0) });
    ctx.now();
    await ctx.step("act", async () => {
      seen = await flow!.manager.listSteps(flow!.id);
    });
    return name;
  };
  await withFlow(run, async (given) => {
    flow = given;
    assert.equal(await flow.result(), "late");
    const states = seen.map(({ name, state }) => `${name} ${state}`);
    assert.deepEqual(states, ["begin done", "late done", "go waiting"]);
  });
});

test("a signal that came before the end of its wait counts, though a step ran meanwhile", async () => {
  let flow: Flow | null = null;
  const run: Run = async (ctx) => {
    const answer = ctx.waitFor("go", { timeout: 60 });
    await ctx.step("slow", async () => {
      await pause(5);
      await flow!.manager.signalInstance({ id: flow!.id }, "go", { value: 1 });
      await pause(100);
    });
    const got = await answer;
    return got.timedOut ? "timed out" : got.value;
  };
  await withFlow(run, async (given) => {
    flow = given;
    assert.equal(await flow.result(), 1);
  });
});

test("callAll() throws the failure that ended it in every run", async () => {
  const seen: unknown[] = [];
  const run: Run = async (ctx) => {
    await ctx.callAll("double", [[99], [98], [-1]]).catch((error: unknown) => {
      seen.push(String(error));
    });
    // The others have been canceled by then.
    await ctx.sleep("pause", 500);
    return seen;
  };
  const child = async (x: number) => {
    if (x < 0) throw new Error("negative");
    await pause(300);
  };
  await withFlow(run, async (flow) => {
    const all = await flow.result() as unknown[];
    assert.deepEqual(new Set(all), new Set(["StepError: negative"]));
    assert.equal(all.length, 2);
  }, { child });
});

test("now() and random() within a step leave those outside as they are", async () => {
  const seen: string[] = [];
  const run: Run = async (ctx) => {
    await ctx.step("inner", async () => {
      const values = [ctx.now(), ctx.random()];
      await pause(5);
      return values;
    });
    seen.push(JSON.stringify([ctx.now(), ctx.random()]));
    await ctx.sleep("pause", 20);
    return seen;
  };
  await withFlow(run, async (flow) => {
    const [first, ...others] = await flow.result() as string[];
    assert.deepEqual(others, [first]);
  });
});

test("each() in a loop has steps of its own each time", async () => {
  const run: Run = async (ctx) => {
    const all: string[] = [];
    for (let time = 1; time <= 3; time++) {
      const some = await ctx.each(
        "poll",
        ["a", "b"],
        (own, item) => own.step("read", () => `${item}${time}`),
        { key: (item) => item },
      );
      all.push(...some);
      await ctx.sleep("pause", 1);
    }
    const both = await Promise.all(
      [1, 2].map(() =>
        ctx.each("both", ["a"], (own) => own.step("read", () => 1), { key: (item) => item })
      ),
    ).catch((error: unknown) => String(error));
    return [all, both];
  };
  await withFlow(run, async (flow) => {
    const [all, both] = await flow.result() as unknown[];
    assert.deepEqual(all, ["a1", "b1", "a2", "b2", "a3", "b3"]);
    assert.match(both as string, /Cannot tell two of "both" apart/);
  });
});

test("names that no store can keep are refused where they are given", async () => {
  const run: Run = async (ctx) => {
    const problems: string[] = [];
    const note = (error: unknown) => void problems.push(String(error));
    await ctx.waitFor("\ud800").catch(note);
    await ctx.sleep("\udc00", 1).catch(note);
    const [long, key] = ["\u9577".repeat(30), "\u9577".repeat(16)];
    await ctx.each(long, [1], (own) => own.sleep("pause", 1), { key: () => key }).catch(note);
    return problems;
  };
  await withFlow(run, async (flow) => {
    const [wait, sleep, each] = await flow.result() as string[];
    assert.match(wait!, /as the name of a step: expected a text/);
    assert.match(sleep!, /as the name of a step: expected a text/);
    assert.match(each!, /"pause" as the name of a step: with its keys it has \d+ characters/);
  });
});

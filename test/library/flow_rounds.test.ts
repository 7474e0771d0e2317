import assert from "node:assert/strict";
import test from "node:test";
import { type Context, Manager } from "../../src/index.ts";
import { until } from "../support/wait.ts";

/** Instances that begin again with other arguments. */

/** Run a function of a context, a number and a text as a job. */
async function withRounds(
  run: (ctx: Context, count: number, text?: string) => unknown,
  body: (manager: Manager, id: string) => Promise<void>,
  options: { readonly retry?: number } = {},
): Promise<void> {
  const manager = new Manager();
  manager.registerJob({ kind: "double", params: "x: number", run: (x: number) => x * 2 });
  manager.registerJob({
    kind: "rounds",
    params: "ctx: Context, count: number, text?: string",
    retry: { max: options.retry ?? 0, initial: "5ms" },
    run,
  });
  await manager.start();
  try {
    const { id } = await manager.scheduleJob("rounds", { arguments: [1] });
    await body(manager, id);
  } finally {
    await manager.stop();
  }
}

test("continueAs() begins again with other arguments, and without the steps before", async () => {
  const keys: string[] = [];
  const randoms: number[] = [];
  const runs: number[] = [];
  await withRounds(async (ctx, count, text = "first") => {
    runs.push(count);
    randoms.push(ctx.random());
    await ctx.step("work", ({ key }) => keys.push(key));
    const doubled = await ctx.call("double", count);
    if (count < 3) return await ctx.continueAs(count + 1, `after ${count}`);
    return [doubled, text];
  }, async (manager, id) => {
    const { state, results, attempt, error } = await manager.wait(id, "20s");
    assert.equal(state, "completed", error?.message ?? "");
    assert.deepEqual([results, attempt], [[[6, "after 2"]], 1]);
    assert.deepEqual(keys, [
      `${id}:step:work`,
      `${id}:round-2.step:work`,
      `${id}:round-3.step:work`,
    ]);
    assert.equal(new Set(randoms).size, 3);
    assert.deepEqual([...new Set(runs)], [1, 2, 3]);
    const steps = await manager.listSteps(id);
    assert.deepEqual(steps.map(({ name }) => name), ["work", "double"]);
    const children = await manager.lookupInstances({ parentId: id });
    assert.equal(children.items.length, 3);
  });
});

test("signals that no wait has taken stay for the next round, in their order", async () => {
  const values: unknown[] = [];
  await withRounds(async (ctx, count) => {
    await ctx.first({ tick: ctx.waitFor("tick"), late: ctx.sleep("late", "1h") });
    const taken = await ctx.waitFor("go");
    assert.ok(!taken.timedOut);
    if (taken.value === "end") return "ended";
    await ctx.step("note", () => values.push(taken.value));
    return await ctx.continueAs(count + 1);
  }, async (manager, id) => {
    for (const value of [1, 2, 3, "end"]) {
      await manager.signalInstance({ id }, "go", { value, signalId: `go-${value}` });
    }
    for (let n = 0; n < 4; n++) {
      await manager.signalInstance({ id }, "tick");
      if (n < 3) await until("a round has ended", () => values.length === n + 1);
    }
    const { state, results, error } = await manager.wait(id, "20s");
    assert.equal(state, "completed", error?.message ?? "");
    assert.deepEqual([values, results], [[1, 2, 3], ["ended"]]);
  });
});

test("each round has all retries, and a failure repeats its round alone", async () => {
  const runs: number[] = [];
  await withRounds(async (ctx, count) => {
    runs.push(count);
    if (runs.filter((one) => one === count).length < 3) throw new Error("not yet");
    return count < 4 ? await ctx.continueAs(count + 1) : "done";
  }, async (manager, id) => {
    const { state, failures } = await manager.wait(id, "20s");
    assert.deepEqual([state, failures], ["completed", 2]);
    assert.deepEqual(runs, [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]);
  }, { retry: 2 });
});

test("continueAs() refuses wrong arguments, a place within a step, and an instance that ends", async () => {
  const messages: string[] = [];
  const note = (error: unknown) => void messages.push((error as Error).message);
  await withRounds(async (ctx) => {
    await ctx.continueAs("many").catch(note);
    await ctx.continueAs(2, "x".repeat(800_000)).catch(note);
    await ctx.step("within", () => ctx.continueAs(2).catch(note));
    await ctx.waitFor("never").catch(() => {});
    return await ctx.continueAs(2).catch(note);
  }, async (manager, id) => {
    await until("it waits", async () => (await manager.getInstance(id)).state === "scheduled");
    await manager.cancelInstances({ ids: [id] });
    const { state } = await manager.wait(id, "20s");
    assert.equal(state, "canceled");
  });
  assert.match(messages[0]!, /count.*"many"/);
  assert.match(messages[1]!, /786432|768 KiB/);
  assert.match(messages.at(-1)!, /The instance was canceled/);
  assert.ok(messages.some((text) => /within the function of step "within"/.test(text)));
});

test("what steps of an earlier round did is not undone", async () => {
  const undone: string[] = [];
  await withRounds(async (ctx, count) => {
    await ctx.step("charge", () => count, { undo: (value) => void undone.push(`${value}`) });
    if (count < 2) return await ctx.continueAs(count + 1);
    throw new Error("no");
  }, async (manager, id) => {
    assert.equal((await manager.wait(id, "20s")).state, "terminated");
    assert.deepEqual(undone, ["2"]);
  });
});

test("a retry from a step continues the round, one of the whole begins with the first", async () => {
  const runs: string[] = [];
  let isBroken = true;
  await withRounds(async (ctx, count) => {
    runs.push(`run ${count}`);
    await ctx.step("work", () => void runs.push(`work ${count}`));
    if (count < 2) return await ctx.continueAs(count + 1);
    return await ctx.step("last", () => {
      if (isBroken) throw new Error("broken");
      return count;
    }, { retry: 0 });
  }, async (manager, id) => {
    assert.equal((await manager.wait(id, "20s")).state, "terminated");
    isBroken = false;
    runs.length = 0;
    const again = await manager.retryInstance(id, { from: "last" });
    assert.deepEqual((await manager.wait(again.id, "20s")).results, [2]);
    assert.deepEqual(runs, ["run 2"]);
    const whole = await manager.retryInstance(id);
    assert.deepEqual((await manager.wait(whole.id, "20s")).results, [2]);
    assert.deepEqual(runs.slice(1), ["run 1", "work 1", "run 2", "work 2"]);
  });
});

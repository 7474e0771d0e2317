import assert from "node:assert/strict";
import test from "node:test";
import { UNDO_SIGNAL } from "../../src/core/wait.ts";
import type { Context } from "../../src/index.ts";
import { createInlineExecutor } from "../../src/worker/isolation/inline_executor.ts";
import { injectedSignature } from "../support/attempts.ts";
import { jobOf, ManagerWorld } from "../support/worlds/manager_world.ts";

/** An instance that is parked for a month, while its code changes. */

const DAY_MS = 86_400_000;
/** Time between two versions of the code. */
const VERSION_MS = 6 * DAY_MS;
const STARTED_AT = Date.UTC(2026, 0, 1);

type Code = (ctx: Context) => unknown;

/** What steps did, beside the store. */
class Acts {
  readonly done: string[] = [];
  readonly undone: string[] = [];

  /** A step that says which version of the code ran it. */
  step(ctx: Context, name: string, version: number): Promise<string> {
    return ctx.step(name, () => {
      this.done.push(`${name} ${version}`);
      return `${name} of ${version}`;
    }, { undo: (value) => void this.undone.push(value) });
  }
}

/** Each version waits for the approval, and looks at a new day once in a while. */
async function approved(ctx: Context): Promise<string> {
  const approval = ctx.waitFor<string>("approved", { timeout: "60d" });
  for (let n = 1;; n++) {
    const first = await ctx.first({ approval, pause: ctx.sleep(`pause ${n}`, "5d") });
    if (first.name === "pause") continue;
    return first.value.timedOut ? "nobody" : `${first.value.value} after ${n} pauses`;
  }
}

/** The code of an order in five versions. */
function versionsOf(acts: Acts, end: Code): readonly Code[] {
  const step = acts.step.bind(acts);
  return [
    async (ctx) => {
      const [at, random] = [ctx.now().getTime(), ctx.random()];
      const all = [await step(ctx, "quote", 1), await step(ctx, "charge", 1)];
      return [at, random, ...all, await approved(ctx), await end(ctx)];
    },
    // A step comes in between.
    async (ctx) => {
      const [at, random] = [ctx.now().getTime(), ctx.random()];
      const all = [await step(ctx, "quote", 2), await step(ctx, "check", 2)];
      all.push(await step(ctx, "charge", 2));
      return [at, random, ...all, await approved(ctx), await end(ctx)];
    },
    // The first one is gone.
    async (ctx) => {
      const [at, random] = [ctx.now().getTime(), ctx.random()];
      const all = [await step(ctx, "check", 3), await step(ctx, "charge", 3)];
      return [at, random, ...all, await approved(ctx), await end(ctx)];
    },
    // The others change places, and a wait is passed before them.
    async (ctx) => {
      const [at, random] = [ctx.now().getTime(), ctx.random()];
      await ctx.sleep("grace", "1h");
      const all = [await step(ctx, "charge", 4), await step(ctx, "check", 4)];
      return [at, random, ...all, await approved(ctx), await end(ctx)];
    },
    // One has another name, and the first one is back.
    async (ctx) => {
      const [at, random] = [ctx.now().getTime(), ctx.random()];
      const all = [await step(ctx, "check", 5), await step(ctx, "debit", 5)];
      all.push(await step(ctx, "quote", 5));
      return [at, random, ...all, await approved(ctx), await end(ctx), await step(ctx, "ship", 5)];
    },
  ];
}

/** A node that has one version of the code, after the one before it if there is one. */
async function startVersion(code: Code, before?: ManagerWorld): Promise<ManagerWorld> {
  const job = {
    ...jobOf("order", { options: { isolation: "inline" } }),
    source: { type: "function", run: code, handlers: {} } as const,
    signature: injectedSignature("Context"),
  };
  return await new ManagerWorld({
    ...{ jobs: [job], node: "one", leaseMs: DAY_MS },
    executorOf: (clock) => createInlineExecutor({ clock }),
    ...(before === undefined ? {} : { before }),
  }).started();
}

/** Park an instance, and give it one version after the other, each for six days. */
async function liveAMonth(acts: Acts, end: Code): Promise<{ world: ManagerWorld; id: string }> {
  let world: ManagerWorld | undefined;
  let id = "";
  for (const [index, code] of versionsOf(acts, end).entries()) {
    world = await startVersion(code, world);
    if (index === 0) ({ id } = await world.schedule("order"));
    await world.clock.advance(VERSION_MS);
    const { state, waits } = await world.get(id);
    assert.equal(state, "scheduled");
    assert.ok(waits?.some(({ name }) => name === "approved"));
    if (index < 4) await world.of(world.manager.stop());
  }
  return { world: world!, id };
}

async function approve({ world, id }: { readonly world: ManagerWorld; readonly id: string }) {
  assert.equal(world.clock.now().wallMs, STARTED_AT + 30 * DAY_MS);
  await world.of(world.manager.signalInstance({ id }, "approved", { value: "ann" }));
  await world.clock.advance(1_000);
  return await world.get(id);
}

test("an instance that was parked for 30 days under five versions of its code ends as it should", async () => {
  const acts = new Acts();
  const month = await liveAMonth(acts, (ctx) => ctx.random());
  const { state, resultsJson } = await approve(month);
  assert.equal(state, "completed");
  const [[at, random, ...values]] = JSON.parse(resultsJson!) as [[number, number, ...string[]]];
  assert.equal(at, STARTED_AT);
  assert.deepEqual(values.slice(0, 4), [
    "check of 2",
    "debit of 5",
    "quote of 1",
    "ann after 6 pauses",
  ]);
  assert.equal(values[5], "ship of 5");
  assert.notEqual(values[4], random);
  assert.deepEqual(acts.done, ["quote 1", "charge 1", "check 2", "debit 5", "ship 5"]);
  assert.deepEqual(acts.undone, []);
  await month.world.of(month.world.manager.stop());
});

test("undos of five versions: one that the code lost waits for a decision, and the others run", async () => {
  const acts = new Acts();
  const month = await liveAMonth(acts, () => {
    throw new Error("sold out");
  });
  const { world, id } = month;
  const { state, waits } = await approve(month);
  assert.equal(state, "scheduled");
  assert.deepEqual(waits?.map(({ type, name }) => `${type} ${name}`), ["undo charge"]);
  assert.deepEqual(acts.undone, ["debit of 5", "check of 2"]);
  await world.of(world.manager.signalInstance({ id }, UNDO_SIGNAL, { value: { retry: false } }));
  await world.clock.advance(1_000);
  const { state: end, error } = await world.get(id);
  assert.deepEqual([end, error?.message], ["terminated", "sold out"]);
  assert.deepEqual(acts.undone, ["debit of 5", "check of 2", "quote of 1"]);
  await world.of(world.manager.stop());
});

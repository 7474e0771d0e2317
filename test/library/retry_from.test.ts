import assert from "node:assert/strict";
import test from "node:test";
import { type Context, Manager } from "../../src/index.ts";
import { until } from "../support/wait.ts";

/** Functions with steps that run again from one of them on. */

/** Runs of the steps, and the order that ends at its last step. */
class Shop {
  readonly manager = new Manager();
  readonly runs: string[] = [];
  isBroken = true;
  hasUndo = false;

  constructor() {
    this.manager.registerJob({
      kind: "pack",
      params: "item: string",
      run: (item: string) => this.note(`pack ${item}`),
    });
    this.manager.registerJob({
      kind: "order",
      params: "ctx: Context",
      run: (ctx: Context) => this.order(ctx),
    });
  }

  note(text: string): string {
    this.runs.push(text);
    return text;
  }

  async order(ctx: Context): Promise<string> {
    const options = this.hasUndo ? { undo: () => this.note("refund") } : {};
    const charge = await ctx.step("charge", () => this.note("charge"), options);
    const time = ctx.now().getTime();
    const packed = await ctx.callAll("pack", [["a"], ["b"]], { onFailure: "drain" });
    const answer = await ctx.waitFor<number>("approved");
    const bill = await ctx.step("bill", () => this.note("bill"), { retry: 0 });
    await ctx.step("ship", () => {
      this.note("ship");
      if (this.isBroken) throw new Error("no van");
    }, { retry: 0 });
    const value = answer.timedOut ? 0 : answer.value;
    return [charge, packed.length, value, bill, typeof time].join(" ");
  }

  /** The order that failed, with the signal that it got. */
  async failed(): Promise<string> {
    await this.manager.start();
    const { id } = await this.manager.scheduleJob("order");
    await this.manager.signalInstance({ id }, "approved", { value: 7 });
    assert.equal((await this.manager.wait(id, "20s")).state, "terminated");
    this.runs.length = 0;
    this.isBroken = false;
    return id;
  }
}

test("an instance that is retried from a step has the outcomes of those before it", async () => {
  const shop = new Shop();
  const { manager, runs } = shop;
  const id = await shop.failed();
  try {
    const again = await manager.retryInstance(id, { from: "ship" });
    assert.equal(again.retryOf, id);
    const { results, error } = await manager.wait(again.id, "20s");
    assert.equal(results[0], "charge 2 7 bill number", error?.message ?? "");
    assert.deepEqual(runs.splice(0), ["ship"]);
    // Without its name it is the first that did not succeed.
    const set = await manager.retryInstance(id, { set: { bill: "free" } });
    assert.equal((await manager.wait(set.id, "20s")).results[0], "charge 2 7 free number");
    assert.deepEqual(runs.splice(0), ["ship"]);
    const only = await manager.retryInstance(again.id, { from: "bill", only: true });
    assert.equal((await manager.wait(only.id, "20s")).results[0], "charge 2 7 bill number");
    assert.deepEqual(runs.splice(0), ["bill"]);
    // The answer belongs to the wait, which comes again.
    const early = await manager.retryInstance(id, { from: "pack" });
    await until("it waits again", async () => {
      const { waits } = await manager.getInstance(early.id);
      return waits?.some(({ name }) => name === "approved") ?? false;
    });
    await manager.signalInstance({ id: early.id }, "approved", { value: 8 });
    assert.equal((await manager.wait(early.id, "20s")).results[0], "charge 2 8 bill number");
    assert.deepEqual(runs.splice(0), ["pack a", "pack b", "bill", "ship"]);
    const whole = await manager.retryInstance(id);
    await manager.signalInstance({ id: whole.id }, "approved");
    await manager.wait(whole.id, "20s");
    assert.equal(runs[0], "charge");
  } finally {
    await manager.stop();
  }
});

test("a retry from a step is refused where it cannot keep what it says", async () => {
  const shop = new Shop();
  shop.hasUndo = true;
  const { manager } = shop;
  const id = await shop.failed();
  try {
    for (
      const [options, message] of [
        [{ from: "shop" }, /"shop": it has no such step/],
        [{ from: "ship" }, /Cannot keep step "charge": it was undone/],
        [{ only: true }, /only a step without its name/],
        [{ from: "charge", set: { approved: 1 } }, /Cannot set "approved": it is not a step/],
      ] as const
    ) {
      await assert.rejects(manager.retryInstance(id, options), message);
    }
    const again = await manager.retryInstance(id, { from: "charge" });
    await manager.signalInstance({ id: again.id }, "approved", { value: 9 });
    assert.equal((await manager.wait(again.id, "20s")).results[0], "charge 2 9 bill number");
  } finally {
    await manager.stop();
  }
});

import assert from "node:assert/strict";
import test from "node:test";
import { type Context, Manager } from "../../src/index.ts";
import { until } from "../support/wait.ts";

/** A manager with a flow that waits for "go", one at a time for each customer. */
async function withRenewals(
  by: "customer" | undefined,
  body: (manager: Manager) => Promise<void>,
): Promise<void> {
  const manager = new Manager({ workers: 4 });
  manager.registerJob({
    kind: "renew",
    params: "ctx: Context, customer: string",
    concurrency: { max: 1, ...(by ? { by } : {}), hold: "instance" },
    run: async (ctx: Context, customer: string) => {
      await ctx.waitFor("go");
      if (customer === "self") await ctx.call("renew", "self");
      return customer;
    },
  });
  await manager.start();
  try {
    await body(manager);
  } finally {
    await manager.stop();
  }
}

async function isParked(manager: Manager, id: string): Promise<void> {
  await until("it is parked", async () => (await manager.getInstance(id)).reason === "parked");
}

for (const by of ["customer", undefined] as const) {
  test(`a parked flow keeps its slot of ${by ?? "the whole job"} until it ends`, async () => {
    await withRenewals(by, async (manager) => {
      const [first, second, other] = await Promise.all(
        ["acme", "acme", "bolt"].map((customer) => {
          return manager.scheduleJob("renew", { arguments: [customer] });
        }),
      );
      await isParked(manager, first!.id);
      if (by !== undefined) await isParked(manager, other!.id);
      assert.equal((await manager.getInstance(second!.id)).attempt, 0);
      await manager.signalInstance({ id: first!.id }, "go");
      await manager.wait(first!.id);
      await isParked(manager, second!.id);
      // The one that waits ends by a cancel, and the next begins at once.
      const third = await manager.scheduleJob("renew", { arguments: ["acme"] });
      await manager.cancelInstances({ ids: [second!.id] });
      if (by === undefined) {
        await isParked(manager, other!.id);
        await manager.signalInstance({ id: other!.id }, "go");
      }
      await isParked(manager, third.id);
    });
  });
}

test("a flow cannot call its own job for the slot that it keeps", async () => {
  await withRenewals("customer", async (manager) => {
    const { id } = await manager.scheduleJob("renew", { arguments: ["self"] });
    await manager.signalInstance({ id }, "go");
    const { state, error } = await manager.wait(id, "20s");
    assert.equal(state, "terminated");
    assert.match(error!.message, /wait for the slot "renew customer=\\?"self\\?""/);
  });
});

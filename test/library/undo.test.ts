import assert from "node:assert/strict";
import test from "node:test";
import { isFinal } from "../../src/core/state.ts";
import { type Context, type JobInstance, Manager } from "../../src/index.ts";
import { sleep, until } from "../support/wait.ts";

/** Steps that are taken back after a failure, a cancel or a deadline. */

const ONCE = { retry: 0 } as const;

/** Run a function as a job until its end. `act` is called while it runs. */
async function endOf(
  run: (ctx: Context) => unknown,
  { act, ...options }: {
    readonly act?: (manager: Manager, id: string) => Promise<unknown>;
    readonly retry?: number;
    readonly deadline?: string;
  } = {},
): Promise<JobInstance> {
  const manager = new Manager();
  const { retry = 0, deadline } = options;
  manager.registerJob({
    ...{ kind: "flow", params: "ctx: Context", run, retry: { max: retry, initial: "5ms" } },
    ...deadline === undefined ? {} : { deadline },
  });
  await manager.start();
  try {
    const { id } = await manager.scheduleJob("flow");
    await act?.(manager, id);
    const final = await manager.wait(id, "20s");
    assert.ok(isFinal(final.state));
    return final;
  } finally {
    await manager.stop();
  }
}

function waitsOn(type: string) {
  return (manager: Manager, id: string) =>
    until(`it waits on ${type}`, async () => {
      const { waits } = await manager.getInstance(id);
      return waits?.some((wait) => wait.type === type) ?? false;
    });
}

/** An order whose steps note what is done and undone. */
function order(done: string[], end: (ctx: Context) => unknown) {
  return async (ctx: Context) => {
    await ctx.step("charge", () => ({ id: "c1" }), {
      undo: ({ id }, { key }) => {
        assert.match(key, /:step:charge!undo$/);
        done.push(`refund ${id}`);
      },
    });
    for (const item of ["a/1", "b"]) {
      await ctx.step("book", () => item, {
        key: item,
        undo: (booked) => done.push(`free ${booked}`),
      });
    }
    await ctx.step("look", () => null);
    return await end(ctx);
  };
}

test("a failure takes back the finished steps, the last one first, and keeps its error", async () => {
  for (const isInStep of [true, false]) {
    const done: string[] = [];
    const fail = () => {
      throw Object.assign(new Error("no stock"), { code: "E1" });
    };
    const run = order(done, (ctx) => isInStep ? ctx.step("ship", fail, ONCE) : fail());
    const { state, reason, error, failures } = await endOf(run);
    assert.deepEqual(done, ["free b", "free a/1", "refund c1"]);
    assert.deepEqual([state, reason, failures], ["terminated", "error", 1]);
    assert.equal(error?.message, isInStep ? 'Step "ship" failed: no stock' : "no stock");
  }
});

test("only the last attempt takes steps back, and a success takes none", async () => {
  const done: string[] = [];
  let attempts = 0;
  const run = order(done, () => {
    attempts += 1;
    if (attempts < 3) throw new Error("not yet");
  });
  const { state, attempt } = await endOf(run, { retry: 2 });
  assert.deepEqual([state, attempt, done], ["completed", 3, []]);
});

test("code that waits beside its steps is left once they have been repeated", async () => {
  const done: string[] = [];
  let runs = 0;
  const run = async (ctx: Context) => {
    runs += 1;
    const waiting = ctx.waitFor("never");
    await ctx.step("charge", () => "c1", { undo: (id) => done.push(`refund ${id}`) });
    if (runs === 1) throw new Error("only in the first run");
    await ctx.step("other", () => done.push("other"));
    return await waiting;
  };
  const { error } = await endOf(run);
  assert.deepEqual([done, error?.message, runs], [["refund c1"], "only in the first run", 2]);
});

test("a cancel and a deadline take steps back, after the function's own cleanup", async () => {
  for (const how of ["cancel", "deadline"] as const) {
    const done: string[] = [];
    const run = order(done, async (ctx) => {
      try {
        await ctx.waitFor("never");
      } catch (error) {
        done.push((error as { errorName: string }).errorName);
        await ctx.step("own", () => done.push("own"));
        throw error;
      }
    });
    const { state } = await endOf(
      run,
      how === "deadline" ? { deadline: "300ms" } : {
        act: async (manager, id) => {
          await waitsOn("signal")(manager, id);
          await manager.cancelInstances({ ids: [id] });
        },
      },
    );
    const [name, end] = how === "cancel"
      ? ["Canceled", "canceled"]
      : ["DeadlineExceeded", "timedOut"];
    assert.deepEqual(done, [name, "own", "free b", "free a/1", "refund c1"]);
    assert.equal(state, end);
  }
});

test("an undo is retried, parked between, and then waits for a decision", async () => {
  for (const decision of ["retry", "abandon"] as const) {
    const tries: number[] = [];
    let isBroken = true;
    const run = async (ctx: Context) => {
      await ctx.step("book", () => 1, { undo: () => tries.push(100) });
      await ctx.step("charge", () => 1, {
        retry: { max: 1, initial: "10ms" },
        undo: (_, { attempt }) => {
          tries.push(attempt);
          if (isBroken) throw new Error("bank closed");
        },
      });
      throw new Error("no stock");
    };
    const { state, error } = await endOf(run, {
      act: async (manager, id) => {
        await waitsOn("undo")(manager, id);
        const { waits, reason } = await manager.getInstance(id);
        assert.deepEqual([waits![0]!.name, reason], ["charge", "parked"]);
        const stuck = (await manager.listSteps(id)).find(({ name }) => name === "charge!undo")!;
        assert.deepEqual([stuck.state, stuck.error?.message], ["failed", "bank closed"]);
        isBroken = false;
        await manager.signalInstance({ id }, "!undo", { value: { retry: decision === "retry" } });
      },
    });
    assert.deepEqual(tries, decision === "retry" ? [1, 2, 1, 100] : [1, 2, 100]);
    assert.deepEqual([state, error?.message], ["terminated", "no stock"]);
  }
});

test("an undo that the code does not have any more waits for a decision", async () => {
  let runs = 0;
  const run = async (ctx: Context) => {
    runs += 1;
    await ctx.step("charge", () => 1, runs === 1 ? { undo: () => {} } : {});
    throw new Error("no stock");
  };
  await endOf(run, {
    act: async (manager, id) => {
      await waitsOn("undo")(manager, id);
      const steps = await manager.listSteps(id);
      assert.match(steps.at(-1)!.error!.message, /did not come to step "charge" with an undo/);
      await manager.signalInstance({ id }, "!undo", { value: { retry: false } });
    },
  });
});

test("a decision is refused where no undo waits for one", async () => {
  await endOf((ctx) => ctx.waitFor("go"), {
    act: async (manager, id) => {
      await waitsOn("signal")(manager, id);
      const decide = manager.signalInstance({ id }, "!undo", { value: { retry: true } });
      await assert.rejects(decide, /Cannot decide on an undo: the instance does not wait for that/);
      await manager.signalInstance({ id }, "go");
    },
  });
});

test("steps beside one that fails are taken back, too, though they end after it", async () => {
  for (const isCanceled of [false, true]) {
    const done: string[] = [];
    const charge = (ctx: Context, key: string, ms: number, undoMs = 0) =>
      ctx.step("charge", async () => {
        await sleep(ms);
        done.push(`charge ${key}`);
        return key;
      }, {
        key,
        undo: async () => {
          await sleep(undoMs);
          done.push(`refund ${key}`);
        },
      });
    const fail = () => {
      throw new Error("no stock");
    };
    const run = async (ctx: Context) => {
      await charge(ctx, "a", 0, 100);
      await ctx.step("open", () => null);
      // After a cancel, the wait ends, and the others begin beside it.
      const failing = isCanceled ? ctx.waitFor("never") : ctx.step("ship", fail, ONCE);
      const later = async () => {
        await charge(ctx, "b", 50);
        await charge(ctx, "d", 50);
      };
      await Promise.all([failing, later(), charge(ctx, "c", 200)]);
    };
    const act = async (manager: Manager, id: string) => {
      if (!isCanceled) return;
      const isOpen = async () => {
        const steps = await manager.listSteps(id);
        return steps.some(({ name, state }) => name === "open" && state === "done");
      };
      await until("it runs", isOpen);
      await manager.cancelInstances({ ids: [id] });
    };
    const { state } = await endOf(run, { act });
    assert.equal(state, isCanceled ? "canceled" : "terminated");
    await sleep(300);
    const of = (what: string) =>
      done.filter((one) => one.startsWith(what)).map((one) => one.at(-1));
    assert.deepEqual(of("refund").sort(), [...new Set(of("charge"))].sort(), done.join());
  }
});

test("a cancel shortly before the deadline has as much time as any other", async () => {
  for (const isRunning of [false, true]) {
    const done: string[] = [];
    const run = async (ctx: Context) => {
      await ctx.step("charge", () => "c1", {
        undo: async (id) => {
          await sleep(1_200);
          done.push(`refund ${id}`);
        },
      });
      // It is canceled while it is parked, or while a step runs.
      if (isRunning) await ctx.step("slow", () => sleep(10_000));
      await ctx.waitFor("never");
    };
    const act = async (manager: Manager, id: string) => {
      const isThere = async () => (await manager.listSteps(id)).length > 0;
      await (isRunning ? until("it has charged", isThere) : waitsOn("signal")(manager, id));
      await manager.cancelInstances({ ids: [id] });
    };
    const { state } = await endOf(run, { act, deadline: "1s" });
    assert.deepEqual([state, done], ["canceled", ["refund c1"]]);
  }
});

test("a step that a cancel or a deadline interrupts is recorded if it is done", async () => {
  for (const how of ["cancel", "deadline"] as const) {
    const done: string[] = [];
    const run = async (ctx: Context) => {
      await ctx.step("charge", async () => {
        done.push("begin");
        await sleep(400);
        done.push("charge");
        return "c1";
      }, { undo: (id) => done.push(`refund ${id}`) });
      done.push("end");
    };
    const act = async (manager: Manager, id: string) => {
      await until("it runs", () => done.includes("begin"));
      await manager.cancelInstances({ ids: [id] });
    };
    const { state } = await endOf(run, how === "cancel" ? { act } : { deadline: "200ms" });
    await sleep(500);
    assert.equal(state, how === "cancel" ? "canceled" : "timedOut");
    assert.deepEqual(done.filter((one) => one !== "end"), ["begin", "charge", "refund c1"]);
  }
});

import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { Manager } from "../../src/index.ts";
import { withTempDir } from "../support/temp_dir.ts";
import { sleep } from "../support/wait.ts";
import { jobOf, ManagerWorld } from "../support/worlds/manager_world.ts";

/**
 * Defects of go-job that must not return; for its client and configuration see test/e2e and
 * test/cli.
 */

async function withManager(
  manager: Manager,
  use: (manager: Manager) => Promise<void>,
): Promise<void> {
  await manager.start();
  try {
    await use(manager);
  } finally {
    await manager.stop({ drainMs: 0 });
  }
}

test("retries without end do retry", async () => {
  await withManager(new Manager(), async (manager) => {
    let attempts = 0;
    manager.registerJob({
      kind: "third",
      retry: { max: -1, backoff: "fixed", initial: 1 },
      run: () => {
        attempts += 1;
        if (attempts < 3) throw new Error("not yet");
      },
    });
    const { state, attempt, failures } = await manager.wait(await manager.scheduleJob("third"));
    assert.deepEqual({ state, attempt, failures }, { state: "completed", attempt: 3, failures: 2 });
  });
});

test("a back-off occupies no worker", async () => {
  await withManager(new Manager({ workers: 1 }), async (manager) => {
    manager.registerJob({
      kind: "waits",
      retry: { max: 1, initial: "1h" },
      run: () => {
        throw new Error("again in an hour");
      },
    });
    manager.registerJob({ kind: "next", run: () => {} });
    const waiting = await manager.scheduleJob("waits");
    const { state } = await manager.wait(await manager.scheduleJob("next", { priority: 9 }), 5_000);
    assert.equal(state, "completed");
    const { state: waitingState, dueAt } = await manager.getInstance(waiting.id);
    assert.equal(waitingState, "scheduled");
    assert.ok(dueAt > Date.now() + 60_000);
  });
});

test("canceling one running instance cancels no other", async () => {
  await withManager(new Manager({ workers: 2 }), async (manager) => {
    let release = () => {};
    const gate = new Promise<void>((resolve) => release = resolve);
    const started: string[] = [];
    const bothStarted = Promise.withResolvers<void>();
    manager.registerJob({
      kind: "held",
      params: "ctx: Context",
      run: async (ctx) => {
        started.push(ctx.instance.id);
        if (started.length === 2) bothStarted.resolve();
        await new Promise<void>((resolve) => {
          ctx.signal.addEventListener("abort", () => resolve());
          void gate.then(resolve);
        });
      },
    });
    const [first, second] = [await manager.scheduleJob("held"), await manager.scheduleJob("held")];
    await bothStarted.promise;
    const canceled = await manager.cancelInstances({ ids: [first.id] });
    assert.deepEqual(canceled.map(({ id, state }) => [id, state]), [[first.id, "canceled"]]);
    assert.equal((await manager.getInstance(second.id)).state, "processing");
    release();
    assert.equal((await manager.wait(second)).state, "completed");
  });
});

test("no period passes between jobs: a hundred run one after the other in no hundred seconds", async () => {
  await withManager(new Manager({ workers: 1 }), async (manager) => {
    manager.registerJob({ kind: "noop", run: () => {} });
    const started = Date.now();
    for (let i = 0; i < 100; i++) await manager.wait(await manager.scheduleJob("noop"));
    // A poll each second would take a hundred; a busy machine takes a few.
    assert.ok(Date.now() - started < 20_000, `${Date.now() - started} ms`);
  });
});

test("an instance of a kind that no node runs waits, and no node claims it again and again", async () => {
  const first = await new ManagerWorld({ jobs: [jobOf("foreign")], workers: 0 }).started();
  await first.of(first.manager.scheduleJob("foreign"));
  const other = await new ManagerWorld({ before: first }).started();
  await other.clock.advance(60_000);
  assert.ok(other.link.count("claim") <= 5, `${other.link.count("claim")} claims in a minute`);
  const { items } = await other.of(other.manager.lookupInstances({ kinds: ["foreign"] }));
  assert.deepEqual(items.map(({ state }) => state), ["scheduled"]);
  await other.of(other.manager.stop());
  await first.of(first.manager.stop());
});

for (const type of ["memory", "sqlite"]) {
  test(`sixteen workers on ${type} run each of 1,000 instances once`, async () => {
    await withTempDir({}, async (dir) => {
      const store = type === "memory" ? "memory:" : `sqlite:${join(dir.path, "jobs.db")}`;
      await withManager(new Manager({ store, workers: 16 }), async (manager) => {
        const runs = new Map<number, number>();
        manager.registerJob({
          kind: "count",
          params: "n: number",
          run: async (n) => {
            runs.set(n, (runs.get(n) ?? 0) + 1);
            await Promise.resolve();
          },
        });
        const instances = await manager.scheduleJobs(
          Array.from({ length: 1_000 }, (_, n) => ({ kind: "count", arguments: [n] })),
        );
        for (const instance of instances) await manager.wait(instance);
        assert.equal(runs.size, 1_000);
        assert.ok([...runs.values()].every((count) => count === 1));
      });
    });
  });
}

test("priority, arguments, attempts and error come back from the store as they were", async () => {
  await withTempDir({}, async (dir) => {
    const store = `sqlite:${join(dir.path, "jobs.db")}`;
    const job = {
      kind: "fails",
      params: "text: string",
      retry: { max: 1, initial: 1 },
      run: () => {
        throw new Error("as always");
      },
    };
    let id = "";
    const first = new Manager({ store });
    first.registerJob(job);
    await withManager(first, async () => {
      const options = { priority: 3, arguments: ["ünïcode"] };
      id = (await first.wait(await first.scheduleJob("fails", options))).id;
    });
    await withManager(new Manager({ store }), async (manager) => {
      const { priority, argumentsJson, attempt, failures, error, state } = await manager
        .getInstance(id);
      assert.deepEqual({ priority, argumentsJson, attempt, failures, state }, {
        priority: 3,
        argumentsJson: '["ünïcode"]',
        attempt: 2,
        failures: 2,
        state: "terminated",
      });
      assert.equal(error?.message, "as always");
    });
  });
});

test("stop() lets what runs finish and record before the store closes", async () => {
  await withTempDir({}, async (dir) => {
    const store = `sqlite:${join(dir.path, "jobs.db")}`;
    const manager = new Manager({ store });
    const running = Promise.withResolvers<void>();
    manager.registerJob({
      kind: "slow",
      run: async () => {
        running.resolve();
        await sleep(100);
        return "recorded";
      },
    });
    await manager.start();
    const { id } = await manager.scheduleJob("slow");
    await running.promise;
    await manager.stop();
    await withManager(new Manager({ store }), async (again) => {
      assert.equal((await again.getInstance(id)).resultsJson, '["recorded"]');
    });
  });
});

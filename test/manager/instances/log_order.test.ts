import assert from "node:assert/strict";
import test from "node:test";
import { Manager } from "../../../src/index.ts";
import { withTempDir } from "../../support/temp_dir.ts";

const STORES: readonly [name: string, url: (dir: string) => string][] = [
  ["memory", () => "memory:"],
  ["SQLite", (dir) => `sqlite:${dir}/jobs.db`],
];

async function linesOf(store: string, fails: boolean): Promise<readonly string[]> {
  const manager = new Manager({ store });
  let attempts = 0;
  manager.registerJob({
    kind: "short",
    params: "ctx: Context",
    retry: { max: 1, initial: 0 },
    run: (ctx) => {
      ctx.log.info("job");
      if (fails && ++attempts === 1) throw new Error("once more");
    },
    onComplete: (instance) => instance.log.info("Result"),
    onStateChange: async (instance, state) => {
      // A handler that takes its time still comes before what follows the change.
      await new Promise((resolve) => setTimeout(resolve, 2));
      instance.log.info(`-> ${state}`);
    },
  });
  await manager.start();
  const { id } = await manager.wait(await manager.scheduleJob("short"));
  const lines = new Map<number, string>();
  for await (const step of manager.follow({ instanceId: id })) {
    for (const { seq, message } of step.entries) {
      assert.ok(!lines.has(seq), `seq ${seq} stands for two lines`);
      lines.set(seq, message);
    }
  }
  await manager.stop();
  await manager.start();
  try {
    const { items } = await manager.lookupInstanceLogs({ instanceId: id });
    assert.deepEqual(items.map(({ seq }) => seq), items.map((_, index) => index + 1));
    return items.map(({ message }) => message);
  } finally {
    await manager.stop();
  }
}

for (const [name, url] of STORES) {
  test(`the log of a short inline job on ${name} is in order`, () =>
    withTempDir({}, async ({ path: dir }) => {
      const expected = ["-> scheduled", "-> processing", "job", "Result", "-> completed"];
      assert.deepEqual(await linesOf(url(dir), false), expected);
    }));

  test(`the log of a retried inline job on ${name} is in order, and no seq repeats`, () =>
    withTempDir({}, async ({ path: dir }) => {
      const attempt = ["-> processing", "job"];
      const expected = ["-> scheduled", ...attempt, "-> scheduled", ...attempt];
      assert.deepEqual(await linesOf(url(dir), true), [...expected, "Result", "-> completed"]);
    }));
}

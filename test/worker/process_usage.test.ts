import assert from "node:assert/strict";
import { after, test } from "node:test";
import { systemClock } from "../../src/platform/clock.ts";
import { silentLogger } from "../../src/platform/logger.ts";
import { createProcessExecutor } from "../../src/worker/process/process_executor.ts";
import { makeTask, moduleJob, RecordingSink, workerCommand } from "../support/attempts.ts";

const executor = createProcessExecutor({
  clock: systemClock,
  logger: silentLogger,
  count: 1,
  idleMs: 60_000,
  command: workerCommand(),
});
after(() => executor.stop());

async function usagesOf(busyMs: number) {
  const sink = new RecordingSink();
  const { type } = await executor.run(makeTask(moduleJob("busy"), [busyMs]), sink).outcome;
  assert.equal(type, "ok");
  return sink.usages;
}

test("run() reports what the worker used in a run of a second, and nothing of a shorter one", async () => {
  assert.deepEqual(await usagesOf(50), []);
  const [usage, ...more] = await usagesOf(600);
  assert.deepEqual(more, []);
  // A busy machine gives it less than it asks for.
  const { cpuMs, maxRssBytes } = usage!;
  assert.ok(cpuMs! > 20 && cpuMs! < 1_100, `${cpuMs} ms`);
  if (process.platform === "linux") assert.ok(maxRssBytes! > 10_000_000, `${maxRssBytes} bytes`);
});

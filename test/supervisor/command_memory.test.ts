import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../src/platform/clock.ts";
import { silentLogger } from "../../src/platform/logger.ts";
import { runtimeName } from "../../src/platform/system/runtime.ts";
import { createCommandExecutor } from "../../src/supervisor/command_executor.ts";
import type { AttemptSink } from "../../src/worker/executor.ts";
import { commandJob, makeTask, workerCommand } from "../support/attempts.ts";
import { until } from "../support/wait.ts";

declare const Bun: { gc(isComplete: boolean): void };

const COUNT = 200;
/** Objects, functions, texts and other values of the engine, with the task that this test makes. */
const VALUES_MAX = 16;
const JSC = "bun:jsc";

/** How many values the engine keeps. */
async function countValues(): Promise<number> {
  const { heapStats } = await import(JSC) as { heapStats(): { readonly objectCount: number } };
  Bun.gc(true);
  return heapStats().objectCount;
}

test("the daemon keeps few values for a command that runs", {
  skip: runtimeName() !== "bun" && "the values of other engines cannot be counted",
}, async () => {
  const executor = createCommandExecutor({
    ...{ clock: systemClock, logger: silentLogger, idleMs: 60_000, command: workerCommand() },
  });
  let placed = 0;
  const sink: AttemptSink = {
    ...{ log() {}, progress() {}, used() {}, endedAgo() {} },
    placed: () => void (placed += 1),
    call: () => Promise.resolve(null),
  };
  const job = commandJob(["/bin/sleep", "60"]);
  const begin = async () => {
    const wanted = placed + COUNT;
    for (let index = 0; index < COUNT; index++) executor.run(makeTask(job), sink);
    await until("all commands run", () => placed === wanted);
  };
  try {
    // What is made only once, such as compiled code, is there after these.
    await begin();
    const before = await countValues();
    await begin();
    const each = (await countValues() - before) / COUNT;
    assert.ok(each <= VALUES_MAX, `${each} values for each command`);
  } finally {
    await executor.stop();
  }
});

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { systemClock } from "../../src/platform/clock.ts";
import { silentLogger } from "../../src/platform/logger.ts";
import { ProcessHold } from "../../src/platform/process/process_hold.ts";
import { createProcessExecutor } from "../../src/worker/process/process_executor.ts";
import { asWindows } from "../support/as_windows.ts";
import {
  injectedSignature,
  makeTask,
  moduleJob,
  RecordingSink,
  whenGone,
  workerCommand,
} from "../support/attempts.ts";

const executor = createProcessExecutor({
  clock: systemClock,
  logger: silentLogger,
  count: 2,
  idleMs: 60_000,
  command: workerCommand(),
});
after(() => asWindows(() => executor.stop()));

// The channel that Windows has does not keep a process of Deno alive, unlike a daemon's listeners.
const hold = new ProcessHold();

/** Run a job of worker_jobs.ts as on Windows. */
function run(job: ReturnType<typeof moduleJob>, args: readonly unknown[] = []) {
  return hold.during(() =>
    asWindows(async () => {
      const sink = new RecordingSink();
      sink.answer = (_, [kind]) => ({ kind });
      return { outcome: await executor.run(makeTask(job, args), sink).outcome, sink };
    })
  );
}

test("run() passes arguments, results and calls of a worker on Windows", async () => {
  const text = "€".repeat(349_000);
  const echo = await run(moduleJob("echo"), [text]);
  assert.deepEqual(echo.outcome, { type: "ok", resultsJson: JSON.stringify([text]) });
  const calls = await run(moduleJob("manager", {}, injectedSignature("Manager, ")), ["a"]);
  assert.deepEqual(calls.outcome, { type: "ok", resultsJson: '[{"kind":"a"}]' });
  const { outcome } = await run(moduleJob("exit"), [7]);
  assert.match(outcome.type === "error" ? outcome.error.message : "", /exited with code 7 before/);
});

test("run() keeps a worker for the next run, and ends one that spins, on Windows", async () => {
  const pids: number[] = [];
  for (let count = 0; count < 2; count++) {
    const { outcome } = await run(moduleJob("pid"));
    pids.push(JSON.parse((outcome as { resultsJson: string }).resultsJson)[0]);
  }
  const [pid, same] = pids;
  assert.equal(pid, same);
  const { outcome, sink } = await run(moduleJob("spin", { timeoutMs: 200, killAfterMs: 200 }));
  assert.ok(outcome.type === "aborted" && outcome.cause === "timeout");
  assert.deepEqual(sink.messages("stdout"), ["spinning"]);
  await whenGone(pid!, 1_000);
});

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { ERROR_MESSAGE_BYTES_MAX } from "../../src/core/arguments/encode.ts";
import { utf8Bytes } from "../../src/core/text/text_bytes.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { silentLogger } from "../../src/platform/logger.ts";
import type { AttemptOutcome, Executor } from "../../src/worker/executor.ts";
import { createInlineExecutor } from "../../src/worker/isolation/inline_executor.ts";
import { createProcessExecutor } from "../../src/worker/process/process_executor.ts";
import { makeTask, moduleJob, RecordingSink, workerCommand } from "../support/attempts.ts";

const EXECUTORS: Readonly<Record<string, Executor>> = {
  "in a worker": createProcessExecutor({
    clock: systemClock,
    logger: silentLogger,
    count: 2,
    idleMs: 60_000,
    command: workerCommand(),
  }),
  "inline": createInlineExecutor({ clock: systemClock }),
};

after(async () => {
  for (const executor of Object.values(EXECUTORS)) await executor.stop();
});

async function outcomeOf(
  executor: Executor,
  kind: string,
  what: string,
  timeoutMs = 0,
): Promise<AttemptOutcome> {
  const job = moduleJob(kind, { timeoutMs, killAfterMs: 200 });
  return await executor.run(makeTask(job, [what]), new RecordingSink()).outcome;
}

/** The error message of each thrown value. */
const THROWN: Readonly<Record<string, RegExp>> = {
  undefined: /undefined/,
  null: /null/,
  number: /42/,
  string: /text/,
  symbol: /secret/,
  frozen: /^frozen$/,
  getter: /./,
  long: /^m+…$/,
  proxy: /./,
  cycle: /^cycle$/,
  thenable: /./,
};

/** The encoding of each returned value, or the error where it has none. */
const RETURNED: Readonly<Record<string, RegExp | { readonly error: RegExp }>> = {
  bigint: /^\["1180591620717411303424"\]$/,
  cycle: /^\[\{"self":"\[Circular\]"\}\]$/,
  function: /^\[null\]$/,
  symbol: /^\[null\]$/,
  nan: /^\["NaN"\]$/,
  badDate: /^\["Invalid Date"\]$/,
  map: /^\[\{"a":1\}\]$/,
  // Awaiting it throws.
  proxy: { error: /^trap$/ },
  large: { error: /more than 1048576 bytes/ },
  huge: { error: /more than 1048576 bytes/ },
};

for (const [where, executor] of Object.entries(EXECUTORS)) {
  for (const [what, wanted] of Object.entries(THROWN)) {
    test(`fault 47: ${what}, thrown ${where}, is an error of bounded text`, async () => {
      const outcome = await outcomeOf(executor, "throw", what);
      assert.ok(outcome.type === "error");
      assert.match(outcome.error.message, wanted);
      assert.ok(utf8Bytes(outcome.error.message) <= ERROR_MESSAGE_BYTES_MAX);
      assert.ok(JSON.stringify(outcome).length < 40_000);
    });
  }

  for (const [what, wanted] of Object.entries(RETURNED)) {
    test(`fault 48: ${what}, returned ${where}, has a stated encoding or is refused`, async () => {
      const outcome = await outcomeOf(executor, "return", what);
      if (wanted instanceof RegExp) {
        assert.ok(outcome.type === "ok", JSON.stringify(outcome).slice(0, 300));
        assert.match(outcome.resultsJson, wanted);
      } else {
        assert.ok(outcome.type === "error");
        assert.match(outcome.error.message, wanted.error);
      }
    });
  }

  test(`fault 48: a thenable that never settles, returned ${where}, ends at the timeout`, async () => {
    const outcome = await outcomeOf(executor, "return", "never", 100);
    assert.ok(outcome.type === "aborted" && outcome.cause === "timeout");
  });
}

import assert from "node:assert/strict";
import { test } from "node:test";
import type { JobDefinition } from "../../src/core/job/job.ts";
import type { Executor } from "../../src/worker/executor.ts";
import { createExecutor } from "../../src/worker/isolation/routing_executor.ts";
import { commandJob, makeJob, makeTask, moduleJob, RecordingSink } from "../support/attempts.ts";

function named(name: string, calls: string[]): Executor {
  const note = (what: string) => void calls.push(`${name} ${what}`);
  return {
    waiting: 3,
    start: async () => note("start"),
    stop: async () => note("stop"),
    run() {
      note("run");
      const outcome = Promise.resolve({ type: "ok", resultsJson: "[]" } as const);
      return { outcome, extend() {}, abort() {} };
    },
    async handle() {
      note("handle");
      return null;
    },
    resize: (count) => note(`resize ${count}`),
    stats: () => ({ alive: 2, busy: 1 }),
  };
}

const functionJob = makeJob("f", { type: "function", run: () => {}, handlers: {} });
const routes: readonly (readonly [string, JobDefinition, string])[] = [
  ["a function", functionJob, "inline"],
  ["a command", commandJob(["/bin/true"]), "command"],
  [
    "a command that asks for inline",
    commandJob(["/bin/true"], {}, { isolation: "inline" }),
    "command",
  ],
  ["a module", moduleJob("noop"), "process"],
  ["a module that asks for inline", moduleJob("noop", { isolation: "inline" }), "inline"],
];

for (const [what, job, wanted] of routes) {
  test(`createExecutor() runs and notifies in the ${wanted} executor when the job is ${what}`, async () => {
    const calls: string[] = [];
    const executor = createExecutor({
      process: named("process", calls),
      command: named("command", calls),
      inline: named("inline", calls),
    });
    const task = makeTask(job);
    executor.run(task, new RecordingSink());
    await executor.handle({
      job,
      instance: task.instance,
      call: { type: "stateChange", state: "completed" },
      log() {},
    });
    assert.deepEqual(calls, [`${wanted} run`, `${wanted} handle`]);
  });
}

test("createExecutor() starts, resizes, counts and stops all", async () => {
  const calls: string[] = [];
  const executor = createExecutor({
    process: named("process", calls),
    command: named("command", calls),
    inline: named("inline", calls),
  });
  await executor.start();
  executor.resize(3);
  await executor.stop();
  assert.deepEqual(executor.stats(), { alive: 6, busy: 3 });
  assert.deepEqual(calls, [
    "inline start",
    "process start",
    "command start",
    "inline resize 3",
    "process resize 3",
    "command resize 3",
    "inline stop",
    "process stop",
    "command stop",
  ]);
});

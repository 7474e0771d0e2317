import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { JobDefinition } from "../../src/core/job/job.ts";
import { type Clock, type Instant, systemClock, type Timer } from "../../src/platform/clock.ts";
import { silentLogger } from "../../src/platform/logger.ts";
import { type AttemptOutcome, type Executor, HANDLER_MS_MAX } from "../../src/worker/executor.ts";
import { createProcessExecutor } from "../../src/worker/process/process_executor.ts";
import {
  injectedSignature,
  isAlive,
  makeInstance,
  makeJob,
  makeTask,
  moduleJob,
  RecordingSink,
  whenGone,
  workerCommand,
} from "../support/attempts.ts";
import { testOnBun } from "../support/on_bun.ts";

const folder = mkdtempSync(join(tmpdir(), "worker-test-"));
const executors: Executor[] = [];

function makeExecutor(
  options: {
    readonly count?: number;
    readonly idleMs?: number;
    readonly command?: readonly string[];
    readonly clock?: Clock;
  } = {},
): Executor {
  const executor = createProcessExecutor({
    clock: systemClock,
    logger: silentLogger,
    count: 4,
    idleMs: 60_000,
    command: workerCommand(),
    ...options,
  });
  executors.push(executor);
  return executor;
}

/** The system's clock, `times` as fast from now on, to wait less for long limits. */
function fasterClock(times: number): Clock {
  const startMs = systemClock.now().monotonicMs;
  return {
    ...systemClock,
    now: () => {
      const { wallMs, monotonicMs } = systemClock.now();
      return { wallMs, monotonicMs: startMs + (monotonicMs - startMs) * times };
    },
    timer: (delayMs, callback, options) => systemClock.timer(delayMs / times, callback, options),
  };
}

/** A clock that stops just before an instant. */
class StoppingClock implements Clock {
  readonly #clock: Clock;
  /** It never reaches this. */
  endMs = Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): Instant {
    const { wallMs, monotonicMs } = this.#clock.now();
    return { wallMs, monotonicMs: Math.min(monotonicMs, this.endMs - 1) };
  }

  timer(...args: Parameters<Clock["timer"]>): Timer {
    return this.#clock.timer(...args);
  }

  defer(callback: () => void): void {
    this.#clock.defer(callback);
  }
}

// For the tests that leave nothing behind; the others create their own.
const shared = makeExecutor();
after(async () => {
  await Promise.all(executors.map((executor) => executor.stop()));
  rmSync(folder, { recursive: true, force: true });
});

async function outcomeOf(
  job: JobDefinition,
  args: readonly unknown[] = [],
  executor = shared,
): Promise<{ readonly outcome: AttemptOutcome; readonly sink: RecordingSink }> {
  const sink = new RecordingSink();
  const outcome = await executor.run(makeTask(job, args), sink).outcome;
  return { outcome, sink };
}

function message(outcome: AttemptOutcome): string {
  return "error" in outcome ? outcome.error.message : outcome.type;
}

test("run() returns the results of a function in another process", async () => {
  const { outcome } = await outcomeOf(moduleJob("pid"));
  assert.ok(outcome.type === "ok");
  assert.notEqual(JSON.parse(outcome.resultsJson)[0], process.pid);
});

test("run() passes arguments and results of a mebibyte", async () => {
  const text = "€".repeat(349_000);
  const { outcome } = await outcomeOf(moduleJob("echo"), [text]);
  assert.ok(outcome.type === "ok");
  assert.equal(JSON.parse(outcome.resultsJson)[0], text);
});

test("run() injects what the signature asks for", async () => {
  const job = moduleJob("context", {}, injectedSignature("Context, , Manager, Worker"));
  const { outcome } = await outcomeOf(job, [42]);
  assert.ok(outcome.type === "ok");
  const [value] = JSON.parse(outcome.resultsJson);
  assert.match(value.id, /^00000000-/);
  assert.deepEqual({ ...value, id: "" }, {
    value: 42,
    fence: 7,
    id: "",
    attempt: 1,
    scheduledFor: "2026-01-01T00:00:00.000Z",
    aborted: false,
    manager: [
      "cancelInstances",
      "getInstance",
      "lookupInstances",
      "scheduleJob",
      "scheduleJobs",
      "waitInstance",
    ],
    pid: true,
  });
});

test("run() passes calls to the manager and their errors", async () => {
  const job = moduleJob("manager", {}, injectedSignature("Manager, "));
  const sink = new RecordingSink();
  sink.answer = (_, args) => ({ kind: args[0] });
  const first = await shared.run(makeTask(job, ["a"]), sink).outcome;
  assert.deepEqual(first, { type: "ok", resultsJson: '[{"kind":"a"}]' });
  assert.deepEqual(sink.calls, [{ method: "scheduleJob", args: ["a", { at: 5 }] }]);
  sink.answer = () => {
    throw new Error("refused");
  };
  const second = await shared.run(makeTask(job, ["a"]), sink).outcome;
  assert.equal(message(second), "refused");
});

test("run() passes on progress, and always the first and the last", async () => {
  const job = moduleJob("progress", {}, injectedSignature("Context, "));
  const sink = new RecordingSink();
  const outcome = await shared.run(makeTask(job, [1_000]), sink).outcome;
  assert.equal(outcome.type, "ok");
  assert.deepEqual(sink.progresses[0], { done: 1, total: 1_000 });
  assert.deepEqual(sink.progresses.at(-1), { done: 1_000, total: 1_000 });
  assert.ok(sink.progresses.length < 10, `${sink.progresses.length} reports`);
  assert.deepEqual(sink.messages("job"), [
    "progress(NaN, undefined) was ignored: it takes numbers from 0 up",
  ]);
});

testOnBun("run() keeps the worker for the next attempt", async () => {
  const executor = makeExecutor();
  const pids = new Set<string>();
  for (let index = 0; index < 5; index++) {
    const { outcome } = await outcomeOf(moduleJob("pid"), [], executor);
    assert.ok(outcome.type === "ok");
    pids.add(outcome.resultsJson);
  }
  assert.equal(pids.size, 1);
  assert.deepEqual(executor.stats(), { alive: 1, busy: 0 });
});

test("fault 51: run() logs a late error for the attempt that caused it, even if the next one has begun", async () => {
  const executor = makeExecutor({ count: 1 });
  const first = await outcomeOf(moduleJob("pid"), [], executor);
  const second = await outcomeOf(moduleJob("tellLate"), [1], executor);
  assert.deepEqual(first.sink.messages(), ["Uncaught after the attempt had ended: too late"]);
  assert.deepEqual(second.sink.messages(), []);
});

for (const code of [0, 1, 77]) {
  const testIt = code === 0 ? test : testOnBun;
  testIt(`fault 46: run() fails when the job exits with code ${code} before a result`, async () => {
    const { outcome } = await outcomeOf(moduleJob("exit"), [code]);
    assert.ok(outcome.type === "error");
    assert.equal(outcome.error.exitCode, code);
    assert.match(outcome.error.message, new RegExp(`exited with code ${code} before a result`));
  });
}

test("fault 46: run() is lost when another process kills the worker", async () => {
  const { outcome } = await outcomeOf(moduleJob("killSelf"));
  assert.ok(outcome.type === "lost" && outcome.error.signal === "SIGKILL");
});

test("run() is lost with the printed text when the worker cannot start", async () => {
  const script = join(folder, "broken.sh");
  writeFileSync(script, "#!/bin/sh\necho cannot begin >&2\nexit 9\n", { mode: 0o755 });
  const broken = makeExecutor({ command: [script] });
  const { outcome } = await outcomeOf(moduleJob("noop"), [], broken);
  assert.equal(outcome.type, "lost");
  assert.match(message(outcome), /could not be started: .*9: cannot begin/);
  const missing = makeExecutor({ command: ["/nonexistent/program"] });
  assert.equal((await outcomeOf(moduleJob("noop"), [], missing)).outcome.type, "lost");
});

testOnBun("run() fails when the module is missing or does not define the job", async () => {
  const source = { type: "module", path: "/nonexistent.ts", entry: "x", version: "1" } as const;
  assert.equal((await outcomeOf(makeJob("x", source))).outcome.type, "error");
  assert.equal((await outcomeOf(moduleJob("unknown"))).outcome.type, "error");
});

testOnBun("run() refuses a function", async () => {
  const job = makeJob("f", { type: "function", run: () => {}, handlers: {} });
  const { outcome } = await outcomeOf(job);
  assert.ok(outcome.type === "error" && /its source is a function/.test(outcome.error.message));
});

test("run() loads a module in another worker when its version changed", async () => {
  const executor = makeExecutor();
  const path = join(folder, "changing.ts");
  const results = [];
  for (const version of ["one", "two"]) {
    writeFileSync(path, `export default () => "${version}";`);
    const job = makeJob("changing", { type: "module", path, entry: "changing", version });
    const { outcome } = await outcomeOf(job, [], executor);
    results.push(outcome.type === "ok" ? outcome.resultsJson : message(outcome));
  }
  assert.deepEqual(results, ['["one"]', '["two"]']);
});

testOnBun("run() calls onComplete and onTerminate in the worker before its outcome", async () => {
  const complete = await outcomeOf(moduleJob("complete"), [21]);
  assert.deepEqual(complete.outcome, { type: "ok", resultsJson: "[42]" });
  assert.deepEqual(complete.sink.messages(), ["completed complete [42]"]);
  const resolved = await outcomeOf(moduleJob("terminate"), ["resolve"]);
  assert.deepEqual(resolved.outcome, { type: "ok", resultsJson: "[]" });
  assert.deepEqual(resolved.sink.messages(), ["terminated by original"]);
  for (
    const [how, wanted] of [["keep", "original"], ["replace", "replaced"], ["throw", "thrown"]]
  ) {
    assert.equal(message((await outcomeOf(moduleJob("terminate"), [how])).outcome), wanted);
  }
});

for (const how of ["exit", "kill", "throw"]) {
  const testIt = how === "kill" ? test : testOnBun;
  testIt(`run() keeps the outcome when onComplete does ${how}`, async () => {
    const { outcome, sink } = await outcomeOf(moduleJob("badHandler"), [how]);
    assert.deepEqual(outcome, { type: "ok", resultsJson: "[1]" });
    assert.match(
      sink.messages("system")[0]!,
      how === "throw" ? /^onComplete failed: handler$/ : /^A handler ended its worker with/,
    );
  });
}

for (const how of ["exit", "kill"]) {
  testOnBun(`run() keeps the error when onTerminate does ${how}`, async () => {
    const { outcome, sink } = await outcomeOf(moduleJob("badHandler"), [`fail ${how}`]);
    assert.ok(outcome.type === "error" && outcome.error.message === "original");
    assert.equal("isUnasked" in outcome, false);
    assert.match(sink.messages("system")[0]!, /^A handler ended its worker with/);
  });
}

test("run() kills a handler that spins and keeps the outcome", { timeout: 30_000 }, async () => {
  // Each spins on a processor for as long.
  const clock = fasterClock(12);
  const startMs = clock.now().monotonicMs;
  const outcomes = await Promise.all([
    outcomeOf(moduleJob("badHandler"), ["spin"], makeExecutor({ clock })),
    outcomeOf(moduleJob("badHandler"), ["fail spin"], makeExecutor({ clock })),
  ]);
  const tookMs = clock.now().monotonicMs - startMs;
  assert.deepEqual(outcomes.map(({ outcome }) => outcome.type), ["ok", "error"]);
  for (const { sink } of outcomes) {
    assert.match(sink.messages("system")[0]!, /^A handler did not end within 10000 ms/);
  }
  assert.ok(tookMs >= HANDLER_MS_MAX && tookMs < 6 * HANDLER_MS_MAX, `took ${tookMs} ms`);
});

testOnBun("run() lets onTerminate clean up after a timeout and undo it", async () => {
  const signature = injectedSignature("AbortSignal");
  const job = moduleJob("cleanUp", { timeoutMs: 100, killAfterMs: 1_000 }, signature);
  const { outcome, sink } = await outcomeOf(job);
  assert.deepEqual(outcome, { type: "ok", resultsJson: "[]" });
  assert.deepEqual(sink.messages(), ["cleaned up after TimeoutError"]);
});

testOnBun(
  "handle() calls the handlers of an attempt whose worker is gone in another one",
  async () => {
    const job = moduleJob("lateTerminate");
    for (const how of ["resolve", "replace"]) {
      const { outcome, sink } = await outcomeOf(job, [how]);
      assert.ok(outcome.type === "error" && outcome.isUnasked && outcome.error.exitCode === 3);
      const answer = await shared.handle({
        job,
        instance: makeInstance(job, [how]),
        call: { type: "terminate", error: outcome.error },
        log: (entries) => sink.log(entries),
      });
      assert.match(sink.messages("job")[0]!, /^WorkerExitError \d+$/);
      if (how === "resolve") assert.deepEqual(answer, { type: "ok", resultsJson: "[]" });
      else {assert.ok(
          answer?.type === "error" && answer.error.message === "replaced" && answer.wish === 7_000,
        );}
    }
  },
);

testOnBun("run() returns what snooze() and discard() request", async () => {
  const signature = injectedSignature("Context, ");
  const snoozed = await outcomeOf(moduleJob("snooze", {}, signature), ["90s"]);
  assert.deepEqual(snoozed.outcome, { type: "snooze", delayMs: 90_000 });
  const { outcome } = await outcomeOf(moduleJob("discard", {}, signature), ["no use"]);
  assert.ok(outcome.type === "error" && outcome.wish === "discarded");
  assert.equal(outcome.error.message, "no use");
});

test("fault 42: run() stops a spinning job at its timeout, and the next attempt runs", async () => {
  const executor = makeExecutor();
  const startMs = systemClock.now().monotonicMs;
  const job = moduleJob("spin", { timeoutMs: 200, killAfterMs: 200 });
  const { outcome, sink } = await outcomeOf(job, [], executor);
  const tookMs = systemClock.now().monotonicMs - startMs;
  assert.ok(outcome.type === "aborted" && outcome.cause === "timeout");
  assert.match(outcome.error.message, /timeout of 200ms/);
  assert.deepEqual(sink.messages(), ["spinning"]);
  assert.ok(tookMs >= 300 && tookMs < 5_000, `took ${tookMs} ms`);
  assert.equal((await outcomeOf(moduleJob("noop"), [], executor)).outcome.type, "ok");
});

testOnBun("abort() keeps the worker when the function ends after its signal", async () => {
  const executor = makeExecutor();
  for (const kind of ["waitAbort", "returnOnAbort"]) {
    const sink = new RecordingSink();
    const job = moduleJob(kind, {}, injectedSignature("AbortSignal"));
    const attempt = executor.run(makeTask(job), sink);
    await sink.line("waiting");
    attempt.abort("canceled");
    attempt.abort("drain");
    const outcome = await attempt.outcome;
    assert.ok(outcome.type === "aborted" && outcome.cause === "canceled");
    assert.equal(outcome.error.name, "AbortError");
  }
  assert.deepEqual(executor.stats(), { alive: 1, busy: 0 });
});

test("abort() kills a job that ignores its signal and SIGTERM after killAfterMs", async () => {
  const sink = new RecordingSink();
  const attempt = shared.run(makeTask(moduleJob("ignoreAbort", { killAfterMs: 400 })), sink);
  await sink.line("ignoring");
  const startMs = systemClock.now().monotonicMs;
  attempt.abort("canceled");
  const outcome = await attempt.outcome;
  const tookMs = systemClock.now().monotonicMs - startMs;
  assert.ok(outcome.type === "aborted" && outcome.error.signal === "SIGKILL");
  assert.ok(tookMs >= 400 && tookMs < 5_000, `took ${tookMs} ms`);
  assert.deepEqual(sink.messages(), ["ignoring", "no"]);
});

testOnBun("stats() counts starts of workers that failed in a row", async () => {
  const executor = makeExecutor({ command: ["/nonexistent/program"] });
  for (const count of [1, 2]) {
    await outcomeOf(moduleJob("noop"), [], executor);
    assert.equal(executor.stats().failedStarts, count);
  }
  const working = makeExecutor();
  await outcomeOf(moduleJob("noop"), [], working);
  assert.equal(working.stats().failedStarts, undefined);
});

testOnBun(
  "stop() reports that nothing ran of an attempt whose worker has not started",
  async () => {
    const executor = makeExecutor();
    const attempt = executor.run(makeTask(moduleJob("noop")), new RecordingSink());
    await executor.stop();
    const outcome = await attempt.outcome;
    assert.ok(outcome.type === "aborted" && outcome.cause === "drain" && outcome.isUnstarted);
  },
);

testOnBun("abort() ends an attempt whose worker has not started", async () => {
  const attempt = makeExecutor().run(makeTask(moduleJob("noop")), new RecordingSink());
  attempt.abort("canceled");
  assert.equal((await attempt.outcome).type, "aborted");
});

test("run() ends job code before its deadline when nobody extends it", async () => {
  const file = join(folder, "deadline");
  const sink = new RecordingSink();
  // The guard is on the clock of the system: it would end it 15 times as late.
  const clock = new StoppingClock(fasterClock(15));
  const executor = makeExecutor({ clock });
  await outcomeOf(moduleJob("noop"), [], executor);
  const deadlineMs = clock.now().monotonicMs + 15_000;
  clock.endMs = deadlineMs;
  const task = { ...makeTask(moduleJob("spin", { killAfterMs: 60_000 }), [file]), deadlineMs };
  const attempt = executor.run(task, sink);
  await sink.line("spinning");
  await whenGone(Number(readFileSync(file, "utf8")), 12_000);
  const outcome = await attempt.outcome;
  assert.ok(outcome.type === "aborted" && outcome.cause === "lease");
});

testOnBun("extend() keeps an attempt beyond its first deadline", async () => {
  const sink = new RecordingSink();
  const job = moduleJob("waitAbort", {}, injectedSignature("AbortSignal"));
  const task = makeTask(job, [], { leaseMs: 600 });
  const attempt = shared.run(task, sink);
  attempt.extend(task.deadlineMs + 60_000);
  await new Promise((resolve) => systemClock.timer(800, () => resolve(null)));
  attempt.abort("canceled");
  const outcome = await attempt.outcome;
  assert.ok(outcome.type === "aborted" && outcome.cause === "canceled");
});

test("run() fails when something uncaught is thrown during the attempt", async () => {
  const { outcome } = await outcomeOf(moduleJob("uncaught"));
  assert.ok(outcome.type === "error" && outcome.error.message === "loose");
});

test("fault 51: run() logs an error thrown after the attempt for it and replaces the worker", async () => {
  const executor = makeExecutor();
  const { outcome, sink } = await outcomeOf(moduleJob("late"), [], executor);
  assert.equal(outcome.type, "ok");
  await sink.line("too late");
  const [entry] = sink.entries;
  assert.deepEqual([entry!.level, entry!.source], ["error", "system"]);
  const next = await outcomeOf(moduleJob("noop"), [], executor);
  assert.equal(next.outcome.type, "ok");
  assert.deepEqual(next.sink.entries, []);
});

test("run() kills the children that an attempt leaves in its worker's group", async () => {
  const file = join(folder, "child");
  assert.equal((await outcomeOf(moduleJob("leaveChild"), [file])).outcome.type, "ok");
  await whenGone(Number(readFileSync(file, "utf8")), 1_000);
});

test("run() replaces a worker whose connection the job broke", async () => {
  const executor = makeExecutor();
  assert.equal((await outcomeOf(moduleJob("deaf"), [], executor)).outcome.type, "ok");
  assert.equal((await outcomeOf(moduleJob("noop"), [], executor)).outcome.type, "ok");
});

test("run() logs output in order and with its level, for its own attempt", async () => {
  const executor = makeExecutor();
  for (const word of ["a", "b", "c"]) {
    const { sink } = await outcomeOf(moduleJob("printBoth"), [word], executor);
    assert.deepEqual(sink.messages("stdout"), [`out ${word} 1`, `out ${word} 2`]);
    assert.deepEqual(sink.messages("stderr"), [`err ${word}`]);
    const level = (source: string) => sink.entries.find((entry) => entry.source === source)!.level;
    assert.deepEqual([level("stdout"), level("stderr")], ["info", "error"]);
  }
  assert.deepEqual(executor.stats(), { alive: 1, busy: 0 });
});

test("run() has all output before its outcome when there are thousands of lines", async () => {
  const { sink } = await outcomeOf(moduleJob("print"), [9_000, "line"]);
  const wanted = Array.from({ length: 9_000 }, (_, index) => `${index} line`);
  assert.deepEqual(sink.messages(), wanted);
});

test("run() keeps the output of a job that exits", async () => {
  const { sink } = await outcomeOf(moduleJob("spin", { timeoutMs: 100, killAfterMs: 1 }));
  assert.deepEqual(sink.messages(), ["spinning"]);
});

test("run() bounds the output of a job that floods it", async () => {
  const { outcome, sink } = await outcomeOf(moduleJob("flood"), [20]);
  assert.equal(outcome.type, "ok");
  assert.ok(sink.entries.length <= 10_001);
  assert.equal(sink.messages().at(-1), "the end");
  assert.match(sink.messages("system")[0]!, /lines \(\d+ bytes\) of output dropped here/);
});

test("run() makes output safe that is not UTF-8, has a NUL or no line end", async () => {
  const bytes = Buffer.from([0xff, 0x61, 0x00, 0x0a, 0x1b, 0x5b, 0x6d]);
  const { sink } = await outcomeOf(moduleJob("printBytes"), [bytes.toString("base64")]);
  assert.deepEqual(sink.messages(), ["\ufffda␀", "\x1b[m"]);
});

testOnBun("run() logs the entries of ctx.log with their levels", async () => {
  const { sink } = await outcomeOf(moduleJob("log", {}, injectedSignature("Context")));
  assert.deepEqual(
    sink.entries.map(({ level, message, source }) => `${level} ${message} ${source}`),
    ["debug d job", "info i job", "warn w job", "error e job"],
  );
});

testOnBun("handle() passes the states of one instance in order", async () => {
  const job = moduleJob("state");
  const file = join(folder, "states");
  const instance = makeInstance(job, [file]);
  await Promise.all(
    (["scheduled", "processing", "completed"] as const).map((state) =>
      shared.handle({ job, instance, call: { type: "stateChange", state }, log() {} })
    ),
  );
  assert.equal(
    readFileSync(file, "utf8"),
    "scheduled scheduled\nprocessing processing\ncompleted completed\n",
  );
});

testOnBun("handle() resolves when the handler fails", async () => {
  const job = moduleJob("state");
  const sink = new RecordingSink();
  const call = { type: "stateChange", state: "canceled" } as const;
  const instance = makeInstance(job, ["/proc/nonexistent/x"]);
  await shared.handle({ job, instance, call, log: (entries) => sink.log(entries) });
  assert.match(sink.messages("system")[0]!, /^onStateChange failed: ENOENT/);
});

testOnBun("resize() ends surplus workers when they are idle", async () => {
  const executor = makeExecutor();
  await Promise.all([1, 2, 3].map(() => outcomeOf(moduleJob("pid"), [], executor)));
  assert.equal(executor.stats().alive, 3);
  const pids = await Promise.all([1, 2, 3].map(() => outcomeOf(moduleJob("pid"), [], executor)));
  executor.resize(1);
  const gone = pids.map(({ outcome }) =>
    outcome.type === "ok" ? JSON.parse(outcome.resultsJson)[0] as number : 0
  );
  await Promise.any(gone.map((pid) => whenGone(pid, 2_000)));
  executor.resize(0);
  await Promise.all(gone.map((pid) => whenGone(pid, 2_000)));
});

test("run() ends idle workers after idleMs", async () => {
  const executor = makeExecutor({ idleMs: 50 });
  const { outcome } = await outcomeOf(moduleJob("pid"), [], executor);
  assert.ok(outcome.type === "ok");
  await whenGone(JSON.parse(outcome.resultsJson)[0], 2_000);
});

test("stop() aborts what runs, ends every worker and refuses further attempts", async () => {
  const executor = makeExecutor();
  const file = join(folder, "stopped");
  const sink = new RecordingSink();
  const attempt = executor.run(makeTask(moduleJob("spin", { killAfterMs: 100 }), [file]), sink);
  await sink.line("spinning");
  await executor.stop();
  const outcome = await attempt.outcome;
  assert.ok(outcome.type === "aborted" && outcome.cause === "drain" && !outcome.isUnstarted);
  assert.equal(isAlive(Number(readFileSync(file, "utf8"))), false);
  assert.deepEqual(executor.stats(), { alive: 0, busy: 0 });
  assert.equal((await outcomeOf(moduleJob("noop"), [], executor)).outcome.type, "lost");
});

testOnBun(
  "run() lets a job that is known to be short wait, and abort() ends it there",
  async () => {
    const executor = makeExecutor();
    const job = moduleJob("print");
    for (let count = 0; count < 20; count++) await outcomeOf(job, [1, "a"], executor);
    const begun = Array.from(
      { length: availableParallelism() + 1 },
      () => outcomeOf(job, [1, "a"], executor),
    );
    const sink = new RecordingSink();
    const waiting = executor.run(makeTask(job, [1, "a"]), sink);
    waiting.extend(systemClock.now().monotonicMs + 1_000);
    const last = outcomeOf(job, [1, "a"], executor);
    waiting.abort("canceled");
    const outcome = await waiting.outcome;
    assert.ok(outcome.type === "aborted" && outcome.cause === "canceled");
    for (const each of [...begun, last]) assert.equal((await each).outcome.type, "ok");
    assert.deepEqual((await last).sink.messages(), ["0 a"]);
    assert.deepEqual(sink.messages(), []);
  },
);

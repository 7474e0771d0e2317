import type { JobOptions } from "../../src/core/job/gen/job_options.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorInfo } from "../../src/core/instance.ts";
import type { JobHandlers } from "../../src/core/job/job.ts";
import type { JobFunction } from "../../src/core/stored_types.ts";
import type { Signature } from "../../src/core/arguments/signature.ts";
import { type AttemptOutcome, HANDLER_MS_MAX } from "../../src/worker/executor.ts";
import { createInlineExecutor } from "../../src/worker/isolation/inline_executor.ts";
import {
  commandJob,
  injectedSignature,
  makeInstance,
  makeJob,
  moduleJob,
  RecordingSink,
} from "../support/attempts.ts";
import { SimClock } from "../support/worlds/sim_clock.ts";

interface Setting {
  readonly handlers?: JobHandlers;
  readonly options?: Partial<JobOptions>;
  readonly signature?: Signature;
  readonly args?: readonly unknown[];
  readonly leaseMs?: number;
}

function begin(run: JobFunction, setting: Setting = {}) {
  const clock = new SimClock();
  const sink = new RecordingSink();
  const executor = createInlineExecutor({ clock });
  const source = { type: "function", run, handlers: setting.handlers ?? {} } as const;
  const job = makeJob("inline", source, setting.options, setting.signature);
  const instance = makeInstance(job, setting.args);
  const attempt = executor.run({ job, instance, deadlineMs: setting.leaseMs ?? 60_000 }, sink);
  return { clock, sink, executor, job, attempt };
}

const never = () => new Promise(() => {});

test("inline run() returns the encoded result when the function returns", async () => {
  const { attempt } = begin((x: number, y: number) => x + y, { args: [2, 3] });
  assert.deepEqual(await attempt.outcome, { type: "ok", resultsJson: "[5]" });
});

test("inline run() fails when the function throws or rejects", async () => {
  for (
    const run of [() => {
      throw new RangeError("no");
    }, () => Promise.reject(new RangeError("no"))]
  ) {
    const outcome = await begin(run).attempt.outcome;
    assert.equal(outcome.type, "error");
    assert.ok(outcome.type === "error" && outcome.error.name === "RangeError");
  }
});

test("inline run() injects what the signature asks for wherever it stands", async () => {
  const { attempt, sink } = begin(
    async (value: number, context, manager, signal, worker, instance) => {
      context.log.warn(`value ${value}`);
      const answer = await manager.getInstance("abc");
      return [signal.aborted, worker.node, instance.fence, context.fence, answer];
    },
    {
      args: [4],
      signature: injectedSignature(", Context, Manager, AbortSignal, Worker, Instance"),
    },
  );
  sink.answer = (_, args) => ({ id: args[0] });
  const outcome = await attempt.outcome;
  assert.deepEqual(outcome, {
    type: "ok",
    resultsJson: '[[false,"node-1",7,7,{"id":"abc"}]]',
  });
  assert.deepEqual(sink.entries.map(({ level, message, source }) => ({ level, message, source })), [
    { level: "warn", message: "value 4", source: "job" },
  ]);
});

test("inline run() reports progress at once, then twice a second, and the last one", async () => {
  let finish = (_: unknown) => {};
  const { clock, sink, attempt } = begin(async (context) => {
    for (let done = 1; done <= 5; done++) context.progress(done, 9);
    await new Promise((resolve) => finish = resolve);
    context.progress(7);
  }, { signature: injectedSignature("Context") });
  await clock.settle();
  assert.deepEqual(sink.progresses, [{ done: 1, total: 9 }]);
  await clock.advance(499);
  assert.equal(sink.progresses.length, 1);
  await clock.advance(1);
  assert.deepEqual(sink.progresses.at(-1), { done: 5, total: 9 });
  finish(null);
  await attempt.outcome;
  assert.deepEqual(sink.progresses.slice(2), [{ done: 7, total: null }]);
});

test("inline run() is aborted at its timeout and not before", async () => {
  const { clock, attempt } = begin(never, { options: { timeoutMs: 1_000, killAfterMs: 500 } });
  let outcome;
  void attempt.outcome.then((value) => outcome = value);
  await clock.advance(1_499);
  assert.equal(outcome, undefined);
  await clock.advance(1);
  assert.equal((await attempt.outcome).type, "aborted");
});

test("inline abort() ends the attempt at once when the function obeys its signal", async () => {
  const { clock, attempt } = begin(
    (signal: AbortSignal) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    { signature: injectedSignature("AbortSignal") },
  );
  await clock.settle();
  attempt.abort("canceled");
  attempt.abort("drain");
  await clock.settle();
  const outcome = await attempt.outcome;
  assert.ok(outcome.type === "aborted" && outcome.cause === "canceled");
  assert.equal(clock.nextTimerMs() === null || clock.nextTimerMs()! >= 60_000, true);
});

test("inline abort() before the function begins runs nothing, and reports that", async () => {
  let hasRun = false;
  const { attempt } = begin(() => void (hasRun = true));
  attempt.abort("drain");
  const outcome = await attempt.outcome;
  assert.ok(outcome.type === "aborted" && outcome.cause === "drain");
  assert.deepEqual([outcome.isUnstarted, hasRun], [true, false]);
});

test("inline abort() of a function that has begun does not report that nothing ran", async () => {
  const { clock, attempt } = begin(never, { options: { killAfterMs: 10 } });
  await clock.settle();
  attempt.abort("drain");
  await clock.advance(10);
  const outcome = await attempt.outcome;
  assert.ok(outcome.type === "aborted" && !outcome.isUnstarted);
});

test("inline abort() ends an attempt as aborted when its function then returns", async () => {
  let finish = (_: unknown) => {};
  const { clock, attempt } = begin(() => new Promise((resolve) => finish = resolve));
  await clock.settle();
  attempt.abort("timeout");
  finish("done");
  const outcome = await attempt.outcome;
  assert.ok(outcome.type === "aborted" && outcome.cause === "timeout");
});

test("inline run() is aborted at the lease's deadline unless it is extended", async () => {
  const { clock, attempt } = begin(never, { leaseMs: 1_000 });
  attempt.extend(2_000);
  let outcome;
  void attempt.outcome.then((value) => outcome = value);
  await clock.advance(1_999);
  assert.equal(outcome, undefined);
  await clock.advance(1);
  const ended = await attempt.outcome;
  assert.ok(ended.type === "aborted" && ended.cause === "lease");
});

test("inline onComplete() receives the results and its error is logged", async () => {
  const seen: unknown[] = [];
  const good = begin(() => "r", { handlers: { onComplete: (_, results) => seen.push(results) } });
  assert.equal((await good.attempt.outcome).type, "ok");
  assert.deepEqual(seen, [["r"]]);
  const bad = begin(() => "r", {
    handlers: {
      onComplete: () => {
        throw new Error("late");
      },
    },
  });
  assert.deepEqual(await bad.attempt.outcome, { type: "ok", resultsJson: '["r"]' });
  assert.deepEqual(bad.sink.messages("system"), ["onComplete failed: late"]);
});

for (const handler of ["onComplete", "onTerminate"] as const) {
  test(`inline ${handler}() is abandoned when it does not end`, async () => {
    const { clock, attempt, sink } = begin(() => {
      if (handler === "onTerminate") throw new Error("original");
    }, { handlers: { [handler]: never } });
    let outcome: unknown;
    void attempt.outcome.then((value) => outcome = value);
    await clock.advance(HANDLER_MS_MAX - 1);
    assert.equal(outcome, undefined);
    await clock.advance(1);
    const wanted = handler === "onComplete" ? "ok" : "error";
    assert.equal((outcome as unknown as AttemptOutcome).type, wanted);
    assert.match(sink.messages("system")[0]!, /^A handler did not end within 10000 ms/);
  });
}

test("inline onTerminate() undoes a timeout when it returns null", async () => {
  const seen: string[] = [];
  const { clock, attempt } = begin(
    (signal: AbortSignal) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("stop")))),
    {
      signature: injectedSignature("AbortSignal"),
      options: { timeoutMs: 1_000 },
      handlers: { onTerminate: (_, error) => (seen.push(error.name), null) },
    },
  );
  await clock.advance(1_000);
  assert.deepEqual(await attempt.outcome, { type: "ok", resultsJson: "[]" });
  assert.deepEqual(seen, ["TimeoutError"]);
});

for (
  const [what, answer, wish] of [
    ["milliseconds", () => 1_500, 1_500],
    ["a duration", async () => "2m", 120_000],
    ["null", () => null, "never"],
    ["undefined", () => undefined, undefined],
    ["something else", () => ({}), undefined],
    ["a negative number", () => -1, undefined],
    ["a throw", () => {
      throw new Error("no");
    }, undefined],
  ] as const
) {
  test(`inline retryDelay() chooses when to retry when it returns ${what}`, async () => {
    const { attempt, sink } = begin(() => {
      throw new Error("original");
    }, { handlers: { retryDelay: answer } });
    const outcome = await attempt.outcome;
    assert.ok(outcome.type === "error" && outcome.error.message === "original");
    assert.equal(outcome.wish, wish);
    const isNoted = ["something else", "a negative number", "a throw"].includes(what);
    assert.equal(sink.messages("system").length, isNoted ? 1 : 0);
  });
}

for (
  const [how, run] of [
    ["throws", (context) => context.snooze("5m")],
    ["is caught and the function returns", (context) => {
      try {
        context.snooze(300_000);
      } catch {
        return "done";
      }
    }],
    ["is caught and something else is thrown", (context) => {
      try {
        context.snooze("5m");
      } catch {
        throw new Error("other");
      }
    }],
    ["is called again", (context) => {
      try {
        context.snooze(1);
      } catch {
        context.snooze("5m");
      }
    }],
  ] as readonly (readonly [string, JobFunction])[]
) {
  test(`inline snooze() counts when it ${how}`, async () => {
    const handlers = { onTerminate: () => assert.fail("called"), onComplete: () => assert.fail() };
    const { attempt } = begin(run, { signature: injectedSignature("Context"), handlers });
    assert.deepEqual(await attempt.outcome, { type: "snooze", delayMs: 300_000 });
  });
}

for (const delay of [-1, NaN, "soon", null, "200y"]) {
  test(`inline snooze() refuses ${JSON.stringify(delay)}`, async () => {
    const { attempt } = begin((context) => context.snooze(delay), {
      signature: injectedSignature("Context"),
    });
    const outcome = await attempt.outcome;
    assert.ok(outcome.type === "error" && outcome.wish === undefined);
    assert.equal(outcome.error.name, "JobError");
  });
}

test("inline discard() fails without a retry, after onTerminate was called", async () => {
  const signature = injectedSignature("Context");
  const plain = begin((context) => context.discard("user is gone"), {
    signature,
    handlers: { retryDelay: () => assert.fail("called") },
  });
  const outcome = await plain.attempt.outcome;
  assert.ok(outcome.type === "error" && outcome.wish === "discarded");
  assert.deepEqual([outcome.error.name, outcome.error.message], ["Discarded", "user is gone"]);
  const undone = begin((context) => {
    try {
      context.discard();
    } catch {
      return 1;
    }
  }, { signature, handlers: { onTerminate: () => null } });
  assert.deepEqual(await undone.attempt.outcome, { type: "ok", resultsJson: "[]" });
});

test("inline snooze() does not outlive a cancel or a timeout", async () => {
  for (const cause of ["canceled", "timeout", "drain"] as const) {
    const { attempt, clock } = begin(
      (context) =>
        new Promise((_, reject) =>
          context.signal.addEventListener("abort", () => {
            try {
              context.snooze(1);
            } catch (error) {
              reject(error);
            }
          })
        ),
      { signature: injectedSignature("Context") },
    );
    await clock.settle();
    attempt.abort(cause);
    const outcome = await attempt.outcome;
    assert.ok(outcome.type === "aborted" && outcome.cause === cause);
  }
});

test("inline handle() calls onTerminate for an attempt that is gone", async () => {
  const executor = createInlineExecutor({ clock: new SimClock() });
  const source = {
    type: "function",
    run: () => {},
    handlers: {
      onTerminate: (_: unknown, error: Error) =>
        error.name === "WorkerKilledError" ? null : undefined,
      retryDelay: () => 7,
    },
  } as const;
  const job = makeJob("late", source);
  const ask = (error: ErrorInfo) =>
    executor.handle({
      job,
      instance: makeInstance(job),
      call: { type: "terminate", error },
      log() {},
    });
  const killed = { name: "WorkerKilledError", message: "killed" };
  assert.deepEqual(await ask(killed), { type: "ok", resultsJson: "[]" });
  const exited = { name: "WorkerExitError", message: "exit", exitCode: 3 };
  assert.deepEqual(await ask(exited), { type: "error", error: exited, wish: 7 });
});

for (
  const [what, answer, wanted] of [
    ["undefined keeps", () => undefined, "original"],
    ["null resolves", () => null, null],
    ["an Error replaces", () => new Error("other"), "other"],
    ["a text replaces", () => "text", "text"],
    ["a throw replaces", () => {
      throw new Error("thrown");
    }, "thrown"],
  ] as const
) {
  test(`inline onTerminate() decides by its result: ${what} the error`, async () => {
    const { attempt } = begin(() => {
      throw new Error("original");
    }, {
      handlers: { onTerminate: answer },
    });
    const outcome = await attempt.outcome;
    if (wanted === null) assert.deepEqual(outcome, { type: "ok", resultsJson: "[]" });
    else assert.ok(outcome.type === "error" && outcome.error.message === wanted);
  });
}

test("inline onTerminate() is not called when the attempt was canceled", async () => {
  const { clock, attempt } = begin(never, {
    handlers: { onTerminate: () => assert.fail("called") },
    options: { killAfterMs: 10 },
  });
  attempt.abort("canceled");
  await clock.advance(10);
  assert.equal((await attempt.outcome).type, "aborted");
});

test("inline log writes nothing after the attempt has ended", async () => {
  let log = (_: string) => {};
  const { attempt, sink } = begin((context) => void (log = context.log.info), {
    signature: injectedSignature("Context"),
  });
  await attempt.outcome;
  log("too late");
  assert.deepEqual(sink.entries, []);
});

test("inline run() executes a module if the job asks for it", async () => {
  const executor = createInlineExecutor({ clock: new SimClock() });
  const job = moduleJob("pid");
  const task = { job, instance: makeInstance(job), deadlineMs: 60_000 };
  const outcome = await executor.run(task, new RecordingSink()).outcome;
  assert.deepEqual(outcome, { type: "ok", resultsJson: `[${process.pid}]` });
});

test("inline run() refuses a command", async () => {
  const executor = createInlineExecutor({ clock: new SimClock() });
  const job = commandJob(["/bin/true"]);
  const task = { job, instance: makeInstance(job), deadlineMs: 60_000 };
  assert.equal((await executor.run(task, new RecordingSink()).outcome).type, "error");
});

test("inline handle() resolves when the handler throws", async () => {
  const executor = createInlineExecutor({ clock: new SimClock() });
  const seen: string[] = [];
  const job = makeJob("state", {
    type: "function",
    run: () => {},
    handlers: {
      onStateChange: (instance, state) => {
        seen.push(`${instance.state} ${state}`);
        throw new Error("no");
      },
    },
  });
  const sink = new RecordingSink();
  await executor.handle({
    job,
    instance: makeInstance(job),
    call: { type: "stateChange", state: "completed" },
    log: (entries) => sink.log(entries),
  });
  assert.deepEqual(sink.messages(), ["onStateChange failed: no"]);
  assert.deepEqual(seen, ["completed completed"]);
});

test("inline stop() aborts running attempts and refuses later ones", async () => {
  const { clock, executor, attempt, job } = begin(never, { options: { killAfterMs: 100 } });
  const stopped = executor.stop();
  await clock.advance(100);
  await stopped;
  const outcome = await attempt.outcome;
  assert.ok(outcome.type === "aborted" && outcome.cause === "drain");
  const task = { job, instance: makeInstance(job), deadlineMs: 60_000 };
  assert.equal((await executor.run(task, new RecordingSink()).outcome).type, "lost");
});

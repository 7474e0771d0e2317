import assert from "node:assert/strict";
import { test } from "node:test";
import { RunCalls, UNREAD_BYTES_MAX } from "../../src/worker/process/run_calls.ts";
import { TransferBudget } from "../../src/worker/output/transfer_budget.ts";
import { SimClock } from "../support/worlds/sim_clock.ts";

const MIB = 1_048_576;

/** A call that the manager is answering. */
interface Asked {
  readonly method: string;
  readonly args: readonly unknown[];
  answer(value: unknown): void;
}

/** The calls of a run, answered by the test. */
class Run {
  readonly clock = new SimClock();
  readonly asked: Asked[] = [];
  readonly replies: {
    readonly call: number;
    readonly value?: unknown;
    readonly error?: unknown;
  }[] = [];
  readonly faults: string[] = [];
  readonly channel = {
    unreadBytes: 0,
    send: (message: unknown) => this.channel.sendText(JSON.stringify(message)),
    sendText: (text: string) => void this.replies.push(JSON.parse(text)),
  };
  isCurrent = true;
  #count = 0;
  readonly #calls = new RunCalls({
    clock: this.clock,
    channel: this.channel,
    budget: new TransferBudget(this.clock, () => {}),
    call: (method, args) =>
      new Promise((resolve) => this.asked.push({ method, args, answer: resolve })),
    isCurrent: () => this.isCurrent,
    onFault: (problem) => this.faults.push(problem),
  });

  call(method: string, ...args: readonly unknown[]): void {
    this.#count += 1;
    this.#calls.take({ type: "call", run: 1, call: this.#count, method, args }, 100);
  }

  /** Let everything happen that does not wait for a timer. */
  async settle(): Promise<void> {
    await this.clock.advance(0);
  }

  /** Answer the only call that is being answered. */
  async answer(value: unknown): Promise<void> {
    assert.equal(this.asked.length, 1);
    this.asked.shift()!.answer(value);
    await this.settle();
  }
}

test("RunCalls executes small calls at once and large ones one after another", async () => {
  const run = new Run();
  run.call("scheduleJob", "idle", {});
  run.call("scheduleJob", "idle", {});
  await run.settle();
  assert.equal(run.asked.splice(0).length, 2);
  // The last one returns the instance that has its key, which may be large.
  run.call("getInstance", "a");
  run.call("lookupInstances");
  run.call("scheduleJob", "idle", { uniqueKey: "key", onConflict: "keep" });
  for (const method of ["getInstance", "lookupInstances", "scheduleJob"]) {
    await run.settle();
    assert.deepEqual(run.asked.map((asked) => asked.method), [method]);
    await run.answer({});
  }
  assert.equal(run.replies.length, 3);
});

test("RunCalls pauses between large answers when the budget is used up", async () => {
  const run = new Run();
  for (let count = 0; count < 10; count++) run.call("getInstance", "a");
  await run.settle();
  for (let count = 0; count < 8; count++) await run.answer("x".repeat(MIB));
  assert.equal(run.replies.length, 8);
  assert.equal(run.asked.length, 0);
  await run.clock.advance(99);
  assert.equal(run.asked.length, 0);
  await run.clock.advance(1);
  await run.answer("x");
  assert.equal(run.replies.length, 9);
});

test("RunCalls does not execute a large call while earlier answers are unread", async () => {
  const run = new Run();
  run.channel.unreadBytes = UNREAD_BYTES_MAX.calls + 1;
  run.call("getInstance", "a");
  run.call("waitInstance", "a");
  await run.settle();
  assert.equal(run.asked.length, 0);
  assert.match(JSON.stringify(run.replies[0]), /resource_exhausted.*were not read/);
  assert.match(JSON.stringify(run.replies[1]), /resource_exhausted.*were not read/);
  run.channel.unreadBytes = UNREAD_BYTES_MAX.calls;
  run.call("getInstance", "a");
  await run.settle();
  await run.answer("x");
  assert.deepEqual(run.replies[2], { type: "reply", call: 3, value: "x" });
});

test("RunCalls looks up awaited instances one after another, and waits for all at the same time", async () => {
  const run = new Run();
  run.call("waitInstance", "a", 5_000);
  run.call("waitInstance", "b");
  run.call("waitInstance", "c");
  for (const id of ["a", "b"]) {
    await run.settle();
    assert.deepEqual(run.asked.map(({ args }) => args), [[id, 0]]);
    run.asked.shift()!.answer(null);
    await run.settle();
    const waiting = run.asked.shift()!;
    assert.deepEqual(waiting.args, id === "a" ? ["a", 5_000] : ["b"]);
    if (id === "b") waiting.answer("b has ended");
  }
  await run.settle();
  assert.deepEqual(run.asked.map(({ args }) => args), [["c", 0]]);
  await run.answer("c had ended before");
  assert.deepEqual(run.replies, [
    { type: "reply", call: 3, value: "c had ended before" },
    { type: "reply", call: 2, value: "b has ended" },
  ]);
});

test("RunCalls does not let calls and waits delay each other", async () => {
  const run = new Run();
  run.call("getInstance", "a");
  run.call("waitInstance", "b");
  await run.settle();
  assert.deepEqual(run.asked.map(({ method }) => method).sort(), ["getInstance", "waitInstance"]);
});

test("RunCalls executes no more calls when the run has ended", async () => {
  const run = new Run();
  run.call("getInstance", "a");
  run.call("getInstance", "b");
  await run.settle();
  run.isCurrent = false;
  await run.answer("x");
  assert.equal(run.asked.length, 0);
  assert.deepEqual(run.replies, []);
});

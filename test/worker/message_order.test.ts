import assert from "node:assert/strict";
import { test } from "node:test";
import { type ExpectedRun, MessageOrder } from "../../src/worker/process/message_order.ts";
import type { AttemptResult, FromWorker } from "../../src/worker/protocol.ts";

const TOKEN = "secret";
const OK: AttemptResult = { type: "ok", resultsJson: "[]" };
const HELLO: FromWorker = { type: "hello", version: 4, pid: 1 };
const UNSTARTED: AttemptResult = { type: "unstarted", error: { name: "E", message: "EAGAIN" } };

function resultOf(run: number, token = TOKEN, result: AttemptResult = OK): FromWorker {
  return { type: "result", run, token, result, reuse: "clean" };
}

function orderOf(expected: Partial<ExpectedRun> = {}, isGreeted = true) {
  const order = new MessageOrder();
  if (isGreeted) order.judge(HELLO, 0);
  const run: ExpectedRun = {
    number: 5,
    wantsStarted: true,
    hasLastWord: true,
    token: TOKEN,
    ...expected,
  };
  order.begin(run);
  return (message: FromWorker, nowMs = 0) => {
    const verdict = order.judge(message, nowMs);
    return typeof verdict === "object" ? "problem" : verdict;
  };
}

const STARTED: FromWorker = { type: "started", run: 5 };
const DECIDED: FromWorker = { type: "decided", run: 5, result: OK };
const LATE: FromWorker = { type: "late", run: 5, error: { name: "E", message: "m" } };
const PROGRESS: FromWorker = { type: "progress", run: 5, progress: { done: 1, total: null } };

test("judge() takes the messages of a run from its start to its end", () => {
  const judge = orderOf();
  for (const message of [STARTED, PROGRESS, DECIDED, resultOf(5)]) {
    assert.equal(judge(message), "take");
  }
});

test('judge() takes nothing before "hello", and "hello" once', () => {
  const judge = orderOf({}, false);
  assert.equal(judge(STARTED), "problem");
  assert.equal(judge(HELLO), "take");
  assert.equal(judge(HELLO), "problem");
  assert.equal(judge({ type: "unfit", message: "no" }), "problem");
});

for (const message of [STARTED, DECIDED, resultOf(5)]) {
  test(`judge() takes "${message.type}" of a run once`, () => {
    const judge = orderOf();
    assert.equal(judge(message), "take");
    assert.equal(judge(message), "problem");
  });
}

test('judge() refuses "started" if it was not requested', () => {
  assert.equal(orderOf({ wantsStarted: false })(STARTED), "problem");
});

test('judge() drops "decided" of a job without handlers, which would gain time', () => {
  assert.equal(orderOf({ hasLastWord: false })(DECIDED), "drop");
});

test("judge() refuses results without the token, and of runs that the worker was not given", () => {
  assert.equal(orderOf()(resultOf(5, "guess")), "problem");
  assert.equal(orderOf()(resultOf(6)), "problem");
  assert.equal(orderOf()(resultOf(4)), "drop");
});

test('judge() refuses "refused" for a run that has begun', () => {
  for (const first of [STARTED, DECIDED]) {
    const judge = orderOf();
    judge(first);
    assert.equal(judge({ type: "refused", run: 5 }), "problem");
  }
  assert.equal(orderOf()({ type: "refused", run: 5 }), "take");
  assert.equal(orderOf()(resultOf(5, TOKEN, UNSTARTED)), "take");
  const judge = orderOf();
  judge(STARTED);
  assert.equal(judge(resultOf(5, TOKEN, UNSTARTED)), "problem");
  assert.equal(orderOf({ wantsStarted: false })(resultOf(5, TOKEN, UNSTARTED)), "problem");
});

test("judge() takes three late errors of a worker and drops the others", () => {
  const judge = orderOf();
  judge(resultOf(5));
  const verdicts = Array.from({ length: 1_000 }, () => judge(LATE));
  assert.deepEqual(verdicts.slice(0, 4), ["take", "take", "take", "drop"]);
  assert.ok(verdicts.slice(3).every((verdict) => verdict === "drop"));
});

test("judge() takes ten reports of progress at once and then four a second", () => {
  const judge = orderOf();
  const taken = (nowMs: number) =>
    Array.from({ length: 50 }, () => judge(PROGRESS, nowMs)).filter((each) => each === "take")
      .length;
  assert.equal(taken(0), 10);
  assert.equal(taken(249), 0);
  assert.equal(taken(1_249), 4);
});

test("stray() drops a hundred meaningless messages, and refuses the next", () => {
  const order = new MessageOrder();
  for (let count = 0; count < 100; count++) assert.equal(order.stray(), "drop");
  assert.equal(typeof order.stray(), "object");
});

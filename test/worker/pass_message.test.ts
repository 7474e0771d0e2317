import assert from "node:assert/strict";
import { test } from "node:test";
import { passMessage } from "../../src/worker/pass_message.ts";
import type { FromWorker } from "../../src/worker/protocol.ts";

function passed(message: unknown): boolean {
  const received: FromWorker[] = [];
  passMessage(message, (each) => received.push(each));
  return received.length === 1;
}

const error = { name: "Error", message: "m", stack: "s" };

const OURS: readonly unknown[] = [
  { type: "hello", version: 2, pid: 5 },
  { type: "unfit", message: "no user" },
  { type: "started", run: 1 },
  { type: "group", run: 1, group: 1234 },
  { type: "group", run: 1, group: null },
  { type: "decided", run: 1, result: { type: "error", error } },
  { type: "result", run: 1, result: { type: "ok", resultsJson: "[1]" }, reuse: "clean" },
  { type: "result", run: 1, result: { type: "snooze", delayMs: 5 }, reuse: null },
  { type: "late", run: 1, error: { ...error, exitCode: 3, signal: "SIGTERM" } },
  { type: "refused", run: 1 },
];

for (const message of OURS) {
  test(`passMessage() passes on ${JSON.stringify(message)}`, () => assert.ok(passed(message)));
}

const MADE_UP: readonly unknown[] = [
  null,
  undefined,
  5,
  "started",
  [{ type: "started" }],
  {},
  { type: 5 },
  { type: "constructor" },
  { type: "unfit" },
  { type: "group", run: 1, group: 1 },
  { type: "group", run: 1, group: 0 },
  { type: "group", run: 1, group: -1 },
  { type: "group", run: 1, group: "1234" },
  { type: "result", run: 1 },
  { type: "result", run: 1, result: null },
  { type: "result", run: 1, result: { type: "lost", error } },
  { type: "result", run: 1, result: { type: "ok", resultsJson: "[oops]" } },
  { type: "result", run: 1, result: { type: "ok", resultsJson: "{}" } },
  { type: "result", run: 1, result: { type: "ok", resultsJson: 5 } },
  { type: "result", run: 1, result: { type: "error" } },
  { type: "result", run: 1, result: { type: "error", error: { name: "E", message: 5 } } },
  { type: "result", run: 1, result: { type: "error", error: { ...error, stack: 5 } } },
  { type: "result", run: 1, result: { type: "error", error, wish: "soon" } },
  { type: "result", run: 1, result: { type: "ok", resultsJson: "[]" }, tookMs: "long" },
  { type: "result", run: 1, result: { type: "snooze", delayMs: "soon" } },
  { type: "decided", run: 1, result: 5 },
  { type: "late", run: 1 },
];

for (const message of MADE_UP) {
  test(`passMessage() drops ${JSON.stringify(message)}`, () => assert.ok(!passed(message)));
}

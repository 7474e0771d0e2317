import assert from "node:assert/strict";
import { test } from "node:test";
import { validateMessage } from "../../src/worker/validate_message.ts";

const error = { name: "Error", message: "m", stack: "s" };

const OURS: readonly Record<string, unknown>[] = [
  { type: "hello", version: 2, pid: 5 },
  { type: "unfit", message: "no user" },
  { type: "started", run: 1 },
  { type: "progress", run: 1, progress: { done: 1, total: null } },
  { type: "call", run: 1, call: 1, method: "getInstance", args: ["x"] },
  { type: "decided", run: 1, result: { type: "error", error } },
  { type: "decided", run: 1, result: { type: "error", error, wish: "never" } },
  { type: "result", run: 1, result: { type: "ok", resultsJson: "[1]" }, reuse: "clean" },
  {
    type: "result",
    run: 1,
    result: { type: "ok", resultsJson: "[]", exitCode: 3 },
    reuse: "clean",
  },
  { type: "result", run: 1, result: { type: "snooze", delayMs: 0.5 }, reuse: null },
  {
    type: "result",
    run: 1,
    result: { type: "ok", resultsJson: "[]" },
    reuse: "clean",
    usage: { maxRssBytes: 2 ** 40, cpuMs: null },
  },
  { type: "late", run: 1, error: { ...error, exitCode: 3, signal: "SIGTERM" } },
  { type: "refused", run: 1 },
  {
    type: "result",
    run: 1,
    result: {
      type: "park",
      waits: [{ key: "wait:a", type: "signal", name: "a", until: null }],
      steps: [{ key: "step:a", data: "{}" }],
    },
    reuse: "clean",
  },
];

for (const message of OURS) {
  test(`validateMessage() takes ${JSON.stringify(message)}`, () => {
    const read = validateMessage(message);
    assert.ok(typeof read === "object");
    for (const [name, value] of Object.entries(message)) {
      assert.deepEqual(Reflect.get(read, name), value);
    }
  });
}

const FOREIGN: readonly unknown[] = [
  null,
  undefined,
  5,
  "started",
  [{ type: "started" }],
  {},
  { type: 5 },
  { type: "constructor" },
  { type: "process:msg", data: {} },
];

for (const message of FOREIGN) {
  test(`validateMessage() knows ${JSON.stringify(message)} as none of ours`, () => {
    assert.equal(validateMessage(message), "foreign");
  });
}

const nested = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`;

const wait = { key: null, type: "time", name: "pause", until: 5 };
const parked = (waits: unknown, steps: unknown = []) => ({
  type: "result",
  run: 1,
  result: { type: "park", waits, steps },
  reuse: "clean",
});

const MALFORMED: readonly unknown[] = [
  parked([]),
  parked([{ ...wait, key: "\ud800" }]),
  parked([{ ...wait, key: "a\0b" }]),
  parked([{ ...wait, until: 1.5 }]),
  parked([wait], [{ key: "a", data: "{{{{" }]),
  parked([wait], [{ key: "a", data: 5 }]),
  parked([wait], [{ key: "\udc00", data: "1" }]),
  { type: "hello", pid: 1 },
  { type: "unfit" },
  { type: "started" },
  { type: "started", run: 1.5 },
  { type: "progress", run: 1, progress: { done: -1, total: null } },
  { type: "progress", run: 1 },
  { type: "call", run: 1, call: 1, method: "getInstance", args: {} },
  { type: "call", run: 1, call: 1, method: "m".repeat(101), args: [] },
  { type: "call", run: 1, method: "getInstance", args: [] },
  { type: "result", run: 1, reuse: null },
  { type: "result", run: 1, result: { type: "ok", resultsJson: "[]" }, reuse: null, usage: {} },
  { type: "result", run: 1, result: null, reuse: null },
  { type: "result", run: 1, result: { type: "lost", error }, reuse: null },
  { type: "result", run: 1, result: { type: "ok", resultsJson: "[oops]" }, reuse: null },
  { type: "result", run: 1, result: { type: "ok", resultsJson: "{}" }, reuse: null },
  { type: "result", run: 1, result: { type: "ok", resultsJson: 5 }, reuse: null },
  { type: "result", run: 1, result: { type: "error" }, reuse: null },
  {
    type: "result",
    run: 1,
    result: { type: "error", error: { name: "E", message: 5 } },
    reuse: null,
  },
  { type: "result", run: 1, result: { type: "error", error: { ...error, stack: 5 } }, reuse: null },
  { type: "result", run: 1, result: { type: "error", error, wish: "soon" }, reuse: null },
  { type: "result", run: 1, result: { type: "error", error, wish: -1 }, reuse: null },
  {
    type: "result",
    run: 1,
    result: { type: "ok", resultsJson: "[]" },
    reuse: null,
    tookMs: "long",
  },
  { type: "result", run: 1, result: { type: "ok", resultsJson: "[]" }, reuse: "for ever" },
  { type: "result", run: 1, result: { type: "snooze", delayMs: "soon" }, reuse: null },
  { type: "result", run: 1, result: { type: "snooze", delayMs: 1e300 }, reuse: null },
  { type: "decided", run: 1, result: 5 },
  { type: "late", run: 1 },
];

for (const message of MALFORMED) {
  test(`validateMessage() refuses ${JSON.stringify(message)}`, () => {
    assert.equal(validateMessage(message), "malformed");
  });
}

function readResults(resultsJson: string) {
  return validateMessage({
    type: "result",
    run: 1,
    result: { type: "ok", resultsJson },
    reuse: "clean",
  });
}

test("validateMessage() takes results of 1 MiB and not of a byte more", () => {
  const ofBytes = (bytes: number) => `["${"x".repeat(bytes - 4)}"]`;
  assert.notEqual(readResults(ofBytes(1_048_576)), "malformed");
  assert.equal(readResults(ofBytes(1_048_577)), "malformed");
  assert.equal(readResults(`["${"€".repeat(400_000)}"]`), "malformed");
});

test("validateMessage() refuses results that are nested deeper than anything that is encoded", () => {
  assert.notEqual(readResults(nested(201)), "malformed");
  assert.equal(readResults(nested(202)), "malformed");
  assert.equal(readResults(nested(500_000)), "malformed");
});

test("validateMessage() cuts the texts of an error, and takes no member that it does not know", () => {
  const message = validateMessage({
    type: "late",
    run: 1,
    error: {
      name: "n".repeat(1_000),
      message: "m".repeat(20_000),
      stack: "s".repeat(50_000),
      x: 1,
    },
    more: "x".repeat(1_000_000),
  });
  assert.ok(typeof message === "object" && message.type === "late");
  assert.deepEqual(Object.keys(message), ["type", "run", "error"]);
  assert.deepEqual(Object.keys(message.error), ["name", "message", "stack"]);
  assert.ok(message.error.name.length <= 200);
  assert.ok(message.error.message.length <= 8_192);
  assert.ok(message.error.stack!.length <= 16_384);
});

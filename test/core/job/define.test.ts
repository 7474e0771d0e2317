import assert from "node:assert/strict";
import { test } from "node:test";
import { checkJobInput, checkKind, defineJob } from "../../../src/core/job/define.ts";
import { JobError } from "../../../src/core/errors.ts";

const run = () => {};

function errorOf(action: () => unknown): JobError {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof JobError, String(error));
    assert.equal(error.code, "invalid_argument");
    return error;
  }
  assert.fail("no error was thrown");
}

test("defineJob() returns a definition with every key as it is", () => {
  const input = {
    kind: "a.b:c-d_e",
    description: "x",
    run,
    params: "x: number",
    priority: 0,
    timeout: "10s",
    killAfter: 0,
    retry: { max: -1, backoff: "linear", initial: 1, cap: "1h", jitter: 1 },
    crashesMax: 0,
    keep: { success: "1d", failure: 5 },
    isolation: "inline",
    schedule: ["@daily"],
    timezone: "UTC",
    args: { x: 1 },
    overlap: "queue",
    misfire: "all",
    onComplete: run,
    onTerminate: run,
    onStateChange: undefined,
  } as const;
  assert.equal(defineJob(input), input);
});

const BAD: readonly [input: unknown, message: string, path?: string, hint?: string][] = [
  [null, 'Cannot define a job from null: a definition is an object with "run"'],
  [42, 'Cannot define a job from 42: a definition is an object with "run"'],
  [[], 'Cannot define a job from an array of 0: a definition is an object with "run"'],
  [{ kind: "a" }, 'Cannot define job "a": it has no function "run"', "run"],
  [{ run: 1 }, 'Cannot define a job: "run" is 1, not a function', "run"],
  [
    { run, tiemout: 1 },
    'Cannot define a job: unknown key "tiemout"',
    "tiemout",
    'Did you mean "timeout"?',
  ],
  [
    { run, kill_after: 1 },
    'Cannot define a job: unknown key "kill_after"',
    "kill_after",
    'Did you mean "killAfter"?',
  ],
  [{ run, __proto__x: 1 }, 'Cannot define a job: unknown key "__proto__x"', "__proto__x"],
  [{ run, constructor: 1 }, 'Cannot define a job: unknown key "constructor"', "constructor"],
  [
    { run, retry: { maxx: 1 } },
    'Cannot define a job: unknown key "retry.maxx"',
    "retry.maxx",
    'Did you mean "retry.max"?',
  ],
  [
    { run, retry: -2 },
    'Cannot define a job: "retry" is -2, not a number of retries or an object',
    "retry",
  ],
  [
    { run, retry: { jitter: 2 } },
    'Cannot define a job: "retry.jitter" is 2, not a number from 0 to 1',
    "retry.jitter",
  ],
  [
    { run, retry: [] },
    'Cannot define a job: "retry" is an array of 0, not a number of retries or an object',
    "retry",
  ],
  [
    { run, keep: { success: -1 } },
    'Cannot define a job: "keep.success" is -1, not milliseconds or duration text',
    "keep.success",
  ],
  [
    { run, priority: 1.5 },
    'Cannot define a job: "priority" is 1.5, not a whole number from -2147483647 to 2147483647',
    "priority",
  ],
  [
    { run, timeout: NaN },
    'Cannot define a job: "timeout" is NaN, not milliseconds or duration text',
    "timeout",
  ],
  [
    { run, schedule: [1] },
    'Cannot define a job: "schedule" is an array of 1, not text or a list of texts',
    "schedule",
  ],
  [
    { run, args: "x" },
    'Cannot define a job: "args" is "x", not a list of values, or an object by parameter name',
    "args",
  ],
  [
    { run, isolation: "thread" },
    'Cannot define a job: "isolation" is "thread", not "process" or "inline"',
    "isolation",
  ],
  [{ run, kind: 5 }, 'Cannot define a job: "kind" is 5, not text', "kind"],
];

for (const [input, message, path, hint] of BAD) {
  test(`checkJobInput() says: ${message}`, () => {
    const error = errorOf(() => checkJobInput(input));
    assert.equal(error.message, message);
    assert.equal(error.path, path);
    if (hint !== undefined) assert.equal(error.hint, hint);
  });
}

const KINDS = [
  "hello (no input and no return)",
  "-a",
  ".a",
  "a/b",
  "é",
  "a*b",
  'say "hi"',
  "日本 🙂",
];
for (const kind of ["a", "A.b:c-d_9", "0", "x".repeat(200), "systems", ...KINDS]) {
  test(`checkKind() takes ${kind.slice(0, 20)}`, () => checkKind(kind));
}

const HIDDEN = ["a\n", "a\tb", "a\u00a0b", "a\u200bb", "a\u202eb", "a\u2028", "\ud800", "\x1b[1m"];
// Letters, marks and a symbol that show nothing.
HIDDEN.push("a\u3164", "\uffa0a", "a\u115fb", "a\u034f", "a\ufe0f", "a\u{e0100}", "\u2800");
for (const kind of ["", " a", "a ", " ", "x".repeat(201), "system.x", ...HIDDEN]) {
  test(`checkKind() refuses ${JSON.stringify(kind.slice(0, 20))} of ${kind.length}`, () => {
    assert.equal(errorOf(() => checkKind(kind)).path, "kind");
  });
}

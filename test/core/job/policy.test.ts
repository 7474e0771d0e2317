import { JOB_DEFAULTS } from "../../../src/core/job/option_table.ts";
import type { RetryPolicy } from "../../../src/core/job/gen/job_options.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { isJobError } from "../../../src/core/errors.ts";
import { isRetried, retryDelayMs } from "../../../src/core/job/policy.ts";

const POLICY: RetryPolicy = {
  ...JOB_DEFAULTS.retry,
  max: -1,
  backoff: "exponential",
  initialMs: 10_000,
  capMs: 60_000,
  jitter: 0,
};

test("retryDelayMs() doubles up to the cap when the back-off is exponential", () => {
  const delays = [1, 2, 3, 4, 1_000_000].map((attempt) => retryDelayMs(POLICY, attempt, 0.5));
  assert.deepEqual(delays, [10_000, 20_000, 40_000, 60_000, 60_000]);
});

test("retryDelayMs() grows by steps when the back-off is linear", () => {
  const policy = { ...POLICY, backoff: "linear" } as const;
  const delays = [1, 2, 6, 7].map((attempt) => retryDelayMs(policy, attempt, 0.5));
  assert.deepEqual(delays, [10_000, 20_000, 60_000, 60_000]);
});

test("retryDelayMs() stays the same when the back-off is fixed", () => {
  const policy = { ...POLICY, backoff: "fixed" } as const;
  assert.deepEqual([1, 9].map((attempt) => retryDelayMs(policy, attempt, 0.5)), [10_000, 10_000]);
});

test("retryDelayMs() moves the wait to both sides when there is jitter", () => {
  const policy = { ...POLICY, jitter: 0.2 };
  assert.deepEqual([0, 0.5, 0.999_999].map((random) => retryDelayMs(policy, 1, random)), [
    8_000,
    10_000,
    12_000,
  ]);
});

test("retryDelayMs() is never longer than the cap when jitter is added", () => {
  for (const backoff of ["fixed", "linear", "exponential"] as const) {
    const policy = { ...POLICY, backoff, initialMs: 60_000, jitter: 0.5 };
    const delays = [0, 0.5, 0.999_999].map((random) => retryDelayMs(policy, 1_000_000, random));
    assert.deepEqual(delays, [20_000, 40_000, 60_000]);
  }
});

test("isRetried() asks for the reason, the name, the exit code and the signal", () => {
  const error = { name: "ValidationError", message: "no" };
  assert.equal(isRetried(POLICY, "timeout", error), true);
  assert.equal(isRetried({ ...POLICY, on: ["error"] }, "timeout", error), false);
  assert.equal(isRetried({ ...POLICY, on: [] }, "error", error), false);
  const policy = { ...POLICY, notOn: ["ValidationError", 65, "SIGSEGV"] };
  assert.equal(isRetried(policy, "error", error), false);
  const command = { name: "CommandError", message: "no" };
  assert.equal(isRetried(policy, "error", { ...command, exitCode: 65 }), false);
  assert.equal(isRetried(policy, "error", { ...command, exitCode: 1 }), true);
  assert.equal(isRetried(policy, "error", { ...command, signal: "SIGSEGV" }), false);
});

test("retryDelayMs() is 0 when the initial wait is 0", () => {
  assert.equal(retryDelayMs({ ...POLICY, initialMs: 0, jitter: 1 }, 5_000, 0.9), 0);
});

for (const attempt of [0, -1, 1.5, NaN]) {
  test(`retryDelayMs() refuses attempt ${attempt}`, () => {
    assert.throws(
      () => retryDelayMs(POLICY, attempt, 0),
      (error) => isJobError(error, "invalid_argument"),
    );
  });
}

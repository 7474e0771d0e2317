import assert from "node:assert/strict";
import test from "node:test";
import { backoffMs } from "../../src/core/backoff.ts";

const BACKOFF = { firstMs: 50, longestMs: 1_000 };

test("backoffMs() doubles after each failure, up to the longest", () => {
  const waits = [0, 1, 4, 5, 6, 5_000].map((failures) => backoffMs(BACKOFF, failures));
  assert.deepEqual(waits, [50, 100, 800, 1_000, 1_000, 1_000]);
});

test("backoffMs() spreads a wait over its second half", () => {
  assert.equal(backoffMs(BACKOFF, 1, 0), 50);
  assert.equal(backoffMs(BACKOFF, 1, 0.5), 75);
});

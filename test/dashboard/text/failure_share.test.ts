import assert from "node:assert/strict";
import test from "node:test";
import { failureStep } from "../../../src/dashboard/text/failure_share.ts";

test("failureStep() rises with the share of failures, and any failure counts", () => {
  const steps = ([
    ...[[0, 0], [0, 5], [1, 1_000_000], [9, 991], [10, 990], [99, 901], [100, 900], [499, 501]],
    ...[[500, 500], [3, 0]],
  ] as const).map(([failed, completed]) => failureStep(failed, completed));
  assert.deepEqual(steps, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
});

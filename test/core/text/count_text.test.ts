import assert from "node:assert/strict";
import { test } from "node:test";
import { countText } from "../../../src/core/text/count_text.ts";

test("countText() uses the singular for 1 alone", () => {
  assert.deepEqual([0, 1, 2].map((count) => countText(count, "run")), [
    "0 runs",
    "1 run",
    "2 runs",
  ]);
  assert.equal(countText(1, "line is", "lines are"), "1 line is");
  assert.equal(countText(2, "line is", "lines are"), "2 lines are");
});

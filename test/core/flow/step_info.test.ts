import assert from "node:assert/strict";
import test from "node:test";
import { readSteps } from "../../../src/core/flow/step_info.ts";

/** Job code can forge the records of its instance. */

test("records that no program of ours wrote are read as far as they are valid", () => {
  const records = {
    "step:a": { type: "step", name: { toString: 1 }, order: 1e300, at: 1e300, tries: -1e300 },
    "step:b": { type: "step", name: "b", order: 2, at: "x", error: 5, dueAt: 1e300 },
    "step:c": { type: "step", name: "c", order: 1, error: { name: 1, message: {} } },
    "step:d": { type: "toString", name: "d" },
    "step:e": { type: "wait", name: "e", signal: "none" },
    none: null,
    "order/step:e": null,
    "call:%zz": { id: { toString: 1 }, state: 1, resultsJson: 5, error: "text" },
    "signal/x/1": { value: 1, by: {}, at: {} },
    "all:x": 5,
  };
  const texts = Object.entries(records).map(([key, data]) => [key, JSON.stringify(data)] as const);
  const steps = readSteps(new Map(texts));
  assert.deepEqual(
    steps.map(({ key, name, order, at, error }) => [key, name, order, at, error]),
    [
      ["step:c", "c", 1, 0, { name: "", message: "" }],
      ["step:b", "b", 2, 0, null],
      ["step:a", "", null, 0, null],
      ["step:e", "e", null, 0, null],
      ["call:%zz", "%zz", null, 0, null],
      ["signal/x/1", "x", null, 0, null],
    ],
  );
  assert.deepEqual(steps.map(({ childId }) => childId).filter((id) => id !== null), [""]);
});

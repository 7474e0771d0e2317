import assert from "node:assert/strict";
import { test } from "node:test";
import { nearest } from "../../../src/core/text/nearest.ts";

const NAMES = ["report", "heartbeat", "sum", "x"];

const CASES: readonly [name: string, wanted: string | null][] = [
  ["report", "report"],
  ["reprot", "report"],
  ["Report", "report"],
  ["repor", "report"],
  ["hartbeat", "heartbeat"],
  ["sun", "sum"],
  ["y", "x"],
  ["backup", null],
  ["", null],
];

for (const [name, wanted] of CASES) {
  test(`nearest() gives ${wanted} for "${name}"`, () => {
    assert.equal(nearest(name, NAMES), wanted);
  });
}

test("nearest() prefers the closest and ends for very long names", () => {
  assert.equal(nearest("timeout", ["timeouts", "timeout_", "timeout"]), "timeout");
  assert.equal(nearest("a".repeat(1_000_000), ["b".repeat(1_000_000)]), null);
});

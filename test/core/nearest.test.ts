import assert from "node:assert/strict";
import { test } from "node:test";
import { nearest } from "../../src/core/nearest.ts";

const KEYS = ["port", "host", "http", "kill_after", "schedule"];

for (
  const [word, wanted] of [
    ["prot", "port"],
    ["pott", "port"],
    ["HOST", "host"],
    ["kill-after", "kill_after"],
    ["shedule", "schedule"],
    ["schedules", "schedule"],
  ] as const
) {
  test(`nearest() finds "${wanted}" for "${word}"`, () => {
    assert.equal(nearest(word, KEYS), wanted);
  });
}

for (const word of ["", "colour", "x".repeat(65), "zz"]) {
  test(`nearest() finds nothing for "${word.slice(0, 8)}"`, () => {
    assert.equal(nearest(word, KEYS), null);
  });
}

test("nearest() takes the first of equally near candidates", () => {
  assert.equal(nearest("cat", ["bat", "hat"]), "bat");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { includesKind, isKindPattern, matchesPattern } from "../../../src/core/job/job_scope.ts";

for (
  const [pattern, yes, no] of [
    ["report", ["report"], ["reports", "a-report", "Report", ""]],
    ["shop-*", ["shop-", "shop-a", "shop-a-b"], ["shop", "ashop-a", "my-shop-a"]],
    ["*-sum", ["-sum", "a-sum"], ["sum", "a-sums"]],
    ["a*a", ["aa", "aba", "aaa"], ["a", "ab"]],
    ["a*b*c", ["abc", "axbxc", "abbcc"], ["acb", "ab", "bc"]],
    ["a.c", ["a.c"], ["abc"]],
    ["*", ["", "anything"], []],
    ["**", ["", "anything"], []],
    ["hello (*", ["hello (no input)"], ["hello"]],
    ["a\\*b", ["a*b"], ["axb", "a\\*b"]],
    ["\\**", ["*", "*x"], ["x", "\\x"]],
  ] as const
) {
  test(`matchesPattern() by "${pattern}"`, () => {
    for (const text of yes) assert.equal(matchesPattern(pattern, text), true, text);
    for (const text of no) assert.equal(matchesPattern(pattern, text), false, text);
  });
}

test("matchesPattern() takes no time for a pattern of many stars", () => {
  const pattern = `${"a*".repeat(99)}b`;
  const start = performance.now();
  assert.equal(matchesPattern(pattern, "a".repeat(100_000)), false);
  assert.ok(performance.now() - start < 1_000);
});

test("includesKind() wants one of the patterns, and allows nothing by none", () => {
  assert.equal(includesKind(["a", "shop-*"], "shop-x"), true);
  assert.equal(includesKind([], "shop-x"), false);
});

test("isKindPattern() refuses what no kind can be", () => {
  for (const text of ["shop-*", "a.b:c_d", "*", "a b", "é", "a\\*"]) {
    assert.equal(isKindPattern(text), true, text);
  }
  for (const text of ["", " a", "a\n", "a".repeat(201), 1, null]) {
    assert.equal(isKindPattern(text), false, String(text));
  }
});

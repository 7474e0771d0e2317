import assert from "node:assert/strict";
import { test } from "node:test";
import { readAssignments } from "../../../src/core/text/environment_text.ts";
import { isJobError } from "../../../src/core/errors.ts";

// As systemd.exec(5) has EnvironmentFile=.
for (
  const [text, expected] of [
    ["A=b", { A: "b" }],
    ["# c\n; d\n\nA=b # c\nexport B=1\nA=2", { A: "2", B: "1" }],
    [`A="x y"\nB='a "b" \\n'`, { A: "x y", B: 'a "b" \\n' }],
    [`A="a\\"b\\n"`, { A: 'a"b\\n' }],
    ["A=one\\\ntwo\nB=", { A: "onetwo", B: "" }],
    ["A=a\\ b", { A: "a b" }],
    ["A=$HOME", { A: "$HOME" }],
  ] as const
) {
  test(`readAssignments() reads ${JSON.stringify(text)}`, () => {
    const found = { ...readAssignments(text) };
    assert.deepEqual(found, expected);
  });
}

test("readAssignments() names the line that is no assignment, and not what it holds", () => {
  for (const text of ["A=b\nsecret", "A=b\n1A=secret", "A=b\nA=secret\0"]) {
    assert.throws(
      () => readAssignments(text),
      (error) =>
        isJobError(error, "invalid_argument") && error.message === "line 2 is not NAME=value",
    );
  }
});

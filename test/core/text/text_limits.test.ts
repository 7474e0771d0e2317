import assert from "node:assert/strict";
import test from "node:test";
import { parseBlackout } from "../../../src/core/time/blackout.ts";
import { checkText, TEXT_LENGTH_MAX } from "../../../src/core/text/text_limits.ts";

test("checkText() takes a text at its limit and refuses one above", () => {
  const limits = { what: "reason of a pause", path: "reason", lengthMax: 10 };
  checkText("x".repeat(10), limits);
  assert.throws(() => checkText("x".repeat(11), limits), {
    code: "invalid_argument",
    path: "reason",
    message: "Cannot accept a reason of a pause of 11 characters: at most 10 are allowed",
  });
});

test("parseBlackout() refuses a window that is longer than any", () => {
  const text = "sat".padEnd(TEXT_LENGTH_MAX.blackout);
  assert.ok(parseBlackout(text));
  assert.throws(() => parseBlackout(`${text} `), { code: "invalid_argument" });
});

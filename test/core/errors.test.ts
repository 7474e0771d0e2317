import assert from "node:assert/strict";
import { test } from "node:test";
import { errorCode, isJobError, JobError, messageOf, toJobError } from "../../src/core/errors.ts";

test("errorCode() is undefined when what was thrown has no code of the system", () => {
  assert.equal(errorCode(Object.assign(new Error("no"), { code: "ENOENT" })), "ENOENT");
  for (const thrown of [new Error("no"), { code: 4 }, null, undefined, "ENOENT"]) {
    assert.equal(errorCode(thrown), undefined);
  }
});

test("messageOf() gives text when anything is thrown", () => {
  assert.equal(messageOf(new Error("no")), "no");
  assert.equal(messageOf("no"), "no");
  assert.equal(messageOf(undefined), "undefined");
  assert.equal(messageOf(Object.create(null)), "a value that cannot be shown");
});

test("toJobError() keeps a JobError and wraps anything else with its cause", () => {
  const own = new JobError("not_found", "Cannot find it");
  assert.equal(toJobError(own, "Cannot act"), own);
  const cause = new TypeError("x is null");
  const wrapped = toJobError(cause, "Cannot act");
  assert.ok(isJobError(wrapped, "internal"));
  assert.equal(wrapped.message, "Cannot act: x is null");
  assert.equal(wrapped.cause, cause);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  errorCode,
  isJobError,
  JobError,
  messageOf,
  renameOptions,
  toJobError,
} from "../../src/core/errors.ts";

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

const NAMES: Readonly<Record<string, string>> = { at: "AT", after: "AFTER" };
const nameOf = (option: string) => NAMES[option];

test("renameOptions() renames what the texts quote, and the path", () => {
  const error = new JobError("invalid_argument", 'Cannot use both "at" and "after": "at"', {
    options: ["at", "after"],
    hint: 'Leave out "after", at best',
  });
  assert.equal(error.path, "at");
  const renamed = renameOptions(error, nameOf);
  assert.equal(renamed.message, 'Cannot use both "AT" and "AFTER": "at"');
  assert.equal(renamed.hint, 'Leave out "AFTER", at best');
  assert.deepEqual([renamed.path, renamed.options], ["AT", ["AT", "AFTER"]]);
  assert.match(renameOptions(error, nameOf, (name) => `--${name}`).message, / --AT and --AFTER: /);
});

test("renameOptions() keeps the request that the path begins with, and unknown names", () => {
  const options = ["after", "other"];
  const given = { options, path: "requests[2].after" };
  const error = new JobError("invalid_argument", '"other" and "after"', given);
  const renamed = renameOptions(error, nameOf);
  assert.equal(renamed.path, "requests[2].AFTER");
  assert.equal(renamed.message, '"other" and "AFTER"');
});

test("renameOptions() leaves an error alone that is about an argument of the job", () => {
  const error = new JobError("invalid_argument", 'Cannot use "at"', { path: "at" });
  assert.equal(renameOptions(error, nameOf), error);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { JobError } from "../../src/core/errors.ts";
import { memberOf } from "../../src/rpc/field_names.ts";
import { fromWireError, GRPC_STATUS, toWireError } from "../../src/rpc/errors.ts";

test("GRPC_STATUS names the statuses that grpc-js knows", () => {
  assert.equal(GRPC_STATUS.not_found, status.NOT_FOUND);
  assert.equal(GRPC_STATUS.invalid_argument, status.INVALID_ARGUMENT);
  assert.equal(GRPC_STATUS.unauthenticated, status.UNAUTHENTICATED);
  assert.equal(GRPC_STATUS.permission_denied, status.PERMISSION_DENIED);
  assert.equal(GRPC_STATUS.unavailable, status.UNAVAILABLE);
  assert.equal(GRPC_STATUS.timeout, status.DEADLINE_EXCEEDED);
  assert.equal(GRPC_STATUS.conflict, status.FAILED_PRECONDITION);
  assert.equal(GRPC_STATUS.stale_fence, status.ABORTED);
  assert.equal(GRPC_STATUS.internal, status.INTERNAL);
  assert.equal(GRPC_STATUS.unimplemented, status.UNIMPLEMENTED);
  assert.equal(GRPC_STATUS.resource_exhausted, status.RESOURCE_EXHAUSTED);
  assert.equal(GRPC_STATUS.already_exists, status.ALREADY_EXISTS);
  assert.equal(GRPC_STATUS.canceled, status.CANCELLED);
});

for (const code of Object.keys(GRPC_STATUS) as (keyof typeof GRPC_STATUS)[]) {
  test(`fromWireError() rebuilds the error when its code is ${code}`, () => {
    const error = new JobError(code, 'Cannot do "é 100 %": no', {
      hint: "Try\n“this”",
      path: "a.b",
    });
    const back = fromWireError(toWireError(error));
    assert.deepEqual([back.code, back.message, back.hint, back.path], [
      error.code,
      error.message,
      error.hint,
      error.path,
    ]);
  });
}

test("fromWireError() leaves hint and path out when there are none", () => {
  const back = fromWireError(toWireError(new JobError("not_found", "Cannot find it: gone")));
  assert.equal(back.hint, undefined);
  assert.equal(back.path, undefined);
});

const OPTIONS: readonly [option: string, field: string, inBody: string, inQuery: string][] = [
  ["uniqueFor", "unique_for_ms", "unique_for_ms", "unique_for_ms"],
  ["timeoutMs", "timeout_ms", "timeout_ms", "timeout_ms"],
  ["retries", "max_retries", "max_retries", "max_retries"],
  ["runsMax", "recurrence.runs_max", "recurrence.runs_max", "recurrence.runs_max"],
  ["id", "uuid", "id", "id"],
  ["kinds", "query.kinds", "query.kinds", "kinds"],
  // Fields stay what they are.
  ["query.uuids[3]", "query.uuids[3]", "query.ids[3]", "ids[3]"],
  [
    "requests[1].arguments_json",
    "requests[1].arguments_json",
    "requests[1].arguments_json",
    "requests[1].arguments_json",
  ],
];

test("toWireError() names the options of the library as fields, and HTTP as members", () => {
  for (const [option, field, inBody, inQuery] of OPTIONS) {
    const error = new JobError("invalid_argument", `Cannot use "${option}" "0"`, {
      options: [option],
    });
    const wire = toWireError(error);
    assert.equal(wire.details, `Cannot use "${field}" "0"`);
    assert.equal(wire.violation?.field, field);
    assert.deepEqual(fromWireError(wire).options, [field]);
    assert.deepEqual([memberOf(option, true), memberOf(option, false)], [inBody, inQuery]);
  }
});

test("toWireError() cuts what does not fit into headers", () => {
  const error = new JobError("internal", "€".repeat(100_000), { hint: "x".repeat(100_000) });
  const { details, trailers } = toWireError(error);
  assert.ok(encodeURI(details).length <= 4_096);
  assert.ok(details.endsWith("…"));
  assert.ok(trailers["jobctl-hint"]!.length <= 1_536);
});

test("toWireError() takes a lone surrogate, which no header can carry", () => {
  const { details } = toWireError(new JobError("internal", "a\ud800b"));
  assert.equal(encodeURI(details), "a%EF%BF%BDb");
});

test("fromWireError() maps a bare status when the answer is not ours", () => {
  assert.equal(fromWireError({ code: 5, details: "x", trailers: {} }).code, "not_found");
  assert.equal(fromWireError({ code: 9, details: "x", trailers: {} }).code, "conflict");
  assert.equal(fromWireError({ code: 2, details: "x", trailers: {} }).code, "internal");
});

test("fromWireError() does not believe a code that is none", () => {
  const trailers = { "jobctl-code": "constructor" };
  assert.equal(fromWireError({ code: 5, details: "x", trailers }).code, "not_found");
});

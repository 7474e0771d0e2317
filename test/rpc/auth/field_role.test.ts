import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { isJobError } from "../../../src/core/errors.ts";
import type { Role } from "../../../src/rpc/auth/auth.ts";
import { fieldRefusal } from "../../../src/rpc/auth/field_role.ts";
import {
  RemoveSilenceRequestSchema,
  ScheduleJobRequestSchema,
  SetSilenceRequestSchema,
} from "../../../src/rpc/gen/job_pb.ts";

function refusal(role: Role | null, request: MessageInitShape<typeof ScheduleJobRequestSchema>) {
  const bytes = toBinary(ScheduleJobRequestSchema, create(ScheduleJobRequestSchema, request));
  return fieldRefusal("scheduleJob", role && { name: "ci", role }, bytes);
}

test("fieldRefusal() lets only an admin make a recurring schedule", () => {
  const request = { kind: "sum", cron: "* * * * *" };
  assert.equal(refusal("admin", request), null);
  for (const role of ["operator", null] as const) {
    const error = refusal(role, request);
    assert.ok(isJobError(error, "permission_denied") && error.path === "cron" && error.hint);
  }
});

test("fieldRefusal() lets an operator schedule once, and try a recurring schedule", () => {
  assert.equal(refusal("operator", { kind: "sum", arguments: ["1"] }), null);
  assert.equal(refusal("operator", { kind: "sum", cron: "" }), null);
  assert.equal(refusal("operator", { kind: "sum", cron: "* * * * *", dryRun: true }), null);
  assert.equal(fieldRefusal("scheduleJob", null, new Uint8Array([255])), null);
});

test("fieldRefusal() lets only an admin silence everything, and an operator a job", () => {
  const operator = { name: "ci", role: "operator" } as const;
  for (
    const [method, schema] of [
      ["setSilence", SetSilenceRequestSchema],
      ["removeSilence", RemoveSilenceRequestSchema],
    ] as const
  ) {
    const all = toBinary(schema, create(schema, { all: true }));
    const one = toBinary(schema, create(schema, { kind: "sum" }));
    const error = fieldRefusal(method, operator, all);
    assert.ok(isJobError(error, "permission_denied") && error.path === "all" && error.hint);
    assert.equal(fieldRefusal(method, { ...operator, role: "admin" }, all), null);
    assert.equal(fieldRefusal(method, operator, one), null);
  }
});

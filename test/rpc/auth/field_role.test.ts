import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { isJobError } from "../../../src/core/errors.ts";
import { FIELD_ROLE, type Role } from "../../../src/rpc/auth/auth.ts";
import { JobService, ScheduleJobRequestSchema } from "../../../src/rpc/gen/job_pb.ts";
import { scheduleRefusal } from "../../../src/rpc/auth/field_role.ts";

function refusal(role: Role | null, request: MessageInitShape<typeof ScheduleJobRequestSchema>) {
  const bytes = toBinary(ScheduleJobRequestSchema, create(ScheduleJobRequestSchema, request));
  return scheduleRefusal(role && { name: "ci", role }, bytes);
}

test("scheduleRefusal() lets only an admin make a recurring schedule", () => {
  const request = { kind: "sum", cron: "* * * * *" };
  assert.equal(refusal("admin", request), null);
  for (const role of ["operator", null] as const) {
    const error = refusal(role, request);
    assert.ok(isJobError(error, "permission_denied") && error.path === "cron" && error.hint);
  }
});

test("scheduleRefusal() lets an operator schedule once, and try a recurring schedule", () => {
  assert.equal(refusal("operator", { kind: "sum", arguments: ["1"] }), null);
  assert.equal(refusal("operator", { kind: "sum", cron: "" }), null);
  assert.equal(refusal("operator", { kind: "sum", cron: "* * * * *", dryRun: true }), null);
  assert.equal(scheduleRefusal(null, new Uint8Array([255])), null);
});

test("FIELD_ROLE names fields that the requests of its methods have", () => {
  for (const [method, fields] of Object.entries(FIELD_ROLE)) {
    const { input } = JobService.method[method as keyof typeof FIELD_ROLE];
    for (const name of Object.keys(fields)) {
      assert.ok(input.fields.some((field) => field.name === name), `${method} ${name}`);
    }
  }
});

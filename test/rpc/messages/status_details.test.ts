import assert from "node:assert/strict";
import { test } from "node:test";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import * as grpc from "@grpc/grpc-js";
import { JobError } from "../../../src/core/errors.ts";
import { toStatus } from "../../../src/rpc/server/calls.ts";
import { STATUS_DETAILS } from "../../../src/rpc/messages/status_details.ts";
import { rpcWorld } from "../../support/worlds/rpc_world.ts";

/** The length-delimited fields of a message as text or bytes, by number. */
function fieldsOf(bytes: Uint8Array): ReadonlyMap<number, Uint8Array> {
  const reader = new BinaryReader(bytes);
  const fields = new Map<number, Uint8Array>();
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    if (type === 2) fields.set(number, reader.bytes());
    else reader.skip(type);
  }
  return fields;
}

function textOf(bytes: Uint8Array | undefined): string {
  return new TextDecoder().decode(bytes);
}

/** Field and description of the one violation in the details of a status. */
function violationOf(
  metadata: grpc.Metadata,
): readonly [type: string, field: string, text: string] {
  const [details] = metadata.get(STATUS_DETAILS);
  assert.ok(details instanceof Buffer);
  const any = fieldsOf(fieldsOf(details).get(3)!);
  const violation = fieldsOf(fieldsOf(any.get(2)!).get(1)!);
  return [textOf(any.get(1)), textOf(violation.get(1)), textOf(violation.get(2))];
}

test("toStatus() reports the faulty parameter as a BadRequest", () => {
  const error = new JobError("invalid_argument", 'Cannot convert "é": no', { path: "order.id" });
  assert.deepEqual(violationOf(toStatus(error).metadata), [
    "type.googleapis.com/google.rpc.BadRequest",
    "order.id",
    'Cannot convert "é": no',
  ]);
});

test("toStatus() has no details when the error names no path or is of another code", () => {
  for (
    const error of [
      new JobError("invalid_argument", "Cannot call it: no"),
      new JobError("not_found", "Cannot find it: no", { path: "kind" }),
    ]
  ) {
    assert.deepEqual(toStatus(error).metadata.get(STATUS_DETAILS), []);
  }
});

test("a refused field arrives with its details at a client of grpc-js", async () => {
  await using world = await rpcWorld();
  const client = new grpc.Client(`127.0.0.1:${world.port}`, grpc.credentials.createInsecure());
  try {
    const error = await new Promise<grpc.ServiceError>((resolve, reject) => {
      client.makeUnaryRequest(
        "/job.v1.JobService/ScheduleJob",
        (bytes: Buffer) => bytes,
        (bytes) => bytes,
        // ScheduleJobRequest with an empty kind.
        Buffer.alloc(0),
        (failure) => failure ? resolve(failure) : reject(new Error("no error came")),
      );
    });
    assert.equal(error.code, grpc.status.INVALID_ARGUMENT);
    const [, field, description] = violationOf(error.metadata);
    assert.equal(field, "kind");
    assert.equal(description, error.details);
  } finally {
    client.close();
  }
});

test("toStatus() stays below the limit of headers when everything is long", () => {
  const long = "€".repeat(100_000);
  const { details, metadata } = toStatus(
    new JobError("invalid_argument", long, { path: long, hint: long }),
  );
  const sizes = Object.entries(metadata.getMap()).map(([name, value]) =>
    name.length + (typeof value === "string" ? value.length : Math.ceil(value.length / 3) * 4) + 32
  );
  const total = sizes.reduce((sum, size) => sum + size, encodeURI(details).length);
  assert.ok(total < 8_192, `${total}`);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { MethodName } from "../../../src/rpc/backend.ts";
import { JobService, type WaitInstanceRequest } from "../../../src/rpc/gen/job_pb.ts";
import { decodeMessage, encodeMessage } from "../../../src/rpc/model/message_codec.ts";
import { METHOD_OF } from "../../../src/rpc/model/methods.ts";

test("every method has its messages in the model", () => {
  for (const { methodKind, localName, name, input, output } of JobService.methods) {
    assert.deepEqual(METHOD_OF[localName as MethodName], {
      name: localName,
      title: name,
      path: `/job.v1.JobService/${name}`,
      input: input.typeName,
      output: output.typeName,
      isStream: methodKind !== "unary",
    });
  }
  assert.equal(Object.keys(METHOD_OF).length, JobService.methods.length);
});

test("numbers of 64 bits keep all their digits", () => {
  const type = "job.v1.WaitInstanceRequest";
  for (const waitMs of [-(2n ** 63n), 2n ** 63n - 1n, 2n ** 53n, 2n ** 49n - 1n, 2n ** 49n]) {
    const read = decodeMessage<WaitInstanceRequest>(type, encodeMessage(type, { waitMs }));
    assert.equal(read.waitMs, waitMs);
  }
});

test("encodeMessage() refuses numbers that do not fit", () => {
  for (
    const [name, value] of [["count", 0.5], ["count", 2 ** 31], ["count", -(2 ** 31) - 1]] as const
  ) {
    assert.throws(() => encodeMessage("job.v1.ResizeWorkersRequest", { [name]: value }));
  }
  for (const waitMs of [2n ** 63n, -(2n ** 63n) - 1n, 1.5]) {
    assert.throws(() => encodeMessage("job.v1.WaitInstanceRequest", { waitMs }));
  }
});

test("decodeMessage() skips fields that it does not know", () => {
  const bytes = Uint8Array.of(0xf8, 0xff, 0x01, 5, 0x0a, 1, 0x61);
  assert.deepEqual(decodeMessage("job.v1.GetJobRequest", bytes), {
    $typeName: "job.v1.GetJobRequest",
    kind: "a",
  });
});

test("decodeMessage() refuses bytes that are cut, and text that is not UTF-8", () => {
  for (const bytes of [[0x0a], [0x0a, 5, 0x61], [0x0a, 1, 0xff]]) {
    assert.throws(() => decodeMessage("job.v1.GetJobRequest", Uint8Array.from(bytes)));
  }
});

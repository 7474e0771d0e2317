import assert from "node:assert/strict";
import { test } from "node:test";
import {
  create,
  type DescField,
  type DescMessage,
  fromBinary,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { decodeMessage, encodeMessage } from "../../../src/rpc/client/message_codec.ts";
import { file_job, JobService } from "../../../src/rpc/gen/job_pb.ts";
import { MESSAGES, METHODS } from "../../../src/rpc/gen/message_tables.ts";

const SCHEMAS = new Map<string, DescMessage>(
  [...file_job.messages, TimestampSchema].map((schema) => [schema.typeName, schema]),
);

/** Values of a scalar: its zero, and others that need all its bytes. */
const VALUES: Readonly<Partial<Record<ScalarType, readonly unknown[]>>> = {
  [ScalarType.STRING]: ["", "a", "é€𝄞".repeat(50)],
  [ScalarType.BOOL]: [false, true],
  [ScalarType.INT32]: [0, 1, -1, 2 ** 31 - 1, -(2 ** 31)],
  [ScalarType.SINT32]: [0, 1, -1, 2 ** 31 - 1, -(2 ** 31)],
  [ScalarType.INT64]: [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n)],
  [ScalarType.DOUBLE]: [0, 1.5, -1e300],
  [ScalarType.BYTES]: [new Uint8Array(0), Uint8Array.of(0, 255)],
};

function valueOf(field: DescField, round: number): unknown {
  if (field.message) return messageOf(field.message, round);
  if (field.enum) return field.enum.values[round % field.enum.values.length]!.number;
  const values = VALUES[field.scalar!]!;
  return values[round % values.length];
}

/** A message whose fields take turns in being absent. */
function messageOf(schema: DescMessage, round: number): Record<string, unknown> {
  const given = schema.fields.filter((_, index) => (index + round) % 3 !== 0);
  return Object.fromEntries(given.map((field) => [
    field.localName,
    field.fieldKind === "list"
      ? Array.from({ length: round }, (_, index) => valueOf(field, round + index))
      : valueOf(field, round),
  ]));
}

test("messages are encoded and decoded as the protobuf library does it", () => {
  assert.ok(Object.keys(MESSAGES).length > 50);
  for (const name of Object.keys(MESSAGES)) {
    const schema = SCHEMAS.get(name)!;
    for (let round = 0; round < 6; round++) {
      const init = messageOf(schema, round);
      const bytes = toBinary(schema, create(schema, init));
      assert.deepEqual(new Uint8Array(encodeMessage(name, init)), bytes, name);
      // Equal members: the library's messages have no prototype of their own to compare.
      assert.deepEqual({ ...decodeMessage(name, bytes) }, { ...fromBinary(schema, bytes) }, name);
    }
  }
});

test("every unary method has its messages in the tables", () => {
  for (const { methodKind, localName, name, input, output } of JobService.methods) {
    const known = (METHODS as Readonly<Record<string, string>>)[localName];
    const wanted = `${name} ${input.typeName} ${output.typeName}`;
    assert.equal(known, methodKind === "unary" ? wanted : undefined);
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

import assert from "node:assert/strict";
import { test } from "node:test";
import { type DescMessage, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import { parseJson } from "../../../src/core/arguments/json_text.ts";
import { isJobError } from "../../../src/core/errors.ts";
import { HealthCheckResponseSchema } from "../../../src/rpc/gen/health_pb.ts";
import { file_job } from "../../../src/rpc/gen/job_pb.ts";
import { CHOICES, MESSAGES } from "../../../src/rpc/gen/messages.ts";
import { decodeMessage, encodeMessage, fillMessage } from "../../../src/rpc/model/message_codec.ts";
import { MessageReader } from "../../../src/rpc/model/read_json.ts";
import { type AnyMessage, messageData, writeJson } from "../../../src/rpc/model/write_json.ts";
import { pick, randomMessage } from "../../support/random_message.ts";
import { seededRandom } from "../../support/seeded_random.ts";

const ROUNDS = 12;
const SCHEMAS: readonly DescMessage[] = [...file_job.messages, HealthCheckResponseSchema]
  .filter(({ typeName }) => typeName in MESSAGES);
/** Only the response of a work on the store has a choice of fields, which are ordinary here. */
const ORDINARY = SCHEMAS.filter(({ oneofs }) => oneofs.length === 0);
const JSON_MESSAGES = ORDINARY.filter(({ typeName }) => typeName.startsWith("job.v1."));

/** Unknown fields: a number, a fixed one, texts, groups; and some that are not valid. */
const ENDS: readonly (readonly number[])[] = [
  [0xf8, 0x7f, 5],
  [0xfd, 0x7f, 1, 2, 3, 4],
  [0xf9, 0x7f, 1, 2, 3, 4, 5, 6, 7, 8],
  [0xfa, 0x7f, 1, 0x61],
  [0xfb, 0x7f, 0x0a, 1, 0x61, 0xfb, 0x7f, 0xfc, 0x7f, 0xfc, 0x7f],
  [0xfb, 0x7f],
  [0xfb, 0x7f, 0x84, 0x7f],
  [0x00],
  [0xff, 0x7f],
  [0xf8, 0x80, 0x80, 0x80, 0x80, 0x01, 5],
];

/** Members without prototypes, and without absent ones. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Uint8Array) return [...value];
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(members.map(([name, member]) => [name, plain(member)]));
}

function attempt<T>(read: () => T): { readonly value: T } | null {
  try {
    return { value: read() };
  } catch {
    return null;
  }
}

function eachMessage(
  schemas: readonly DescMessage[],
  check: (schema: DescMessage, message: Message, random: ReturnType<typeof seededRandom>) => void,
): void {
  assert.ok(schemas.length > 100);
  const random = seededRandom(schemas.length);
  for (const schema of schemas) {
    for (let round = 0; round < ROUNDS; round++) {
      check(schema, randomMessage(random, schema), random);
    }
  }
}

test("encodeMessage() writes every message as the protobuf library does", () => {
  eachMessage(ORDINARY, (schema, message) => {
    const bytes = encodeMessage(schema.typeName, message);
    assert.deepEqual(bytes, toBinary(schema, message), schema.typeName);
  });
});

test("decodeMessage() reads as the library does, also what comes in parts, and changed bytes", () => {
  let [readCount, refusedCount] = [0, 0];
  eachMessage(ORDINARY, (schema, message, random) => {
    const first = toBinary(schema, message);
    const second = toBinary(schema, randomMessage(random, schema));
    const whole = Uint8Array.from([...first, ...second]);
    const at = Math.floor(random.next() * whole.byteLength);
    const changed = Uint8Array.from(whole, (byte, index) => index === at ? byte ^ 0x81 : byte);
    const longer = Uint8Array.from([...first, ...pick(random, ENDS)]);
    for (const bytes of [first, whole, whole.subarray(0, at), changed, longer]) {
      const wanted = attempt(() => fromBinary(schema, bytes, { readUnknownFields: false }));
      const read = attempt(() => decodeMessage(schema.typeName, bytes));
      assert.deepEqual(
        plain(read),
        plain(wanted),
        `${schema.typeName} ${Buffer.from(bytes).toString("hex")}`,
      );
      if (read) readCount += 1;
      else refusedCount += 1;
    }
  });
  assert.ok(readCount > 1_000 && refusedCount > 1_000);
});

test("groups nest to a limit, and a number has at most ten bytes", () => {
  const type = "job.v1.GetJobRequest";
  const nested = (levels: number) =>
    Uint8Array.from([
      ...Array.from({ length: levels }, () => 0x0b + 8),
      ...Array.from({ length: levels }, () => 0x0c + 8),
    ]);
  assert.ok(decodeMessage(type, nested(100)));
  assert.throws(() => decodeMessage(type, nested(101)));
  assert.throws(() => decodeMessage(type, nested(1_000_000)));
  const number = (length: number) => [0x10, ...Array.from({ length }, () => 0x80), 1];
  assert.ok(decodeMessage(type, Uint8Array.from(number(9))));
  assert.throws(() => decodeMessage(type, Uint8Array.from(number(10))));
});

test("writeJson() and messageData() are the same, of a message and of its bytes", () => {
  eachMessage(JSON_MESSAGES, (schema, message) => {
    const { typeName } = schema;
    const json = writeJson(typeName, message);
    assert.equal(writeJson(typeName, decodeMessage(typeName, toBinary(schema, message))), json);
    const data = messageData(message as AnyMessage);
    const expected = parseJson(json) as object;
    assert.deepEqual(data, expected, typeName);
    assert.deepEqual(Object.keys(data), Object.keys(expected), typeName);
  });
});

test("JSON that MessageReader reads is written again as it was", () => {
  const reader = new MessageReader("Cannot read it");
  let count = 0;
  eachMessage(JSON_MESSAGES, ({ typeName }, message) => {
    const json = writeJson(typeName, message);
    const init = attempt(() => reader.message(typeName, parseJson(json)));
    // Requests may have neither NUL characters nor numbers beyond 2^53, nor damaged JSON.
    if (init === null || json.includes("not json")) return;
    const read = fillMessage(typeName, init.value);
    assert.equal(writeJson(typeName, read), json, typeName);
    const bytes = encodeMessage(typeName, read);
    assert.equal(writeJson(typeName, decodeMessage(typeName, bytes)), json, typeName);
    assert.deepEqual(encodeMessage(typeName, decodeMessage(typeName, bytes)), bytes, typeName);
    count += 1;
  });
  assert.ok(count > 300, String(count));
});

test("MessageReader refuses members that are unknown, of another type, or given twice", () => {
  const reader = new MessageReader("Cannot read it");
  for (const { typeName, fields } of JSON_MESSAGES) {
    const refusal = (value: unknown) => {
      const error = attempt(() => reader.message(typeName, value));
      assert.equal(error, null, typeName);
    };
    for (const value of [null, [], "a", { no_such_field: 1 }, { __proto__x: 1 }]) refusal(value);
    const known = new Set(fields.map(({ name }) => name));
    // Any value of JSON may be an argument.
    const typed = [...known].filter((name) =>
      !name.endsWith("_json") && !known.has(`${name}_json`)
    );
    for (const name of typed) refusal({ [name]: [[name]] });
  }
  assert.throws(
    () => reader.message("job.v1.GetInstanceRequest", { id: "a", uuid: "a" }),
    (error) => isJobError(error, "invalid_argument") && /twice/.test(error.message),
  );
});

test("the model has every message that a method transports", () => {
  assert.deepEqual(Object.keys(CHOICES).sort(), [
    "grpc.health.v1.HealthCheckResponse.ServingStatus",
    "job.v1.JobState",
  ]);
  assert.throws(() => decodeMessage("job.v1.None", new Uint8Array(0)), TypeError);
});

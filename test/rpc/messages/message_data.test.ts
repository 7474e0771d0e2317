import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type DescMessage, type Message, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { parseJson } from "../../../src/core/arguments/json_text.ts";
import type { Random } from "../../../src/platform/random.ts";
import { file_job, JobInstanceSchema, ProgressSchema } from "../../../src/rpc/gen/job_pb.ts";
import { messageData } from "../../../src/rpc/json/message_data.ts";
import { type FieldPlan, planOf } from "../../../src/rpc/json/message_plan.ts";
import { writeMessage } from "../../../src/rpc/json/write_message.ts";
import { seededRandom } from "../../support/seeded_random.ts";

const DEPTH_MAX = 3;

/** The data by way of the binary form and JSON text. */
function detour(schema: DescMessage, message: Message): unknown {
  return parseJson(writeMessage(schema, toBinary(schema, message)));
}

function pick<T>(random: Random, values: readonly T[]): T {
  return values[random.bytes(1)[0]! % values.length]!;
}

function valueFor(random: Random, plan: FieldPlan, depth: number): unknown {
  const { kind, field, message } = plan;
  switch (kind) {
    case "text":
      return pick(random, ["", "a", '"\u202e\n', "日本"]);
    case "flag":
      return pick(random, [true, false]);
    case "int":
      return pick(random, [0, 1, -1, 2 ** 31 - 1]);
    case "long":
      return pick(random, [0n, 7n, -1n, 2n ** 53n + 1n, -(2n ** 62n) - 1n]);
    case "double":
      return pick(random, [0, 0.5, -3, 1e300, NaN, Infinity]);
    case "choice":
      return pick(random, field.enum!.values).number;
    case "time":
      return timestampFromMs(pick(random, [0, -1, 1_700_000_000_123]));
    case "json":
      return pick(random, ["", "[]", '[1,"1",{"a":[null]}]', "[9007199254740993]", "not json"]);
    case "message":
      return messageOf(random, message!, depth + 1);
  }
}

function messageOf(random: Random, schema: DescMessage, depth = 0): Message {
  const fields: Record<string, unknown> = {};
  for (const plan of planOf(schema).fields) {
    const isAbsent = pick(random, [true, false, false]);
    if (isAbsent || (depth >= DEPTH_MAX && plan.kind === "message")) continue;
    const count = pick(random, [1, 2]);
    const value = () => valueFor(random, plan, depth);
    fields[plan.field.localName] = plan.isList ? Array.from({ length: count }, value) : value();
  }
  return create(schema, fields as never);
}

test("messageData() is what writeMessage() writes, for every message of the contract", () => {
  const random = seededRandom(7);
  // Only the annotations of methods have a choice of fields.
  for (const schema of file_job.messages.filter(({ oneofs }) => oneofs.length === 0)) {
    for (let round = 0; round < 20; round++) {
      const message = messageOf(random, schema);
      const data = messageData(message);
      const expected = detour(schema, message) as object;
      assert.deepEqual(data, expected, schema.typeName);
      assert.deepEqual(Object.keys(data), Object.keys(expected), schema.typeName);
    }
  }
});

test("messageData() keeps digits, and leaves out what is absent", () => {
  const message = create(JobInstanceSchema, { fence: 2n ** 53n + 1n, argumentsJson: "x" });
  const data = messageData(message);
  assert.equal(data.fence, 9007199254740993n);
  assert.equal(data.arguments, "x");
  assert.equal("node" in data, false);
  assert.deepEqual(messageData(create(ProgressSchema, { done: NaN })), { done: null });
});

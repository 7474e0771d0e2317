import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  DensitySchema,
  JobInstanceSchema,
  JobState,
  ListSchedulesResponseSchema,
  ProgressSchema,
} from "../../../src/rpc/gen/job_pb.ts";
import { decodeMessage } from "../../../src/rpc/model/message_codec.ts";
import { messageData, writeJson } from "../../../src/rpc/model/write_json.ts";

const AT = Date.UTC(2026, 10, 28, 7, 0, 0, 5);
const TEXT = "2026-11-28T07:00:00.005Z";

function jsonOf({ typeName }: DescMessage, bytes: Uint8Array): string {
  return writeJson(typeName, decodeMessage(typeName, bytes));
}

function written<T extends DescMessage>(schema: T, init: MessageInitShape<T>): unknown {
  return JSON.parse(jsonOf(schema, toBinary(schema, create(schema, init))));
}

test("writeJson() writes values by their kinds, and leaves out what is absent", () => {
  const instance = written(JobInstanceSchema, {
    kind: 'a"\n',
    uuid: "u",
    state: JobState.SCHEDULED,
    createdAt: timestampFromMs(AT),
    dueAt: timestampFromMs(-1),
    reason: "",
    priority: -3,
    progress: { done: 0.5 },
    resultsJson: "not json",
  }) as Record<string, unknown>;
  assert.equal(instance.kind, 'a"\n');
  assert.equal(instance.state, "scheduled");
  assert.equal(instance.created_at, TEXT);
  assert.equal(instance.due_at, "1969-12-31T23:59:59.999Z");
  assert.equal(instance.reason, "");
  assert.equal(instance.priority, -3);
  assert.equal(instance.failures, 0);
  assert.deepEqual(instance.progress, { done: 0.5 });
  assert.equal(instance.results, "not json");
  assert.equal("attempts" in instance, false);
  assert.equal("node" in instance, false);
});

test("writeJson() keeps all digits of a number of 64 bits, and of stored JSON", () => {
  const init = { fence: 2n ** 53n + 1n, argumentsJson: "[9007199254740993]" };
  const text = jsonOf(
    JobInstanceSchema,
    toBinary(JobInstanceSchema, create(JobInstanceSchema, init)),
  );
  assert.match(text, /"fence":9007199254740993[,}]/);
  assert.match(text, /"arguments":\[9007199254740993\]/);
});

test("writeJson() writes lists: none, of messages, and of numbers in one piece", () => {
  assert.deepEqual(written(ListSchedulesResponseSchema, {}), { schedules: [] });
  const { schedules } = written(ListSchedulesResponseSchema, {
    schedules: [{ id: "a" }, { id: "b" }],
  }) as { readonly schedules: readonly { readonly id: string }[] };
  assert.deepEqual(schedules.map(({ id }) => id), ["a", "b"]);
  assert.deepEqual(written(DensitySchema, { ticks: [3, 0, -1], skipped: [7] }), {
    ticks: [3, 0, -1],
    skipped: [7],
  });
});

test("writeJson() writes null for a number that JSON does not have", () => {
  assert.deepEqual(written(ProgressSchema, { done: NaN, total: Infinity }), {
    done: null,
    total: null,
  });
});

test("writeJson() skips fields that it does not know", () => {
  const writer = new BinaryWriter();
  writer.tag(9_000, WireType.LengthDelimited).string("new").tag(1, WireType.LengthDelimited);
  const text = jsonOf(JobInstanceSchema, writer.string("mail").finish());
  assert.equal((JSON.parse(text) as { readonly kind: string }).kind, "mail");
});

test("messageData() keeps digits, and leaves out what is absent", () => {
  const message = create(JobInstanceSchema, { fence: 2n ** 53n + 1n, argumentsJson: "x" });
  const data = messageData(message);
  assert.equal(data.fence, 9007199254740993n);
  assert.equal(data.arguments, "x");
  assert.equal("node" in data, false);
  assert.deepEqual(messageData(create(ProgressSchema, { done: NaN })), { done: null });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { type DescField, type DescMessage, ScalarType, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { file_job } from "../../../src/rpc/gen/job_pb.ts";
import { toMessage, type WireRecord } from "../../../src/rpc/messages/wire_record.ts";
import { writeRecord } from "../../../src/rpc/messages/write_record.ts";

/** What the values of records are made from: their text, and their number. */
interface Sample {
  readonly text: string;
  readonly number: number;
  /** How deep messages are nested. */
  readonly levels: number;
}

function valueOf({ scalar, enum: choices, message }: DescField, sample: Sample): unknown {
  const { text, number, levels } = sample;
  if (message?.typeName === TimestampSchema.typeName) return number;
  if (message) return levels === 0 ? null : recordOf(message, { ...sample, levels: levels - 1 });
  if (choices) return choices.values.at(number === 0 ? 0 : -1)!.number;
  if (scalar === ScalarType.STRING) return text;
  if (scalar === ScalarType.BOOL) return number !== 0;
  if (scalar === ScalarType.BYTES) return new TextEncoder().encode(text);
  if (scalar === ScalarType.DOUBLE) return number === 0 ? -0 : number / 7;
  return scalar === ScalarType.INT64 ? number : Math.sign(number);
}

/** A record with a value for every field of a message. */
function recordOf(schema: DescMessage, sample: Sample): WireRecord<DescMessage> {
  const entries = schema.fields.filter(({ oneof, fieldKind }) => !oneof && fieldKind !== "map")
    .map((field) => {
      const value = valueOf(field, sample);
      const items = value === null || sample.text === "" ? [] : [value, value];
      return [field.localName, field.fieldKind === "list" ? items : value];
    });
  return Object.fromEntries(entries) as WireRecord<DescMessage>;
}

const SAMPLES: Readonly<Record<string, Sample>> = {
  values: { text: "Grüße, 🐟\u0000", number: 1_764_600_000_123, levels: 3 },
  "values below zero": { text: "[1]", number: -1_764_600_000_123, levels: 2 },
  zeros: { text: "", number: 0, levels: 2 },
};

for (const [name, sample] of Object.entries(SAMPLES)) {
  test(`writeRecord() writes ${name} of every type as its message has them`, () => {
    assert.ok(file_job.messages.length > 100);
    for (const schema of file_job.messages) {
      const record = recordOf(schema, sample);
      for (const isJson of [false, true]) {
        assert.deepEqual(
          writeRecord(schema, record, isJson),
          toBinary(schema, toMessage(schema, record, isJson)),
          schema.name,
        );
      }
    }
  });
}

test("writeRecord() leaves out what is absent, and members that are no fields", () => {
  for (const schema of file_job.messages) {
    const absent = Object.fromEntries(schema.fields.map(({ localName }) => [localName, null]));
    const record = { ...absent, other: "not sent" } as WireRecord<DescMessage>;
    assert.equal(writeRecord(schema, record, false).byteLength, 0, schema.name);
  }
});

test("writeRecord() takes messages within records", () => {
  const schema = file_job.messages.find(({ name }) => name === "JobInstance")!;
  const createdAt = timestampFromMs(1_764_600_000_123);
  const record = { createdAt } as unknown as WireRecord<DescMessage>;
  const same = { createdAt: 1_764_600_000_123 } as unknown as WireRecord<DescMessage>;
  assert.deepEqual(writeRecord(schema, record, false), writeRecord(schema, same, false));
});

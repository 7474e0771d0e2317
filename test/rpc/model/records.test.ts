import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type DescField, type DescMessage, ScalarType, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { file_job } from "../../../src/rpc/gen/job_pb.ts";
import { MESSAGES } from "../../../src/rpc/gen/messages.ts";
import { encodeMessage } from "../../../src/rpc/model/message_codec.ts";

type Fields = Record<string, unknown>;

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
function recordOf(schema: DescMessage, sample: Sample): Fields {
  const entries = schema.fields.filter(({ oneof, fieldKind }) => !oneof && fieldKind !== "map")
    .map((field) => {
      const value = valueOf(field, sample);
      const items = value === null || sample.text === "" ? [] : [value, value];
      return [field.localName, field.fieldKind === "list" ? items : value];
    });
  return Object.fromEntries(entries) as Fields;
}

/** The value of a message for one of a record. */
function converted({ scalar, message }: DescField, value: unknown, isJson: boolean): unknown {
  if (value === null || value === undefined) return undefined;
  if (message?.typeName === TimestampSchema.typeName) return timestampFromMs(value as number);
  if (message) return messageOf(message, value as Fields, isJson);
  return scalar === ScalarType.INT64 ? BigInt(value as number) : value;
}

function messageOf(schema: DescMessage, record: Fields, isJson: boolean): Fields {
  const names = new Set(schema.fields.map(({ name }) => name));
  const isSent = ({ name }: DescField) =>
    isJson
      ? !names.has(`${name}_json`)
      : !names.has(name.replace(/_json$/, "")) || !/_json$/.test(name);
  return Object.fromEntries(
    schema.fields.filter((field) => !field.oneof && isSent(field)).map((field) => {
      const value = record[field.localName];
      const convert = (one: unknown) => converted(field, one, isJson);
      const isList = field.fieldKind === "list" && value !== undefined && value !== null;
      return [
        field.localName,
        isList ? (value as readonly unknown[]).map(convert) : convert(value),
      ];
    }),
  );
}

const SCHEMAS = file_job.messages.filter(({ typeName }) => typeName in MESSAGES);

const SAMPLES: Readonly<Record<string, Sample>> = {
  values: { text: "Grüße, 🐟\u0000", number: 1_764_600_000_123, levels: 3 },
  "values below zero": { text: "[1]", number: -1_764_600_000_123, levels: 2 },
  zeros: { text: "", number: 0, levels: 2 },
};

for (const [name, sample] of Object.entries(SAMPLES)) {
  test(`encodeMessage() writes ${name} of every type as its message has them`, () => {
    assert.ok(SCHEMAS.length > 100);
    for (const schema of SCHEMAS) {
      const record = recordOf(schema, sample);
      for (const isJson of [false, true]) {
        assert.deepEqual(
          encodeMessage(schema.typeName, record, isJson ? "json" : "texts"),
          toBinary(schema, create(schema, messageOf(schema, record, isJson) as never)),
          schema.name,
        );
      }
    }
  });
}

test("encodeMessage() leaves out what is absent, and members that are no fields", () => {
  for (const schema of SCHEMAS) {
    const absent = Object.fromEntries(schema.fields.map(({ localName }) => [localName, null]));
    const record = { ...absent, other: "not sent" } as Fields;
    assert.equal(encodeMessage(schema.typeName, record).byteLength, 0, schema.name);
  }
});

test("encodeMessage() takes messages within records", () => {
  const schema = file_job.messages.find(({ name }) => name === "JobInstance")!;
  const createdAt = timestampFromMs(1_764_600_000_123);
  const record = { createdAt };
  const same = { createdAt: 1_764_600_000_123 };
  const { typeName } = schema;
  assert.deepEqual(encodeMessage(typeName, record), encodeMessage(typeName, same));
});

import { create, type DescField, type DescMessage, type Message } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import { timestampFromMs, TimestampSchema } from "@bufbuild/protobuf/wkt";
import type { Random } from "../../src/platform/random.ts";

const DEPTH_MAX = 3;
const TEXTS = [
  "",
  "a",
  "\ufeffé€𝄞",
  '"\u202e\n\u0000',
  "\ufffd",
  "日本".repeat(60),
  "x".repeat(200),
];
const JSONS = ["", "[]", '[1,"1",{"a":[null]}]', "[9007199254740993]", "not json"];
const INTS = [0, 1, -1, 127, 128, 2 ** 31 - 1, -(2 ** 31)];
const LONGS = [0n, 1n, -1n, 128n, 2n ** 35n, 2n ** 53n + 1n, 2n ** 63n - 1n, 1n - 2n ** 63n];
const DOUBLES = [0, 0.5, -1e300, NaN, Infinity];
const TIMES = [0, -1, 1_764_600_000_123];

/** One of some values. */
export function pick<T>(random: Random, values: readonly T[]): T {
  return values[Math.floor(random.next() * values.length)]!;
}

function valueOf(random: Random, field: DescField, depth: number): unknown {
  const { message, enum: choices, scalar, name } = field;
  if (message?.typeName === TimestampSchema.typeName) return timestampFromMs(pick(random, TIMES));
  if (message) return randomMessage(random, message, depth + 1);
  if (choices) return pick(random, [...choices.values.map(({ number }) => number), 77, -1]);
  switch (scalar) {
    case ScalarType.STRING:
      return pick(random, name.endsWith("_json") ? JSONS : TEXTS);
    case ScalarType.BOOL:
      return pick(random, [true, false]);
    case ScalarType.BYTES:
      return pick(random, [new Uint8Array(0), Uint8Array.of(0, 255)]);
    case ScalarType.DOUBLE:
      return pick(random, DOUBLES);
    case ScalarType.INT64:
      return pick(random, LONGS);
    default:
      return pick(random, INTS);
  }
}

/** A message of any type without a choice of fields, with values at the limits of their types. */
export function randomMessage(random: Random, schema: DescMessage, depth = 0): Message {
  const init: Record<string, unknown> = {};
  for (const field of schema.fields) {
    const isAbsent = random.next() < 1 / 3;
    if (isAbsent || field.oneof || (depth >= DEPTH_MAX && field.message)) continue;
    const value = () => valueOf(random, field, depth);
    const isList = field.fieldKind === "list";
    init[field.localName] = isList
      ? Array.from({ length: pick(random, [1, 2, 3]) }, value)
      : value();
  }
  return create(schema, init as never);
}

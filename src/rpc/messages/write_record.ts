import {
  type DescField,
  type DescMessage,
  isMessage,
  type MessageShape,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { toMessage, type WireRecord } from "./wire_record.ts";

/** Writes a value, without its tag. */
type ValueWriter = (writer: BinaryWriter, value: unknown, isJson: boolean) => void;
type Fields = Readonly<Record<string, unknown>>;
type FieldWriter = (writer: BinaryWriter, record: Fields, isJson: boolean) => void;

/** How the scalars of the contract are written, by the methods of the writer. */
const SCALARS = {
  [ScalarType.STRING]: { method: "string", wireType: WireType.LengthDelimited },
  [ScalarType.BYTES]: { method: "bytes", wireType: WireType.LengthDelimited },
  [ScalarType.BOOL]: { method: "bool", wireType: WireType.Varint },
  [ScalarType.INT32]: { method: "int32", wireType: WireType.Varint },
  [ScalarType.SINT32]: { method: "sint32", wireType: WireType.Varint },
  [ScalarType.INT64]: { method: "int64", wireType: WireType.Varint },
  [ScalarType.DOUBLE]: { method: "double", wireType: WireType.Bit64 },
} as const;

/** By type; null for one that is made as a message first. */
const writers = new Map<DescMessage, readonly FieldWriter[] | null>();

/**
 * The bytes of a record, in the order of the numbers of its fields, as those of its message.
 *
 * Without the message as an object: making one costs as much as writing it.
 *
 * @param isJson of two fields with the same values as texts and as JSON text, the latter is sent
 */
export function writeRecord<T extends DescMessage>(
  schema: T,
  record: WireRecord<T>,
  isJson: boolean,
): Uint8Array {
  const fields = writersOf(schema);
  if (fields === null) return toBinary(schema, toMessage(schema, record, isJson));
  const writer = new BinaryWriter();
  for (const write of fields) write(writer, record as Fields, isJson);
  return writer.finish();
}

function writersOf(schema: DescMessage): readonly FieldWriter[] | null {
  const known = writers.get(schema);
  if (known !== undefined) return known;
  const isPlain = schema.oneofs.length === 0 &&
    schema.fields.every(({ fieldKind, scalar }) =>
      fieldKind !== "map" && (scalar === undefined || scalar in SCALARS)
    );
  const fields: FieldWriter[] | null = isPlain ? [] : null;
  // Before its fields: a message may contain others of its type.
  writers.set(schema, fields);
  const sorted = schema.fields.toSorted((one, other) => one.number - other.number);
  for (const field of sorted) fields?.push(fieldWriter(field));
  return fields;
}

function fieldWriter(field: DescField): FieldWriter {
  const { localName, name, parent } = field;
  const write = field.fieldKind === "list" ? listWriter(field) : oneWriter(field);
  const isText = parent.fields.some((other) => other.name === `${name}_json`);
  const isJsonText = parent.fields.some((other) => name === `${other.name}_json`);
  return (writer, record, isJson) => {
    const value = record[localName];
    if (value === undefined || value === null) return;
    if (isJson ? isText : isJsonText) return;
    write(writer, value, isJson);
  };
}

function oneWriter(field: DescField): ValueWriter {
  const write = valueWriter(field);
  const wireType = wireTypeOf(field);
  const { number, proto, message, scalar } = field;
  const isAlways = proto.proto3Optional || message !== undefined;
  const isDouble = scalar === ScalarType.DOUBLE;
  return (writer, value, isJson) => {
    if (!isAlways && isZero(value, isDouble)) return;
    writer.tag(number, wireType);
    write(writer, value, isJson);
  };
}

/** True for a value that is not sent, as readers assume it. */
function isZero(value: unknown, isDouble: boolean): boolean {
  if (isDouble) return Object.is(value, 0);
  return value === "" || value === 0 || value === false || value === 0n ||
    value instanceof Uint8Array && value.byteLength === 0;
}

function listWriter(field: DescField & { readonly fieldKind: "list" }): ValueWriter {
  const { number, packed } = field;
  const write = valueWriter(field);
  const wireType = wireTypeOf(field);
  if (packed) {
    return (writer, items, isJson) => {
      if ((items as readonly unknown[]).length === 0) return;
      writer.tag(number, WireType.LengthDelimited).fork();
      for (const item of items as readonly unknown[]) write(writer, item, isJson);
      writer.join();
    };
  }
  return (writer, items, isJson) => {
    for (const item of items as readonly unknown[]) {
      writer.tag(number, wireType);
      write(writer, item, isJson);
    }
  };
}

function wireTypeOf({ message, enum: choices, scalar }: DescField): WireType {
  if (message) return WireType.LengthDelimited;
  return choices ? WireType.Varint : SCALARS[scalar as keyof typeof SCALARS].wireType;
}

function valueWriter({ message, enum: choices, scalar }: DescField): ValueWriter {
  if (message) return message.typeName === TimestampSchema.typeName ? writeTime : nested(message);
  const { method } = SCALARS[choices ? ScalarType.INT32 : scalar as keyof typeof SCALARS];
  return (writer, value) => void writer[method](value as never);
}

function nested(schema: DescMessage): ValueWriter {
  const fields = writersOf(schema);
  return (writer, value, isJson) => {
    if (fields === null || isMessage(value)) {
      const message = toMessage(schema, value as MessageShape<DescMessage>, isJson);
      return void writer.bytes(toBinary(schema, message));
    }
    writer.fork();
    for (const write of fields) write(writer, value as Fields, isJson);
    writer.join();
  };
}

const SECONDS = 1;
const NANOS = 2;

/** Epoch ms, or a timestamp. */
function writeTime(writer: BinaryWriter, value: unknown): void {
  if (typeof value !== "number") {
    return void writer.bytes(
      toBinary(TimestampSchema, value as MessageShape<typeof TimestampSchema>),
    );
  }
  const seconds = Math.floor(value / 1_000);
  const nanos = (value - seconds * 1_000) * 1_000_000;
  writer.fork();
  if (seconds !== 0) writer.tag(SECONDS, WireType.Varint).int64(seconds);
  if (nanos !== 0) writer.tag(NANOS, WireType.Varint).int32(nanos);
  writer.join();
}

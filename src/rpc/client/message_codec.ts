import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { MESSAGES } from "../gen/message_tables.ts";

// The same messages as with the protobuf library, by tables that are read as they are needed: to
// inspect the descriptors of all messages takes longer than everything else that a client does.

interface Field {
  readonly name: string;
  readonly number: number;
  /** A key of {@link SCALARS}, or the name of a message. */
  readonly type: string;
  readonly isOptional: boolean;
  readonly isList: boolean;
}

interface Table {
  readonly fields: readonly Field[];
  readonly byNumber: ReadonlyMap<number, Field>;
}

interface Scalar {
  readonly wireType: WireType;
  readonly zero: unknown;
  read(reader: BinaryReader): unknown;
  write(writer: BinaryWriter, value: unknown): void;
}

const SCALARS: Readonly<Record<string, Scalar>> = {
  s: {
    wireType: WireType.LengthDelimited,
    zero: "",
    read: (reader) => reader.string(true),
    write: (writer, value) => void writer.string(value as string),
  },
  y: {
    wireType: WireType.LengthDelimited,
    zero: new Uint8Array(0),
    read: (reader) => reader.bytes(),
    write: (writer, value) => void writer.bytes(value as Uint8Array),
  },
  b: {
    wireType: WireType.Varint,
    zero: false,
    read: (reader) => reader.bool(),
    write: (writer, value) => void writer.bool(value as boolean),
  },
  i: {
    wireType: WireType.Varint,
    zero: 0,
    read: (reader) => reader.int32(),
    write: (writer, value) => void writer.int32(value as number),
  },
  z: {
    wireType: WireType.Varint,
    zero: 0,
    read: (reader) => reader.sint32(),
    write: (writer, value) => void writer.sint32(value as number),
  },
  l: {
    wireType: WireType.Varint,
    zero: 0n,
    read: (reader) => reader.int64(),
    write: (writer, value) => void writer.int64(value as bigint),
  },
  d: {
    wireType: WireType.Bit64,
    zero: 0,
    read: (reader) => reader.double(),
    write: (writer, value) => void writer.double(value as number),
  },
};

const tables = new Map<string, Table>();

function tableOf(name: string): Table {
  let table = tables.get(name);
  if (table === undefined) tables.set(name, table = readTable(MESSAGES[name]!));
  return table;
}

function readTable(text: string): Table {
  const fields = (text === "" ? [] : text.split(",")).map((part): Field => {
    const [name, number, type] = part.split(" ") as [string, string, string];
    const isOptional = type.endsWith("?");
    const isList = type.endsWith("*");
    return {
      name,
      number: Number(number),
      type: isOptional || isList ? type.slice(0, -1) : type,
      isOptional,
      isList,
    };
  });
  return { fields, byNumber: new Map(fields.map((field) => [field.number, field])) };
}

/** The bytes of a message of job.proto, given its fields. */
export function encodeMessage(name: string, init: object): Uint8Array {
  return write(name, init, new BinaryWriter()).finish();
}

function write(name: string, init: object, writer: BinaryWriter): BinaryWriter {
  for (const field of tableOf(name).fields) {
    const value: unknown = Reflect.get(init, field.name);
    if (value === undefined) continue;
    if (field.isList) writeList(field, value as readonly unknown[], writer);
    else if (field.isOptional || value !== SCALARS[field.type]?.zero) {
      writeValue(field, value, writer);
    }
  }
  return writer;
}

function writeList(field: Field, values: readonly unknown[], writer: BinaryWriter): void {
  const scalar = SCALARS[field.type];
  if (scalar === undefined || scalar.wireType === WireType.LengthDelimited) {
    for (const value of values) writeValue(field, value, writer);
  } else if (values.length > 0) {
    writer.tag(field.number, WireType.LengthDelimited).fork();
    for (const value of values) scalar.write(writer, value);
    writer.join();
  }
}

function writeValue({ number, type }: Field, value: unknown, writer: BinaryWriter): void {
  const scalar = SCALARS[type];
  if (scalar !== undefined) return scalar.write(writer.tag(number, scalar.wireType), value);
  writer.tag(number, WireType.LengthDelimited).fork();
  write(type, value as object, writer).join();
}

/**
 * The message of job.proto that the bytes are.
 *
 * @throws Error for bytes that are not a message
 */
export function decodeMessage(name: string, bytes: Uint8Array): object {
  return read(name, new BinaryReader(bytes), bytes.byteLength);
}

function read(name: string, reader: BinaryReader, end: number): object {
  const { fields, byNumber } = tableOf(name);
  const message: Record<string, unknown> = { $typeName: name };
  for (const { name, type, isOptional, isList } of fields) {
    if (isList) message[name] = [];
    else if (!isOptional && type in SCALARS) message[name] = SCALARS[type]!.zero;
  }
  while (reader.pos < end) {
    const [number, wireType] = reader.tag();
    const field = byNumber.get(number);
    if (field === undefined) reader.skip(wireType, number);
    else if (!field.isList) message[field.name] = readValue(field, reader);
    else readItems(field, wireType, reader, message[field.name] as unknown[]);
  }
  return message;
}

/** Read one item of a list, or several in one piece. */
function readItems(field: Field, wireType: WireType, reader: BinaryReader, into: unknown[]): void {
  const isPacked = wireType === WireType.LengthDelimited &&
    SCALARS[field.type] !== undefined &&
    SCALARS[field.type]!.wireType !== WireType.LengthDelimited;
  if (!isPacked) return void into.push(readValue(field, reader));
  const end = reader.uint32() + reader.pos;
  while (reader.pos < end) into.push(readValue(field, reader));
}

function readValue({ type }: Field, reader: BinaryReader): unknown {
  const scalar = SCALARS[type];
  if (scalar !== undefined) return scalar.read(reader);
  const length = reader.uint32();
  return read(type, reader, reader.pos + length);
}

import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { MESSAGES } from "../gen/message_tables.ts";

// The same messages as with the protobuf library, by tables that are read as they are needed: to
// inspect the descriptors of all messages takes longer than everything else that a client does.

interface Field {
  readonly name: string;
  readonly number: number;
  /** A key of {@link SCALARS}, or the name of a message. */
  readonly type: string;
  /** How it is read and written; undefined for a message. */
  readonly scalar: Scalar | undefined;
  readonly isOptional: boolean;
  readonly isList: boolean;
}

interface Table {
  readonly fields: readonly Field[];
  readonly byNumber: ReadonlyMap<number, Field>;
  /** A message without any value, except for the lists. */
  readonly blank: Readonly<Record<string, unknown>>;
  readonly lists: readonly string[];
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
  if (table === undefined) tables.set(name, table = readTable(name, MESSAGES[name]!));
  return table;
}

function readTable(typeName: string, text: string): Table {
  const fields = (text === "" ? [] : text.split(",")).map((part): Field => {
    const [name, number, type] = part.split(" ") as [string, string, string];
    const isOptional = type.endsWith("?");
    const isList = type.endsWith("*");
    const plain = isOptional || isList ? type.slice(0, -1) : type;
    const scalar = SCALARS[plain];
    return { name, number: Number(number), type: plain, scalar, isOptional, isList };
  });
  const blank: Record<string, unknown> = { $typeName: typeName };
  for (const { name, scalar, isOptional, isList } of fields) {
    if (!isList && !isOptional && scalar !== undefined) blank[name] = scalar.zero;
  }
  return {
    fields,
    byNumber: new Map(fields.map((field) => [field.number, field])),
    blank,
    lists: fields.filter(({ isList }) => isList).map(({ name }) => name),
  };
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
    else if (field.isOptional || value !== field.scalar?.zero) {
      writeValue(field, value, writer);
    }
  }
  return writer;
}

function writeList(field: Field, values: readonly unknown[], writer: BinaryWriter): void {
  const { scalar } = field;
  if (scalar === undefined || scalar.wireType === WireType.LengthDelimited) {
    for (const value of values) writeValue(field, value, writer);
  } else if (values.length > 0) {
    writer.tag(field.number, WireType.LengthDelimited).fork();
    for (const value of values) scalar.write(writer, value);
    writer.join();
  }
}

function writeValue({ number, type, scalar }: Field, value: unknown, writer: BinaryWriter): void {
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

// Most of a list is read here before the runtime has compiled it: it is kept plain.
function read(name: string, reader: BinaryReader, end: number): object {
  const { byNumber, blank, lists } = tableOf(name);
  const message: Record<string, unknown> = { ...blank };
  for (const list of lists) message[list] = [];
  while (reader.pos < end) {
    const tag = reader.uint32();
    const field = byNumber.get(tag >>> 3);
    if (field === undefined) reader.skip(tag & 7, tag >>> 3);
    else if (!field.isList) message[field.name] = readValue(field, reader);
    else readItems(field, tag & 7, reader, message[field.name] as unknown[]);
  }
  return message;
}

/** Read one item of a list, or several in one piece. */
function readItems(field: Field, wireType: WireType, reader: BinaryReader, into: unknown[]): void {
  const isPacked = wireType === WireType.LengthDelimited &&
    field.scalar !== undefined &&
    field.scalar.wireType !== WireType.LengthDelimited;
  if (!isPacked) return void into.push(readValue(field, reader));
  const end = reader.uint32() + reader.pos;
  while (reader.pos < end) into.push(readValue(field, reader));
}

function readValue({ type, scalar }: Field, reader: BinaryReader): unknown {
  if (scalar !== undefined) return scalar.read(reader);
  const length = reader.uint32();
  return read(type, reader, reader.pos + length);
}

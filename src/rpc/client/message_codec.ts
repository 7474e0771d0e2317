import { Buffer } from "node:buffer";
import { MESSAGES } from "../gen/message_tables.ts";
import { bytesOfNumber, DELIMITED, FIXED64, VARINT, WireReader } from "./wire_format.ts";

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
  readonly wireType: number;
  readonly zero: unknown;
  read(reader: WireReader): unknown;
  bytes(value: unknown): Buffer;
}

const SCALARS: Readonly<Record<string, Scalar>> = {
  s: {
    wireType: DELIMITED,
    zero: "",
    read: (reader) => reader.text(),
    bytes: (value) => Buffer.from(value as string),
  },
  y: {
    wireType: DELIMITED,
    zero: new Uint8Array(0),
    read: (reader) => reader.bytes(),
    bytes: (value) => Buffer.from(value as Uint8Array),
  },
  b: {
    wireType: VARINT,
    zero: false,
    read: (reader) => reader.uint32() !== 0,
    bytes: (value) => bytesOfNumber(Number(value)),
  },
  i: {
    wireType: VARINT,
    zero: 0,
    read: (reader) => reader.uint32() | 0,
    bytes: (value) => bytesOfNumber(value as number),
  },
  z: {
    wireType: VARINT,
    zero: 0,
    read: (reader) => {
      const value = reader.uint32();
      return (value >>> 1) ^ -(value & 1);
    },
    bytes: (value) => bytesOfNumber(((value as number << 1) ^ (value as number >> 31)) >>> 0),
  },
  l: {
    wireType: VARINT,
    zero: 0n,
    read: (reader) => reader.int64(),
    bytes: (value) => bytesOfNumber(value as bigint),
  },
  d: {
    wireType: FIXED64,
    zero: 0,
    read: (reader) => reader.double(),
    bytes: (value) => {
      const bytes = Buffer.alloc(8);
      bytes.writeDoubleLE(value as number);
      return bytes;
    },
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
export function encodeMessage(name: string, init: object): Buffer {
  const parts: Buffer[] = [];
  for (const field of tableOf(name).fields) {
    const value: unknown = Reflect.get(init, field.name);
    if (value === undefined) continue;
    if (field.isList) writeList(field, value as readonly unknown[], parts);
    else if (field.isOptional || value !== field.scalar?.zero) writeValue(field, value, parts);
  }
  return Buffer.concat(parts);
}

function writeList(field: Field, values: readonly unknown[], parts: Buffer[]): void {
  const { number, scalar } = field;
  if (scalar === undefined || scalar.wireType === DELIMITED) {
    for (const value of values) writeValue(field, value, parts);
  } else if (values.length > 0) {
    const bytes = Buffer.concat(values.map((value) => scalar.bytes(value)));
    parts.push(tagOf(number, DELIMITED), bytesOfNumber(bytes.byteLength), bytes);
  }
}

function writeValue({ number, type, scalar }: Field, value: unknown, parts: Buffer[]): void {
  const bytes = scalar === undefined ? encodeMessage(type, value as object) : scalar.bytes(value);
  const wireType = scalar?.wireType ?? DELIMITED;
  parts.push(tagOf(number, wireType));
  if (wireType === DELIMITED) parts.push(bytesOfNumber(bytes.byteLength));
  parts.push(bytes);
}

function tagOf(number: number, wireType: number): Buffer {
  return bytesOfNumber(number * 8 + wireType);
}

/**
 * The message of job.proto that the bytes are.
 *
 * @throws Error for bytes that are not a message
 */
export function decodeMessage(name: string, bytes: Uint8Array): object {
  return read(name, new WireReader(bytes), bytes.byteLength);
}

// Most of a list is read here before the runtime has compiled it: it is kept plain.
function read(name: string, reader: WireReader, end: number): object {
  const { byNumber, blank, lists } = tableOf(name);
  const message: Record<string, unknown> = { ...blank };
  for (const list of lists) message[list] = [];
  while (reader.pos < end) {
    const tag = reader.uint32();
    const field = byNumber.get(tag >>> 3);
    if (field === undefined) reader.skip(tag & 7);
    else if (!field.isList) message[field.name] = readValue(field, reader);
    else readItems(field, tag & 7, reader, message[field.name] as unknown[]);
  }
  return message;
}

/** Read one item of a list, or several in one piece. */
function readItems(field: Field, wireType: number, reader: WireReader, into: unknown[]): void {
  const isPacked = wireType === DELIMITED &&
    field.scalar !== undefined &&
    field.scalar.wireType !== DELIMITED;
  if (!isPacked) return void into.push(readValue(field, reader));
  const end = reader.uint32() + reader.pos;
  while (reader.pos < end) into.push(readValue(field, reader));
}

function readValue({ type, scalar }: Field, reader: WireReader): unknown {
  if (scalar !== undefined) return scalar.read(reader);
  const length = reader.uint32();
  return read(type, reader, reader.pos + length);
}

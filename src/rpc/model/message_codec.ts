import type { Message } from "@bufbuild/protobuf";
import { JobError } from "../../core/errors.ts";
import type { Time } from "./time.ts";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { blankMessage, type Field, type MessageTable, tableOf } from "./message_table.ts";
import { DELIMITED, FIXED64, VARINT, WireReader, WireWriter } from "./wire_format.ts";

type Fields = Record<string, unknown>;

/**
 * A message in the form of the manager's records: times are epoch ms, 64-bit numbers are plain
 * numbers, and null is absent. Other members of a record are not sent.
 */
export type RecordOf<M> = {
  readonly [Name in Exclude<keyof M, keyof Message>]?: FieldOf<M[Name]> | null;
};

type FieldOf<F> =
  | F
  | (F extends Timestamp | bigint ? number
    : F extends readonly (infer Item)[] ? readonly FieldOf<Item>[]
    : F extends Message ? RecordOf<F>
    : never);

/** The form to write, if a message has values both as texts and as JSON. */
export type ValueForm = "texts" | "json";

/** Number of plain items that a message in a list counts as: it takes that much longer to read. */
const ITEMS_OF_MESSAGE = 10;
const SECONDS_TAG = (1 << 3) | VARINT;
const NANOS_TAG = (2 << 3) | VARINT;

function wireTypeOf({ kind }: Field): number {
  switch (kind) {
    case "flag":
    case "int":
    case "sint":
    case "long":
    case "choice":
      return VARINT;
    case "double":
      return FIXED64;
    default:
      return DELIMITED;
  }
}

/** A message or record as bytes. @param form of values with a text and a JSON form; default both */
export function encodeMessage<T extends Message>(
  typeName: T["$typeName"],
  message: RecordOf<T>,
  form?: ValueForm,
): Uint8Array {
  const writer = new WireWriter();
  writeFields(writer, tableOf(typeName), message as Fields, form);
  return writer.finish();
}

function writeFields(
  writer: WireWriter,
  { sorted }: MessageTable,
  message: Fields,
  form: ValueForm | undefined,
): void {
  for (const field of sorted) {
    const value = message[field.name];
    if (value === undefined || value === null) continue;
    if (form !== undefined && field.form !== null && field.form !== form) continue;
    if (field.isList) writeList(writer, field, value as readonly unknown[], form);
    else if (field.zero === undefined || !isZero(value)) {
      writer.uint(field.number * 8 + wireTypeOf(field));
      writeValue(writer, field, value, form);
    }
  }
}

/** True for an unsent value, which readers assume. */
function isZero(value: unknown): boolean {
  return value === "" || Object.is(value, 0) || value === false || value === 0n ||
    value instanceof Uint8Array && value.byteLength === 0;
}

function writeList(
  writer: WireWriter,
  field: Field,
  items: readonly unknown[],
  form: ValueForm | undefined,
): void {
  const wireType = wireTypeOf(field);
  if (wireType !== DELIMITED && items.length > 0) {
    writer.uint(field.number * 8 + DELIMITED);
    const place = writer.open();
    for (const item of items) writeValue(writer, field, item, form);
    return writer.close(place);
  }
  for (const item of items) {
    writer.uint(field.number * 8 + wireType);
    writeValue(writer, field, item, form);
  }
}

function writeValue(
  writer: WireWriter,
  { kind, type }: Field,
  value: unknown,
  form: ValueForm | undefined,
): void {
  switch (kind) {
    case "text":
    case "json":
      return writer.text(value as string);
    case "flag":
      return writer.uint(value ? 1 : 0);
    case "int":
    case "choice":
      return writer.int32(value as number);
    case "sint":
      return writer.uint(((value as number << 1) ^ (value as number >> 31)) >>> 0);
    case "long":
      return writer.int64(value as number | bigint);
    case "double":
      return writer.double(value as number);
    case "bytes":
      return writer.bytes(value as Uint8Array);
    case "time":
      return writeTime(writer, value as number | Time);
    case "message": {
      const place = writer.open();
      writeFields(writer, tableOf(type), value as Fields, form);
      return writer.close(place);
    }
  }
}

function writeTime(writer: WireWriter, time: number | Time): void {
  const place = writer.open();
  const isMs = typeof time === "number";
  const seconds = isMs ? Math.floor(time / 1_000) : time.seconds;
  const nanos = isMs ? (time - Number(seconds) * 1_000) * 1_000_000 : time.nanos;
  if (Number(seconds) !== 0) {
    writer.uint(SECONDS_TAG);
    writer.int64(seconds);
  }
  if (nanos !== 0) {
    writer.uint(NANOS_TAG);
    writer.int32(nanos);
  }
  writer.close(place);
}

/**
 * The message in some bytes. Unknown fields are skipped.
 *
 * @param itemsMax most items of all lists together; a message in a list counts as ten
 * @throws Error for invalid bytes
 * @throws JobError `invalid_argument` for more items
 */
export function decodeMessage<T extends Message>(
  typeName: T["$typeName"],
  bytes: Uint8Array,
  itemsMax = Infinity,
): T {
  const table = tableOf(typeName);
  const message = blankMessage(table);
  readFields(new WireReader(bytes, itemsMax), table, message, bytes.byteLength);
  return message as unknown as T;
}

// It runs uncompiled for most of a list: keep it simple.
function readFields(
  reader: WireReader,
  { byNumber }: MessageTable,
  message: Fields,
  end: number,
): void {
  while (reader.pos < end) {
    const tag = reader.tag();
    const field = byNumber[tag >>> 3];
    if (field === undefined) reader.skip(tag);
    else if (field.isList) readItems(reader, field, tag & 7, message[field.name] as unknown[]);
    else message[field.name] = readValue(reader, field, message[field.name]);
  }
}

/** Read one item of a list, or several packed together. */
function readItems(reader: WireReader, field: Field, wireType: number, items: unknown[]): void {
  if (wireType !== DELIMITED || wireTypeOf(field) === DELIMITED) {
    items.push(readItem(reader, field));
    return;
  }
  const end = endOf(reader);
  while (reader.pos < end) items.push(readItem(reader, field));
}

// An empty message has two bytes, and takes a microsecond.
function readItem(reader: WireReader, field: Field): unknown {
  reader.itemsLeft -= field.kind === "message" ? ITEMS_OF_MESSAGE : 1;
  if (reader.itemsLeft >= 0) return readValue(reader, field, undefined);
  throw new JobError("invalid_argument", "Cannot read the message: its lists are too long", {
    hint: "Send it in several parts",
  });
}

/** @param known the value so far: parts of a message may come separately */
function readValue(reader: WireReader, { kind, type }: Field, known: unknown): unknown {
  switch (kind) {
    case "text":
    case "json":
      return reader.text();
    case "flag":
      return reader.int64() !== 0n;
    case "int":
    case "choice":
      return reader.uint32() | 0;
    case "sint": {
      const value = reader.uint32();
      return (value >>> 1) ^ -(value & 1);
    }
    case "long":
      return reader.int64();
    case "double":
      return reader.double();
    case "bytes":
      return reader.bytes();
    case "time":
      return readTime(reader, known as Time | undefined);
    case "message": {
      const end = endOf(reader);
      const table = tableOf(type);
      const message = known === undefined ? blankMessage(table) : known as Fields;
      readFields(reader, table, message, end);
      return message;
    }
  }
}

function readTime(reader: WireReader, known: Time | undefined): Time {
  let { seconds, nanos } = known ?? { seconds: 0n, nanos: 0 };
  const end = endOf(reader);
  while (reader.pos < end) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) seconds = reader.int64();
    else if (tag >>> 3 === 2) nanos = reader.uint32() | 0;
    else reader.skip(tag);
  }
  const time = { $typeName: "google.protobuf.Timestamp", seconds, nanos };
  return time;
}

/** The end of a value that begins with its length. */
function endOf(reader: WireReader): number {
  const length = reader.uint32();
  return reader.pos + length;
}

/** A message with defaults for absent members, also in nested messages. */
export function fillMessage(typeName: string, init: object): object {
  const table = tableOf(typeName);
  const message = blankMessage(table);
  for (const { name, kind, type, isList } of table.fields) {
    const value = (init as Fields)[name];
    if (value === undefined) continue;
    const fill = (one: unknown) => kind === "message" ? fillMessage(type, one as object) : one;
    message[name] = isList ? (value as readonly unknown[]).map(fill) : fill(value);
  }
  return message;
}

import { type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { type FieldPlan, planOf, wordOf } from "./message_plan.ts";

/** Reads the value of a field as JSON text; undefined for one that is left out. */
type ValueReader = (reader: BinaryReader) => string | undefined;

/** Writes one field of a message. */
interface FieldWriter {
  /** Its place among the fields of the message. */
  readonly index: number;
  /** Its name as JSON text, with a colon. */
  readonly key: string;
  readonly read: ValueReader;
  readonly isList: boolean;
  /** True if the values of a list may be in one piece. */
  readonly isPackable: boolean;
}

/** Writes the messages of a type. */
interface MessageWriter {
  readonly fields: readonly FieldWriter[];
  readonly byNumber: ReadonlyMap<number, FieldWriter>;
  /** What is written of a message without values; undefined for nothing. */
  readonly absent: readonly (string | undefined)[];
}

const writers = new Map<DescMessage, MessageWriter>();

/**
 * A message in its binary form as JSON text. Absent fields are left out; numbers of 64 bits keep
 * all their digits, and stored JSON is copied as it is.
 */
export function writeMessage(schema: DescMessage, bytes: Uint8Array): string {
  return joinTexts(writerOf(schema), fieldTexts(schema, bytes));
}

/** The values of a message as JSON texts, in the order of its plan; undefined for absent ones. */
export function fieldTexts(schema: DescMessage, bytes: Uint8Array): (string | undefined)[] {
  return readTexts(writerOf(schema), new BinaryReader(bytes), bytes.byteLength);
}

/** The object of fields that {@link fieldTexts} has read. */
export function joinFields(schema: DescMessage, texts: readonly (string | undefined)[]): string {
  return joinTexts(writerOf(schema), texts);
}

function joinTexts({ fields }: MessageWriter, texts: readonly (string | undefined)[]): string {
  let joined = "";
  for (const { key, index } of fields) {
    const text = texts[index];
    if (text !== undefined) joined += joined === "" ? key + text : `,${key}${text}`;
  }
  return `{${joined}}`;
}

// Without the message as an object: making one, and a pair for each of its fields, costs more than
// all the rest.
function readTexts(
  { absent, byNumber }: MessageWriter,
  reader: BinaryReader,
  end: number,
): (string | undefined)[] {
  const texts = absent.slice();
  const lists: FieldWriter[] = [];
  while (reader.pos < end) {
    const tag = reader.uint32();
    const field = byNumber.get(tag >>> 3);
    if (field === undefined) reader.skip(tag & 7, tag >>> 3);
    else if (field.isList) readItems(field, { reader, texts, lists, wireType: tag & 7 });
    else texts[field.index] = field.read(reader);
  }
  for (const { index } of lists) texts[index] += "]";
  return texts;
}

/** Read one item of a list, or several in one piece. */
function readItems(
  field: FieldWriter,
  { reader, texts, lists, wireType }: {
    readonly reader: BinaryReader;
    readonly texts: (string | undefined)[];
    readonly lists: FieldWriter[];
    readonly wireType: WireType;
  },
): void {
  const { index, read, isPackable } = field;
  const isPacked = isPackable && wireType === WireType.LengthDelimited;
  const end = isPacked ? endOf(reader) : reader.pos + 1;
  while (reader.pos < end) {
    const item = read(reader) ?? "null";
    if (lists.includes(field)) texts[index] += `,${item}`;
    else {
      texts[index] = `[${item}`;
      lists.push(field);
    }
  }
}

/** Where the value ends that begins with its length. */
function endOf(reader: BinaryReader): number {
  const length = reader.uint32();
  return reader.pos + length;
}

function writerOf(schema: DescMessage): MessageWriter {
  const known = writers.get(schema);
  if (known !== undefined) return known;
  const { fields: plans } = planOf(schema);
  const fields: FieldWriter[] = [];
  const byNumber = new Map<number, FieldWriter>();
  const writer = { fields, byNumber, absent: plans.map(absentText) };
  // Before its fields: a message may contain others of its type.
  writers.set(schema, writer);
  for (const [index, plan] of plans.entries()) {
    const field = fieldWriter(plan, index);
    fields.push(field);
    byNumber.set(plan.field.number, field);
  }
  return writer;
}

function fieldWriter(plan: FieldPlan, index: number): FieldWriter {
  const { name, kind, isList } = plan;
  return {
    index,
    key: `${JSON.stringify(name)}:`,
    read: valueReader(plan),
    isList,
    isPackable: !["text", "json", "message", "time"].includes(kind),
  };
}

/** What is written for a field that is not optional and has no value. */
const ABSENT: Partial<Record<FieldPlan["kind"], string>> = {
  ...{ text: '""', flag: "false", int: "0", long: "0", double: "0" },
};

function absentText({ kind, isList, isOptional }: FieldPlan): string | undefined {
  if (isList) return "[]";
  return isOptional ? undefined : ABSENT[kind];
}

function valueReader({ kind, message, field }: FieldPlan): ValueReader {
  switch (kind) {
    case "text":
      return (reader) => JSON.stringify(reader.string());
    case "flag":
      return (reader) => String(reader.bool());
    case "int":
      return field.scalar === ScalarType.SINT32
        ? (reader) => String(reader.sint32())
        : (reader) => String(reader.int32());
    case "long":
      return (reader) => String(reader.int64());
    case "double":
      return readDouble;
    case "choice":
      return (reader) => {
        const value = reader.int32();
        return value === 0 ? undefined : `"${wordOf(field.enum!, value)}"`;
      };
    case "time":
      return readTime;
    case "json":
      return (reader) => checkedJson(reader.string());
    case "message": {
      const writer = writerOf(message!);
      return (reader) => joinTexts(writer, readTexts(writer, reader, endOf(reader)));
    }
  }
}

function readDouble(reader: BinaryReader): string {
  const value = reader.double();
  // JSON has neither infinity nor NaN.
  return Number.isFinite(value) ? String(value) : "null";
}

const SECONDS_TAG = (1 << 3) | WireType.Varint;
const NANOS_TAG = (2 << 3) | WireType.Varint;

function readTime(reader: BinaryReader): string | undefined {
  const end = endOf(reader);
  let [seconds, nanos] = [0, 0];
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === SECONDS_TAG) seconds = Number(reader.int64());
    else if (tag === NANOS_TAG) nanos = reader.int32();
    else reader.skip(tag & 7, tag >>> 3);
  }
  return timeText(seconds * 1_000 + Math.floor(nanos / 1e6));
}

let lastMs = NaN;
let lastText: string | undefined;

/** A time in RFC 3339. A new instance has the same one several times. */
function timeText(ms: number): string | undefined {
  if (ms === lastMs) return lastText;
  const date = new Date(ms);
  lastMs = ms;
  return lastText = Number.isNaN(date.getTime()) ? undefined : `"${date.toISOString()}"`;
}

/** Copies JSON text. What is not JSON in a damaged store must not spoil the whole response. */
function checkedJson(text: string): string | undefined {
  if (text === "") return undefined;
  try {
    JSON.parse(text);
    return text;
  } catch {
    return JSON.stringify(text);
  }
}

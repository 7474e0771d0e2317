import { parseJson } from "../../core/arguments/json_text.ts";
import { CHOICES, JSON_FIELDS } from "../gen/json_tables.ts";

// By tables: to inspect the descriptors of all messages takes as long as everything else that a
// client does.

/** A message of the contract, which says itself of which type it is. */
export interface AnyMessage {
  readonly $typeName: string;
}

interface Field {
  /** Its name in the message. */
  readonly source: string;
  /** Its name in JSON. */
  readonly name: string;
  /** What it is in JSON, as in `ValueKind`; the name of a message or of an enumeration. */
  readonly type: string;
  readonly isList: boolean;
}

const tables = new Map<string, readonly Field[]>();

function fieldsOf(typeName: string): readonly Field[] {
  let fields = tables.get(typeName);
  if (fields === undefined) tables.set(typeName, fields = readFields(typeName));
  return fields;
}

function readFields(typeName: string): readonly Field[] {
  const text = JSON_FIELDS[typeName];
  if (text === undefined) throw new TypeError(`${typeName} is not a message of job.proto`);
  return (text === "" ? [] : text.split(",")).map((part) => {
    const [source, name, type] = part.split(" ") as [string, string, string];
    const isList = type.endsWith("*");
    return { source, name, type: isList ? type.slice(0, -1) : type, isList };
  });
}

/** The names of the fields of a message type in JSON, in their order. */
export function fieldNames(typeName: string): string[] {
  return fieldsOf(typeName).map(({ name }) => name);
}

/**
 * A message as the data of the JSON that `writeMessage` makes of its binary form. Integers that a
 * number cannot represent are bigints; what is absent has no key.
 */
export function messageData(message: AnyMessage): Record<string, unknown> {
  return dataOf(message.$typeName, message);
}

function dataOf(typeName: string, message: object): Record<string, unknown> {
  const data: Record<string, unknown> = {};
  for (const { source, name, type, isList } of fieldsOf(typeName)) {
    const value: unknown = Reflect.get(message, source);
    const read = isList
      ? (value as readonly unknown[]).map((item) => valueOf(type, item) ?? null)
      : value === undefined
      ? undefined
      : valueOf(type, value);
    if (read !== undefined) data[name] = read;
  }
  return data;
}

function valueOf(type: string, value: unknown): unknown {
  switch (type) {
    case "text":
    case "flag":
    case "int":
      return value;
    case "long":
      return Number.isSafeInteger(Number(value)) ? Number(value) : value;
    case "double":
      // JSON has neither infinity nor NaN.
      return Number.isFinite(value) ? value : null;
    case "time":
      return timeText(value as { readonly seconds: bigint; readonly nanos: number });
    case "json":
      return jsonValue(value as string);
    default: {
      const words = CHOICES[type];
      return words === undefined ? dataOf(type, value as object) : wordOf(words, value as number);
    }
  }
}

/** The word of a value of an enumeration; its number if it has none, undefined for zero. */
function wordOf(words: Readonly<Record<number, string>>, value: number): string | undefined {
  return value === 0 ? undefined : words[value] ?? String(value);
}

function timeText(
  { seconds, nanos }: { readonly seconds: bigint; readonly nanos: number },
): string | undefined {
  const date = new Date(Number(seconds) * 1_000 + Math.floor(nanos / 1e6));
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

/** The value of stored JSON; its text if it is none, as in a damaged store. */
function jsonValue(text: string): unknown {
  if (text === "") return undefined;
  try {
    return parseJson(text);
  } catch {
    return text;
  }
}

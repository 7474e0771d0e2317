import { parseJson } from "../../core/arguments/json_text.ts";
import { CHOICES } from "../gen/messages.ts";
import { msOfTime, type Time } from "./time.ts";
import { type Field, tableOf } from "./message_table.ts";

/**
 * A message, or a record of the manager, as JSON text. Absent fields are omitted; 64-bit numbers
 * keep all their digits, and stored JSON is copied unchanged.
 */
export function writeJson(typeName: string, message: object): string {
  let text = "";
  for (const field of tableOf(typeName).fields) {
    const { name, json, isList } = field;
    if (json === null) continue;
    const value = (message as Readonly<Record<string, unknown>>)[name] ?? field.zero;
    const part = isList ? listText(field, value as readonly unknown[]) : valueText(field, value);
    if (part !== undefined) text += `${text === "" ? "" : ","}"${json}":${part}`;
  }
  return `{${text}}`;
}

function listText(field: Field, items: readonly unknown[] | undefined): string {
  if (items === undefined || items.length === 0) return "[]";
  let text = "[";
  for (const item of items) text += `${text === "[" ? "" : ","}${valueText(field, item) ?? "null"}`;
  return `${text}]`;
}

/** Undefined if there is no value. */
function valueText(field: Field, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  switch (field.kind) {
    case "text":
      return JSON.stringify((value as string).toWellFormed());
    case "long":
      return String(Number.isSafeInteger(value) ? value : BigInt(value as number | bigint));
    case "time":
      return timeText(value as number | Time);
    case "json":
      return checkedJson(value as string);
    case "message":
      return writeJson(field.type, value as object);
    default:
      return JSON.stringify(valueData(field, value));
  }
}

let lastMs = NaN;
let lastText: string | undefined;

/** A time in RFC 3339. A new instance has the same one several times. */
function timeText(time: number | Time): string | undefined {
  const ms = typeof time === "number" ? time : msOfTime(time);
  if (ms === lastMs) return lastText;
  const text = isoText(ms);
  lastMs = ms;
  return lastText = text && `"${text}"`;
}

function isoText(ms: number): string | undefined {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

/** Copies JSON text. Invalid JSON in a damaged store must not spoil the whole response. */
function checkedJson(text: string): string | undefined {
  if (text === "") return undefined;
  try {
    JSON.parse(text);
    return text;
  } catch {
    return JSON.stringify(text);
  }
}

/** A message of the contract, which names its own type. */
export interface AnyMessage {
  readonly $typeName: string;
}

/** A message as the data of its JSON. Large integers are bigints; absent fields have no key. */
export function messageData(message: AnyMessage): Record<string, unknown> {
  return dataOf(message.$typeName, message);
}

function dataOf(typeName: string, message: object): Record<string, unknown> {
  const data: Record<string, unknown> = {};
  for (const field of tableOf(typeName).fields) {
    const { name, json, isList } = field;
    if (json === null) continue;
    const value: unknown = Reflect.get(message, name);
    // Most are absent.
    if (value === undefined) continue;
    const read = isList
      ? (value as readonly unknown[]).map((item) => valueData(field, item) ?? null)
      : valueData(field, value);
    if (read !== undefined) data[json] = read;
  }
  return data;
}

function valueData({ kind, type }: Field, value: unknown): unknown {
  switch (kind) {
    case "text":
    case "flag":
    case "int":
    case "sint":
      return value;
    case "long":
      return Number.isSafeInteger(Number(value)) ? Number(value) : value;
    case "double":
      // JSON has neither infinity nor NaN.
      return Number.isFinite(value) ? value : null;
    case "choice":
      return value === 0 ? undefined : CHOICES[type]![value as number] ?? String(value);
    case "time":
      return isoText(msOfTime(value as Time));
    case "json":
      return jsonValue(value as string);
    case "message":
      return dataOf(type, value as object);
    case "bytes":
      throw new TypeError("Bytes cannot be written as JSON");
  }
}

/** The value of stored JSON; the text itself if invalid, as in a damaged store. */
function jsonValue(text: string): unknown {
  if (text === "") return undefined;
  try {
    return parseJson(text);
  } catch {
    return text;
  }
}

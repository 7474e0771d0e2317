import type { DescMessage } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { type FieldPlan, planOf, wordOf } from "./message_plan.ts";

/** Writes one field of a message; undefined if it is absent. */
interface FieldWriter {
  /** Its name as JSON text, with a colon. */
  readonly key: string;
  readonly localName: string;
  readonly write: (value: never) => string | undefined;
}

const writers = new Map<DescMessage, readonly FieldWriter[]>();

/**
 * A message as JSON text. Absent fields are left out; numbers of 64 bits keep all their digits, and
 * stored JSON is copied as it is.
 */
export function writeMessage(schema: DescMessage, message: object): string {
  let text = "";
  for (const { key, localName, write } of writersOf(schema)) {
    const value: unknown = Reflect.get(message, localName);
    if (value === undefined) continue;
    const written = write(value as never);
    if (written === undefined) continue;
    text += text === "" ? key + written : `,${key}${written}`;
  }
  return `{${text}}`;
}

function writersOf(schema: DescMessage): readonly FieldWriter[] {
  let found = writers.get(schema);
  if (found === undefined) writers.set(schema, found = planOf(schema).fields.map(writerOf));
  return found;
}

function writerOf(plan: FieldPlan): FieldWriter {
  const write = valueWriter(plan);
  return {
    key: `${JSON.stringify(plan.name)}:`,
    localName: plan.field.localName,
    write: plan.isList
      ? (values: readonly never[]) => `[${values.map((value) => write(value)).join(",")}]`
      : write,
  };
}

function valueWriter({ kind, message, field }: FieldPlan): FieldWriter["write"] {
  switch (kind) {
    case "text":
      return (value: string) => JSON.stringify(value);
    case "flag":
    case "int":
    case "long":
      return (value: boolean | number | bigint) => String(value);
    case "double":
      // JSON has neither infinity nor NaN.
      return (value: number) => Number.isFinite(value) ? String(value) : "null";
    case "choice":
      return (value: number) => value === 0 ? undefined : `"${wordOf(field.enum!, value)}"`;
    case "time":
      return writeTime;
    case "json":
      return writeJson;
    case "message":
      return (value: object) => writeMessage(message!, value);
  }
}

function writeTime({ seconds, nanos }: Timestamp): string | undefined {
  const date = new Date(Number(seconds) * 1_000 + Math.floor(nanos / 1e6));
  return Number.isNaN(date.getTime()) ? undefined : `"${date.toISOString()}"`;
}

/** Copies JSON text. What is not JSON in a damaged store must not spoil the whole response. */
function writeJson(text: string): string | undefined {
  if (text === "") return undefined;
  try {
    JSON.parse(text);
    return text;
  } catch {
    return JSON.stringify(text);
  }
}

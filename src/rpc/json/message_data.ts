import type { DescMessage } from "@bufbuild/protobuf";
import { parseJson } from "../../core/arguments/json_text.ts";
import { type FieldPlan, planOf, wordOf } from "./message_plan.ts";

/**
 * A message as the data of the JSON that `writeMessage` makes of its binary form, which it would
 * take several times as long to make and to parse. Integers that a number cannot represent are
 * bigints; what is absent has no key.
 */
export function messageData(schema: DescMessage, message: object): Record<string, unknown> {
  const data: Record<string, unknown> = {};
  for (const plan of planOf(schema).fields) {
    const value: unknown = Reflect.get(message, plan.field.localName);
    const read = plan.isList
      ? (value as readonly unknown[]).map((item) => valueOf(plan, item) ?? null)
      : value === undefined
      ? undefined
      : valueOf(plan, value);
    if (read !== undefined) data[plan.name] = read;
  }
  return data;
}

function valueOf({ kind, message, field }: FieldPlan, value: unknown): unknown {
  switch (kind) {
    case "text":
    case "flag":
    case "int":
      return value;
    case "long":
      return Number.isSafeInteger(Number(value)) ? Number(value) : value;
    case "double":
      // JSON has neither infinity nor NaN.
      return Number.isFinite(value) ? value : null;
    case "choice":
      return value === 0 ? undefined : wordOf(field.enum!, value as number);
    case "time":
      return timeText(value as { readonly seconds: bigint; readonly nanos: number });
    case "json":
      return jsonValue(value as string);
    case "message":
      return messageData(message!, value as object);
  }
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

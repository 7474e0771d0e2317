import { visibleJson } from "./visible.ts";

/** A value as short JSON: strings keep their quotes, like in a program. */
export function valueText(value: unknown): string {
  return visibleJson(JSON.stringify(value) ?? "undefined");
}

/** Arguments as in a call, cut to some characters. */
export function argumentsText(values: readonly unknown[], charsMax = 160): string {
  const text = values.map(valueText).join(", ");
  return text.length <= charsMax ? text : `${text.slice(0, charsMax - 1)}…`;
}

/** An argument as a word of a command line: text unchanged, everything else as JSON. */
export function argumentWord(value: unknown): string {
  return typeof value === "string" ? value : valueText(value);
}

/** A value as JSON in lines. */
export function prettyText(value: unknown): string {
  return visibleJson(JSON.stringify(value, null, 2) ?? "undefined");
}

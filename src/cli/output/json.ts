import { makeJsonVisible } from "../../core/text/safe_text.ts";
import type { Plain } from "./view.ts";

/** Node 20 can neither write nor read JSON numbers of arbitrary length. */
const { rawJSON } = JSON as typeof JSON & { rawJSON?(text: string): unknown };

function withAllDigits(_key: string, value: unknown): unknown {
  if (typeof value !== "bigint") return value;
  return rawJSON ? rawJSON(String(value)) : Number(value);
}

/** JSON text of plain data; integers keep all their digits. */
export function stringify(value: Plain, indent = 0): string {
  try {
    return JSON.stringify(value, null, indent);
  } catch {
    // It has a bigint. Checking each value first takes several times longer.
    return JSON.stringify(value, withAllDigits, indent);
  }
}

/** JSON text of plain data that is safe on a terminal, ended by a newline. */
export function formatJson(value: Plain, indent: number): string {
  return `${makeJsonVisible(stringify(value, indent))}\n`;
}

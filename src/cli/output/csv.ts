import type { Plain } from "./plain.ts";

function formatField(value: Plain | undefined): string {
  if (value === undefined || value === null) return "";
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return /[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A record of RFC 4180 with its line end. Absent values and null are empty; lists are JSON text. */
export function formatCsvLine(values: readonly (Plain | undefined)[]): string {
  return `${values.map(formatField).join(",")}\r\n`;
}

import type { Instance, LogEntry } from "./instance.ts";

/** Largest encoded arguments or results of one instance, in bytes of JSON text. */
export const PAYLOAD_BYTES_MAX = 1_048_576;
/** Characters at which a page is full, even with few items: half the size of a message. */
export const PAGE_CHARS_MAX = 2_000_000;

/** Characters of an instance's arguments, results and error, which dominate its size. */
export function instanceChars({ argumentsJson, resultsJson, error }: Instance): number {
  return argumentsJson.length + (resultsJson?.length ?? 0) +
    (error === null ? 0 : error.message.length + (error.stack?.length ?? 0));
}

/** Characters of log lines. */
export function logChars(lines: readonly { readonly entry: LogEntry }[]): number {
  return lines.reduce((sum, { entry }) => sum + entry.message.length, 0);
}

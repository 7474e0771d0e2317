import type { ErrorInfo } from "../../core/instance.ts";

/** Characters that some stores cannot keep: lone surrogates have no UTF-8, NUL may end a text. */
const UNSTORABLE = /\0|\p{Surrogate}/gu;

/** The text with U+FFFD for unstorable characters, so that every store keeps the same. */
export function storable<T extends string | null>(text: T): T {
  if (text === null || isStorable(text)) return text;
  return text.replace(UNSTORABLE, "\ufffd") as T;
}

/** True if a text is stored unchanged. */
export function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes("\0");
}

/** An error whose texts can be stored. */
export function storableError(error: ErrorInfo | null): ErrorInfo | null {
  if (error === null) return null;
  const { name, message, stack, exitCode, signal } = error;
  return {
    name: storable(name),
    message: storable(message),
    ...(stack === undefined ? {} : { stack: storable(stack) }),
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(signal === undefined ? {} : { signal: storable(signal) }),
  };
}

/** A time in whole milliseconds, not before the given one. */
export function wholeTime(ms: number | null): number | null {
  return ms === null ? null : Math.ceil(ms);
}

/** A file that cannot be parsed: the problem, and its place. */
export interface BrokenModule {
  readonly message: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/**
 * The file that an import error reports as unparsable; null for another error.
 *
 * Only Bun's error text lacks a place. There the error is a separate object, or several in an
 * AggregateError.
 */
export function explainBrokenModule(thrown: unknown): BrokenModule | null {
  const first = thrown instanceof AggregateError ? thrown.errors[0] as unknown : thrown;
  if (!(first instanceof Error)) return null;
  const { position } = first as { readonly position?: unknown };
  if (typeof position !== "object" || position === null) return null;
  const { file, line, column } = position as Readonly<Record<string, unknown>>;
  if (typeof file !== "string" || typeof line !== "number" || typeof column !== "number") {
    return null;
  }
  const path = file.replace(/\?v=\w+$/, "");
  const message = `Cannot parse ${path}:${line}:${column}: ${first.message}`;
  return { message, file: path, line, column };
}

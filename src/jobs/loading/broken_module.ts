/** A file that cannot be parsed: what is wrong, and where. */
export interface BrokenModule {
  readonly message: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/**
 * What the error of an import says of a file that cannot be parsed; null when it is another error.
 *
 * Only Bun tells no place in the text of such an error; the error is an object of its own, or several in an AggregateError.
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

/** Closed set of error codes; every adapter maps each of them in one table. */
export type ErrorCode =
  | "invalid_argument"
  | "invalid_config"
  | "not_found"
  | "already_exists"
  | "conflict"
  | "stale_fence"
  | "unauthenticated"
  | "permission_denied"
  | "resource_exhausted"
  | "unavailable"
  | "timeout"
  | "canceled"
  | "unimplemented"
  | "internal";

/** Optional parts of a {@link JobError}. */
export interface JobErrorOptions {
  /** The remedy for the reader. */
  readonly hint?: string;
  /** The path of the parameter or key at fault, such as `args.x` or `jobs.backup.timeout`. */
  readonly path?: string;
  /**
   * Options of the call that the texts quote, by their names in the library; the first is at fault,
   * and is the path. Interfaces with other names use {@link renameOptions}.
   */
  readonly options?: readonly string[];
  readonly cause?: unknown;
}

const NO_OPTIONS: readonly string[] = [];

/**
 * The one error class of the project.
 *
 * The message states the action, the quoted value, a colon, then the found and the expected value,
 * without a final period. The remedy is in `hint`.
 */
export class JobError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly path: string | undefined;
  // Behind a getter, to hide it from people who print the error.
  readonly #options: readonly string[];

  static {
    // Minified, the class has another name, which runtimes print with an error.
    Object.defineProperty(this, "name", { value: "JobError" });
  }

  constructor(code: ErrorCode, message: string, options: JobErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "JobError";
    this.code = code;
    this.hint = options.hint;
    this.#options = options.options ?? NO_OPTIONS;
    this.path = options.path ?? this.#options[0];
  }

  /** See {@link JobErrorOptions}. */
  get options(): readonly string[] {
    return this.#options;
  }
}

/** True if `error` is a {@link JobError}, optionally of one code. */
export function isJobError(error: unknown, code?: ErrorCode): error is JobError {
  return error instanceof JobError && (code === undefined || error.code === code);
}

/** Returns the result of `run`. A {@link JobError} without a path gets this one. */
export function atPath<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!isJobError(error) || error.path !== undefined) throw error;
    throw new JobError(error.code, error.message, {
      path,
      hint: error.hint,
      options: error.options,
      cause: error,
    });
  }
}

/**
 * The error with the names that an interface has for its options, in the texts and the path.
 *
 * @param nameOf the name of an option; undefined keeps its name
 */
export function renameOptions(
  error: JobError,
  nameOf: (option: string) => string | undefined,
  quote: (name: string) => string = (name) => `"${name}"`,
): JobError {
  const { options, path } = error;
  const [first] = options;
  if (first === undefined) return error;
  let { message, hint } = error;
  const names = options.map((option) => nameOf(option) ?? option);
  for (const [index, option] of options.entries()) {
    const shown = quote(names[index]!);
    message = message.replace(`"${option}"`, () => shown);
    hint = hint?.replaceAll(`"${option}"`, () => shown);
  }
  return new JobError(error.code, message, {
    hint,
    // One of several requests may come before it.
    path: path?.endsWith(first) ? path.slice(0, -first.length) + names[0]! : path,
    options: names,
    cause: error,
  });
}

/** Wrap anything thrown as a {@link JobError} once, at the edge, keeping the cause. */
export function toJobError(thrown: unknown, action: string): JobError {
  if (thrown instanceof JobError) return thrown;
  return new JobError("internal", `${action}: ${messageOf(thrown)}`, { cause: thrown });
}

/** The message of an error, or anything else thrown as text; never throws. */
export function messageOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? thrown.message : String(thrown);
  } catch {
    return "a value that cannot be shown";
  }
}

/** The system's code of an error, such as "ENOENT"; undefined without a code. */
export function errorCode(thrown: unknown): string | undefined {
  const code = (thrown as { readonly code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : undefined;
}

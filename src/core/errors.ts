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
  /** The remedy: what the reader can do about it. */
  readonly hint?: string;
  /** The path of the parameter or key at fault, such as `args.x` or `jobs.backup.timeout`. */
  readonly path?: string;
  readonly cause?: unknown;
}

/**
 * The one error class of the project.
 *
 * The message states the action, the quoted value, a colon, then what was found and what is
 * expected, without a final period. The remedy is in `hint`.
 */
export class JobError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly path: string | undefined;

  constructor(code: ErrorCode, message: string, options: JobErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "JobError";
    this.code = code;
    this.hint = options.hint;
    this.path = options.path;
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
    throw new JobError(error.code, error.message, { path, hint: error.hint, cause: error });
  }
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

/** The system's code of an error, such as "ENOENT"; undefined if it has none. */
export function errorCode(thrown: unknown): string | undefined {
  const code = (thrown as { readonly code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : undefined;
}

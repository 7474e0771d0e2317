import type { status } from "@grpc/grpc-js";
import { type ErrorCode, JobError, renameOptions } from "../core/errors.ts";
import { fieldOf } from "./field_names.ts";

// Written as numbers, so that the CLI can read an error without loading the gRPC library.
/** gRPC status of each error code. */
export const GRPC_STATUS: Readonly<Record<ErrorCode, status>> = {
  canceled: 1,
  invalid_argument: 3,
  timeout: 4,
  not_found: 5,
  already_exists: 6,
  permission_denied: 7,
  resource_exhausted: 8,
  invalid_config: 9,
  conflict: 9,
  stale_fence: 10,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
};

/** Trailing metadata for data that a gRPC status lacks, percent-encoded. */
export const TRAILERS = {
  code: "jobctl-code",
  hint: "jobctl-hint",
  path: "jobctl-path",
  options: "jobctl-options",
} as const;

// Clients refuse headers of more than 8 KiB in all; percent-encoding triples non-ASCII text.
const MESSAGE_ENCODED_MAX = 4_096;
const HINT_ENCODED_MAX = 1_536;
const PATH_ENCODED_MAX = 512;
const DESCRIPTION_ENCODED_MAX = 600;

/** The field or parameter at fault, for the details of gRPC's own error model. */
export interface FieldViolation {
  /** Its path, such as `order.lines[2].price`. */
  readonly field: string;
  readonly description: string;
}

/** An error in transit: status, message and trailing metadata. */
export interface WireError {
  readonly code: number;
  readonly details: string;
  readonly trailers: Readonly<Record<string, string>>;
  readonly violation?: FieldViolation;
}

/** Cut `text` so that its percent-encoding has at most `encodedMax` characters. */
function fit(text: string, encodedMax: number): string {
  const whole = text.toWellFormed();
  if (encodeURIComponent(whole).length <= encodedMax) return whole;
  let kept = "";
  let length = encodeURIComponent("…").length;
  for (const character of whole) {
    length += encodeURIComponent(character).length;
    if (length > encodedMax) break;
    kept += character;
  }
  return `${kept}…`;
}

/**
 * An error in its wire form; {@link fromWireError} reads it back. Options are then named after the
 * request's fields.
 */
export function toWireError(given: JobError): WireError {
  const error = renameOptions(given, fieldOf);
  const trailers: Record<string, string> = { [TRAILERS.code]: error.code };
  if (error.hint !== undefined) {
    trailers[TRAILERS.hint] = encodeURIComponent(fit(error.hint, HINT_ENCODED_MAX));
  }
  if (error.path !== undefined) {
    trailers[TRAILERS.path] = encodeURIComponent(fit(error.path, PATH_ENCODED_MAX));
  }
  if (error.options.length > 0) trailers[TRAILERS.options] = error.options.join(",");
  const wire = {
    code: GRPC_STATUS[error.code],
    details: fit(error.message, MESSAGE_ENCODED_MAX),
    trailers,
  };
  if (error.code !== "invalid_argument" || !error.path) return wire;
  const field = fit(error.path, PATH_ENCODED_MAX);
  return {
    ...wire,
    violation: { field, description: fit(error.message, DESCRIPTION_ENCODED_MAX) },
  };
}

function decode(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Code of a status without our trailers: from a proxy, the gRPC library or another server. */
function codeOfStatus(code: number): ErrorCode {
  for (const name of ["conflict", ...Object.keys(GRPC_STATUS)] as ErrorCode[]) {
    if (GRPC_STATUS[name] === code) return name;
  }
  // 11 is OUT_OF_RANGE. The others are UNKNOWN and DATA_LOSS.
  return code === 11 ? "invalid_argument" : "internal";
}

/** Rebuild the error that the server sent. */
export function fromWireError(error: WireError, cause?: unknown): JobError {
  const sent = error.trailers[TRAILERS.code];
  const code = sent !== undefined && Object.hasOwn(GRPC_STATUS, sent)
    ? sent as ErrorCode
    : codeOfStatus(error.code);
  return new JobError(code, error.details, {
    hint: decode(error.trailers[TRAILERS.hint]),
    path: decode(error.trailers[TRAILERS.path]),
    options: error.trailers[TRAILERS.options]?.split(","),
    cause,
  });
}

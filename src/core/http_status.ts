import type { ErrorCode } from "./errors.ts";

/** HTTP status of each error code. */
export const HTTP_STATUS = {
  invalid_argument: 400,
  unauthenticated: 401,
  permission_denied: 403,
  not_found: 404,
  already_exists: 409,
  conflict: 409,
  stale_fence: 409,
  resource_exhausted: 429,
  canceled: 500,
  internal: 500,
  invalid_config: 500,
  unimplemented: 501,
  unavailable: 503,
  timeout: 504,
} as const satisfies Readonly<Record<ErrorCode, number>>;

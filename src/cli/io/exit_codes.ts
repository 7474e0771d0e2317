import type { ErrorCode } from "../../core/errors.ts";

/** Exit codes that are named in the source. */
export const EXIT = {
  ok: 0,
  error: 1,
  usage: 2,
  /** The command worked, but its condition was not met: with `--wait` the run failed. */
  conditionNotMet: 3,
  timedOut: 124,
  /** Ended by Ctrl-C. */
  interrupted: 130,
} as const;

/** The exit code of each error. */
export const EXIT_CODES: Readonly<Record<ErrorCode, number>> = {
  invalid_argument: EXIT.usage,
  invalid_config: EXIT.usage,
  not_found: 4,
  unauthenticated: 5,
  permission_denied: 5,
  already_exists: 6,
  conflict: 6,
  stale_fence: 6,
  resource_exhausted: 6,
  unavailable: 7,
  timeout: EXIT.timedOut,
  canceled: 130,
  unimplemented: EXIT.error,
  internal: EXIT.error,
};

import type { ErrorCode } from "../core/errors.ts";

/** Exit codes that are not errors of a class of their own. */
export const EXIT = {
  ok: 0,
  error: 1,
  usage: 2,
  /** The command worked, what was asked for did not: a run failed under `--wait`. */
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

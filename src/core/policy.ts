import { JobError } from "./errors.ts";
import type { RetryPolicy } from "./job.ts";

/** Doublings after which every cap is reached; keeps the arithmetic finite. */
const DOUBLINGS_MAX = 50;

/**
 * Wait before the next attempt, in whole milliseconds: by the policy's back-off, capped, then jittered to both sides.
 *
 * @param attempt the attempt that just failed, 1 for the first
 * @param random a number in [0, 1)
 * @throws JobError `invalid_argument` when `attempt` is not a positive integer
 */
export function retryDelayMs(policy: RetryPolicy, attempt: number, random: number): number {
  if (!Number.isSafeInteger(attempt) || attempt < 1) {
    throw new JobError(
      "invalid_argument",
      `Cannot wait after attempt "${attempt}": wanted a positive integer`,
    );
  }
  const factor = {
    fixed: 1,
    linear: attempt,
    exponential: 2 ** Math.min(attempt - 1, DOUBLINGS_MAX),
  }[policy.backoff];
  const capped = Math.min(policy.initialMs * factor, policy.capMs);
  return Math.round(capped * (1 + policy.jitter * (2 * random - 1)));
}

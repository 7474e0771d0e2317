import type { RetryPolicy } from "./gen/job_options.ts";
import { JobError } from "../errors.ts";
import type { ErrorInfo } from "../instance.ts";

/** Doublings after which every cap is reached; keeps the arithmetic finite. */
const DOUBLINGS_MAX = 50;

/**
 * Wait before the next attempt, in whole milliseconds: by the policy's back-off, jittered in both
 * directions, never longer than its cap.
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
  // Kept below the cap by the largest jitter, so that the longest waits are spread too.
  const capped = Math.min(policy.initialMs * factor, policy.capMs / (1 + policy.jitter));
  return Math.round(capped * (1 + policy.jitter * (2 * random - 1)));
}

/** True if the policy retries after this failure. The number of retries is checked elsewhere. */
export function isRetried(
  policy: RetryPolicy,
  reason: "error" | "timeout",
  error: ErrorInfo,
): boolean {
  if (!policy.on.includes(reason)) return false;
  return !policy.notOn.some((what) =>
    typeof what === "number"
      ? what === error.exitCode
      : what === error.name || what === error.signal
  );
}

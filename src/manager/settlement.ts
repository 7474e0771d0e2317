import type { ErrorInfo, Instance, LogEntry, Reason } from "../core/instance.ts";
import type { RetryPolicy } from "../core/job.ts";
import { retryDelayMs } from "../core/policy.ts";
import type { Settlement } from "../store/store.ts";
import type { AttemptOutcome } from "../worker/executor.ts";

const TAKEOVER_DELAY_MAX_MS = 60_000;

/**
 * What the store is to record of an attempt's outcome: completed, failed for good, tried again, given back.
 *
 * @param random a number in [0, 1) for the back-off's jitter
 */
export function settlementOf(
  instance: Instance,
  outcome: AttemptOutcome,
  context: {
    readonly retry: RetryPolicy;
    readonly nowMs: number;
    readonly random: number;
    readonly logs: readonly LogEntry[];
  },
): Settlement {
  const claim = { id: instance.id, fence: instance.fence, logs: context.logs };
  switch (outcome.type) {
    case "ok":
      return {
        ...claim,
        outcome: {
          type: "final",
          state: "completed",
          reason: "ok",
          resultsJson: outcome.resultsJson,
          error: null,
          isFailure: false,
        },
      };
    case "lost": {
      const dueAt = context.nowMs + takeoverDelayMs(instance.crashes);
      return { ...claim, outcome: { type: "crash", dueAt, error: outcome.error } };
    }
    case "error":
      return {
        ...claim,
        outcome: failure(instance, outcome.reason ?? "error", outcome.error, context),
      };
    case "aborted":
      return { ...claim, outcome: aborted(instance, outcome, context) };
  }
}

/**
 * Wait before a lost attempt is taken over, in milliseconds: none after the first loss, then doubling, so that a worker that
 * cannot start is not tried in a hot loop.
 *
 * @param crashes losses before this one
 */
function takeoverDelayMs(crashes: number): number {
  return crashes === 0 ? 0 : Math.min(1_000 * 2 ** (crashes - 1), TAKEOVER_DELAY_MAX_MS);
}

type FailureContext = Parameters<typeof settlementOf>[2];

function aborted(
  instance: Instance,
  outcome: Extract<AttemptOutcome, { type: "aborted" }>,
  context: FailureContext,
): Settlement["outcome"] {
  const { error } = outcome;
  switch (outcome.cause) {
    case "timeout":
      return failure(instance, "timeout", error, context);
    case "drain":
      return { type: "release", dueAt: context.nowMs };
    // The store refuses it when the lease is truly gone; when it is not, this is a takeover by ourselves.
    case "lease":
      return { type: "crash", dueAt: context.nowMs, error };
    case "canceled":
      return {
        type: "final",
        state: "canceled",
        reason: "canceled",
        resultsJson: null,
        error,
        isFailure: false,
      };
  }
}

function failure(
  instance: Instance,
  reason: Reason,
  error: ErrorInfo,
  context: FailureContext,
): Settlement["outcome"] {
  const failures = instance.failures + 1;
  if (instance.retryMax < 0 || failures <= instance.retryMax) {
    const delayMs = Math.round(retryDelayMs(context.retry, failures, context.random));
    return { type: "retry", dueAt: context.nowMs + delayMs, reason, error };
  }
  const state = reason === "timeout" ? "timedOut" : "terminated";
  return { type: "final", state, reason, resultsJson: null, error, isFailure: true };
}

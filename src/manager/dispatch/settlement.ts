import type { RetryPolicy } from "../../core/job/gen/job_options.ts";
import { type Backoff, backoffMs } from "../../core/backoff.ts";
import type { AttemptUsage, ErrorInfo, Instance, LogEntry, Progress } from "../../core/instance.ts";
import { PAYLOAD_BYTES_MAX } from "../../core/payload_chars.ts";
import { isRetried, retryDelayMs } from "../../core/job/policy.ts";
import { JOB_DEFAULTS } from "../../core/job/option_table.ts";
import type { Settlement } from "../../store/store.ts";
import type { AbortCause, AttemptOutcome, RetryWish } from "../../worker/executor.ts";
import { versionOf } from "./code_version.ts";
import type { RunningAttempt } from "./running_attempt.ts";

/**
 * Waits before a lost attempt is taken over. The first loss has no wait; later waits keep a worker
 * that cannot start from being tried in a hot loop.
 */
const TAKEOVER: Backoff = { firstMs: 1_000, longestMs: 60_000 };

/** The settlement of a running attempt with this outcome, with its details. */
export function settlementFor(
  { instance, job, usage }: Pick<RunningAttempt, "instance" | "job" | "usage">,
  outcome: AttemptOutcome,
  { progress, news, ...context }:
    & Omit<Parameters<typeof settlementOf>[2], "retry" | "onDrain">
    & Pick<Details, "progress" | "news">,
): Settlement {
  const settlement = settlementOf(instance, outcome, {
    ...context,
    // A claim whose job is gone is released, never retried.
    retry: job?.options.retry ?? JOB_DEFAULTS.retry,
    onDrain: job?.options.onDrain ?? job?.options.onCrash,
  });
  return withDetails(settlement, { version: versionOf(job), progress, usage, news });
}

/** The settlement of an attempt's outcome: completed, failed for good, retried or released. */
function settlementOf(
  instance: Instance,
  outcome: AttemptOutcome,
  context: {
    readonly retry: RetryPolicy;
    /** The policy if a stop of the daemon ended the attempt; "retry" if absent. */
    readonly onDrain?: "retry" | "terminate" | undefined;
    readonly nowMs: number;
    readonly random: number;
    readonly logs: readonly LogEntry[];
    /** Time before an attempt that could not start may be claimed again. */
    readonly releaseMs: number;
  },
): Settlement {
  const claim = { id: instance.id, fence: instance.fence, logs: context.logs };
  switch (outcome.type) {
    case "ok":
      // Executors check it; this is the second check.
      if (outcome.resultsJson.length > PAYLOAD_BYTES_MAX) {
        const message = `The result has ${outcome.resultsJson.length} characters, ` +
          `at most ${PAYLOAD_BYTES_MAX} are kept`;
        const error = { name: "JobError", message };
        return { ...claim, outcome: failure(instance, { reason: "error", error }, context) };
      }
      return {
        ...claim,
        ...(outcome.steps === undefined ? {} : { steps: outcome.steps }),
        outcome: {
          type: "final",
          state: "completed",
          reason: "ok",
          resultsJson: outcome.resultsJson,
          error: null,
          isFailure: false,
        },
      };
    case "snooze":
      return { ...claim, outcome: { type: "snooze", dueAt: context.nowMs + outcome.delayMs } };
    case "park":
      return {
        ...claim,
        ...(outcome.steps.length === 0 ? {} : { steps: outcome.steps }),
        outcome: { type: "park", waits: outcome.waits },
      };
    case "unstarted":
      return {
        ...claim,
        outcome: { type: "release", dueAt: context.nowMs + context.releaseMs, isUnstarted: true },
      };
    case "lost": {
      const { crashes } = instance;
      const delayMs = crashes === 0 ? 0 : backoffMs(TAKEOVER, crashes - 1);
      const dueAt = context.nowMs + delayMs;
      return { ...claim, outcome: { type: "crash", dueAt, error: outcome.error } };
    }
    case "error":
      return {
        ...claim,
        outcome: failure(instance, { ...outcome, reason: outcome.reason ?? "error" }, context),
      };
    case "aborted":
      return { ...claim, outcome: aborted(instance, outcome, context) };
  }
}

/** Ends an instance that must not run again although no attempt failed. */
const GIVEN_UP = {
  type: "final",
  state: "terminated",
  resultsJson: null,
  isFailure: false,
} as const;

type FailureReason = "error" | "limit" | "timeout" | "deadline";
type FailureContext = Parameters<typeof settlementOf>[2];

interface Failure {
  readonly reason: FailureReason;
  readonly error: ErrorInfo;
  readonly wish?: RetryWish | undefined;
}

function aborted(
  instance: Instance,
  outcome: Extract<AttemptOutcome, { type: "aborted" }>,
  context: FailureContext,
): Settlement["outcome"] {
  const { error } = outcome;
  switch (outcome.cause) {
    case "timeout":
    case "deadline":
      return failure(instance, { ...outcome, reason: outcome.cause }, context);
    case "drain":
      if (outcome.isUnstarted) {
        // It was due when claimed: if it is not due any more, the clock was set back.
        const dueAt = Math.min(instance.dueAt, context.nowMs);
        return { type: "release", dueAt, isUnstarted: true };
      }
      return context.onDrain === "terminate"
        ? { ...GIVEN_UP, reason: "drained", error }
        : { type: "release", dueAt: context.nowMs };
    // If the lease has expired, the store refuses it; otherwise this node may take it over itself.
    case "lease":
      return { type: "crash", dueAt: context.nowMs, error };
    case "canceled":
      return { ...GIVEN_UP, state: "canceled", reason: "canceled", error };
  }
}

function failure(
  instance: Instance,
  failed: Failure,
  context: FailureContext,
): Settlement["outcome"] {
  const { reason, error, wish } = failed;
  const delayMs = retryIn(instance, failed, context);
  if (delayMs !== null) {
    return { type: "retry", dueAt: context.nowMs + Math.round(delayMs), reason, error };
  }
  return {
    type: "final",
    state: reason === "error" || reason === "limit" ? "terminated" : "timedOut",
    reason: wish === "discarded" ? "discarded" : reason,
    resultsJson: null,
    error,
    isFailure: true,
  };
}

/** Wait before the next attempt, in milliseconds; null for no further attempt. */
function retryIn(
  instance: Instance,
  { reason, error, wish }: Failure,
  { retry, random }: FailureContext,
): number | null {
  const failures = instance.failures + 1;
  if (reason === "deadline" || wish === "never" || wish === "discarded") return null;
  if (instance.retryMax >= 0 && failures > instance.retryMax) return null;
  if (typeof wish === "number") return wish;
  return isRetried(retry, reason === "limit" ? "error" : reason, error)
    ? retryDelayMs(retry, failures, random)
    : null;
}

/** A failure that the job's handlers may not know yet. */
export type UnaskedOutcome = Extract<AttemptOutcome, { readonly isUnasked?: boolean }>;

/** True if the job's handlers were not called about the outcome. */
export function isUnasked(outcome: AttemptOutcome): outcome is UnaskedOutcome {
  return "isUnasked" in outcome && outcome.isUnasked === true;
}

/** The outcome after its handlers were called in another worker; null if that was impossible. */
export function withAnswer(outcome: UnaskedOutcome, answer: AttemptOutcome | null): AttemptOutcome {
  if (answer === null || !("error" in answer || answer.type === "ok")) return outcome;
  if (answer.type === "unstarted") return outcome;
  return answer.type === "ok" ? answer : { ...outcome, error: answer.error, wish: answer.wish };
}

/** True if no part of an attempt ran, or its node is shutting down: another attempt follows. */
export function isReleased(outcome: AttemptOutcome): boolean {
  return outcome.type === "unstarted" || (outcome.type === "aborted" && outcome.cause === "drain");
}

// Without a stack: hundreds are released at once, and a stack takes a millisecond.
const NOT_STARTED: ErrorInfo = { name: "Error", message: "not started" };

/** The outcome of a claim that is released before it ran. */
export function notStarted(cause: AbortCause = "drain"): AttemptOutcome {
  return { type: "aborted", cause, error: NOT_STARTED, isUnstarted: true };
}

/** Details that most attempts lack. */
interface Details {
  readonly version: string | null;
  readonly progress: Progress | undefined;
  readonly usage: AttemptUsage | null;
  readonly news: Settlement["news"];
}

/** Add the version, the progress, the usage and the news of the attempt, if any. */
function withDetails(
  settlement: Settlement,
  { version, progress, usage, news }: Details,
): Settlement {
  const used = usage !== null && (usage.maxRssBytes !== null || usage.cpuMs !== null)
    ? { maxRssBytes: usage.maxRssBytes, cpuMs: usage.cpuMs }
    : undefined;
  if (version === null && progress === undefined && used === undefined && news === undefined) {
    return settlement;
  }
  return {
    ...settlement,
    ...(version === null ? {} : { version }),
    ...(progress === undefined ? {} : { progress }),
    ...(used === undefined ? {} : { usage: used }),
    ...(news === undefined ? {} : { news }),
  };
}

import { type ErrorCode, JobError } from "../core/errors.ts";
import type { ErrorInfo } from "../core/instance.ts";
import { withoutUndefined } from "../core/text/object_keys.ts";
import type { SecretMask } from "../core/text/secret_mask.ts";
import { formatDuration } from "../core/time/duration.ts";
import type { AbortCause, Attempt, AttemptOutcome } from "./executor.ts";
import type { TaskInstance } from "./protocol.ts";

const CAUSES: Readonly<Record<AbortCause, readonly [ErrorCode, text: string]>> = {
  timeout: ["timeout", "it ran longer than its timeout"],
  deadline: ["timeout", "the deadline of its instance passed"],
  canceled: ["canceled", "it was canceled"],
  drain: ["unavailable", "its node is shutting down"],
  lease: ["stale_fence", "its node could not keep its lease"],
};

/** True if the attempt took too long, rather than being released or canceled. */
export function isTimeLimit(cause: AbortCause | null): boolean {
  return cause === "timeout" || cause === "deadline";
}

/** Why an attempt was aborted: the reason of its abort signal, named as web APIs name theirs. */
export function abortError(cause: AbortCause, instance: Pick<TaskInstance, "timeoutMs">): JobError {
  const [code, text] = CAUSES[cause];
  const limit = cause === "timeout" ? ` of ${formatDuration(instance.timeoutMs)}` : "";
  const error = new JobError(code, `Attempt stopped: ${text}${limit}`);
  error.name = isTimeLimit(cause) ? "TimeoutError" : "AbortError";
  return error;
}

/** The same as data, with the exit code or signal of the job code, if any. */
export function abortInfo(
  cause: AbortCause,
  instance: Pick<TaskInstance, "timeoutMs">,
  { exitCode, signal }: Pick<ErrorInfo, "exitCode" | "signal"> = {},
): ErrorInfo {
  const { name, message } = abortError(cause, instance);
  return withoutUndefined({ name, message, exitCode, signal });
}

/** An error as an object again. */
export function errorOfInfo({ name, message, stack }: ErrorInfo, cause?: unknown): Error {
  const error = new Error(message, cause === undefined ? undefined : { cause });
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
}

/** An attempt that ended before it began, because the executor cannot take it. */
export function refuse(type: "lost" | "error", message: string): Attempt {
  return {
    outcome: Promise.resolve({ type, error: { name: "JobError", message } }),
    extend() {},
    abort() {},
  };
}

/** An outcome with the secrets in its results and error masked. */
export function maskOutcome(outcome: AttemptOutcome, mask: SecretMask): AttemptOutcome {
  if (mask.isEmpty) return outcome;
  if ("error" in outcome) return { ...outcome, error: mask.error(outcome.error) };
  if (outcome.type !== "ok") return outcome;
  return { ...outcome, resultsJson: mask.json(outcome.resultsJson) };
}

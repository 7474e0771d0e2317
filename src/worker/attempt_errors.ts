import { type ErrorCode, JobError } from "../core/errors.ts";
import type { ErrorInfo } from "../core/instance.ts";
import type { AbortCause } from "./executor.ts";
import type { TaskInstance } from "./protocol.ts";

const CODES: Readonly<Record<AbortCause, ErrorCode>> = {
  timeout: "timeout",
  deadline: "timeout",
  canceled: "canceled",
  drain: "unavailable",
  lease: "stale_fence",
};

function causeText(cause: AbortCause, timeoutMs: number): string {
  switch (cause) {
    case "timeout":
      return `it ran longer than its timeout of ${timeoutMs} ms`;
    case "deadline":
      return "the deadline of its instance passed";
    case "canceled":
      return "it was canceled";
    case "drain":
      return "its node is shutting down";
    case "lease":
      return "its node could not keep its lease";
  }
}

/** Whether the attempt failed by taking too long, rather than being given back or canceled. */
export function isTimeLimit(cause: AbortCause | null): boolean {
  return cause === "timeout" || cause === "deadline";
}

/** Why an attempt was told to stop: the reason of its abort signal. Its name is the one that web APIs use. */
export function abortError(cause: AbortCause, instance: Pick<TaskInstance, "timeoutMs">): JobError {
  const error = new JobError(
    CODES[cause],
    `Attempt stopped: ${causeText(cause, instance.timeoutMs)}`,
  );
  error.name = isTimeLimit(cause) ? "TimeoutError" : "AbortError";
  return error;
}

/** The same as data, with what ended the job code where that is known. */
export function abortInfo(
  cause: AbortCause,
  instance: Pick<TaskInstance, "timeoutMs">,
  ended: { readonly exitCode?: number; readonly signal?: string } = {},
): ErrorInfo {
  const { name, message } = abortError(cause, instance);
  return {
    name,
    message,
    ...(ended.exitCode === undefined ? {} : { exitCode: ended.exitCode }),
    ...(ended.signal === undefined ? {} : { signal: ended.signal }),
  };
}

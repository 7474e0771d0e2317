import { bindArguments, convertArguments } from "../core/arguments/convert.ts";
import { DURATION_MS_MAX, parseDuration } from "../core/time/duration.ts";
import { encodeError, encodeResults } from "../core/arguments/encode.ts";
import { messageOf } from "../core/errors.ts";
import type { ErrorInfo } from "../core/instance.ts";
import type { ArgumentInput, JobFunction, JobHandlers } from "../core/job/job.ts";
import type { Signature } from "../core/arguments/signature.ts";
import { abortError, isTimeLimit } from "./attempt_errors.ts";
import type { AttemptScope } from "./attempt_scope.ts";
import type { HandlerCall, RetryWish } from "./executor.ts";
import type { AttemptResult } from "./protocol.ts";

/** A job's code, loaded. */
export interface JobCode {
  readonly run: JobFunction;
  readonly handlers: JobHandlers;
  readonly signature: Signature;
}

/** Told what the attempt came to before a handler runs: it stands when the handler does not end. */
export type Decided = (result: AttemptResult) => void | Promise<void>;

/**
 * Execute one attempt in this process: convert and bind the arguments, run, encode the results, call the handlers. Never
 * rejects, whatever the code throws or returns.
 */
export async function runAttempt(
  code: JobCode,
  scope: AttemptScope,
  decided: Decided,
): Promise<AttemptResult> {
  let resultsJson: string;
  try {
    const input = JSON.parse(scope.instance.argumentsJson) as ArgumentInput;
    const converted = convertArguments(code.signature, input);
    const value = await code.run(...bindArguments(code.signature, converted, scope));
    if (scope.abortCause !== null) throw abortError(scope.abortCause, scope.instance);
    if (scope.verdict !== null) throw scope.verdict.error;
    resultsJson = encodeResults(value, code.signature.resultCount);
  } catch (thrown) {
    return await failAttempt(code.handlers, scope, { thrown, decided });
  }
  const result: AttemptResult = { type: "ok", resultsJson };
  const { onComplete } = code.handlers;
  if (!onComplete) return result;
  await decided(result);
  try {
    await onComplete(scope.Instance, JSON.parse(resultsJson) as unknown[]);
  } catch (error) {
    scope.note("error", `onComplete failed: ${encodeError(error, scope.mask).message}`);
  }
  return result;
}

/**
 * The outcome of an attempt whose function ended with `thrown`. Of a failure, after `onTerminate` had its say: null resolves
 * the error, anything else but undefined replaces it; then `retryDelay` may say when to try again. An attempt that was stopped
 * for another reason than its time limits has not failed, so no handler is asked.
 */
export async function failAttempt(
  handlers: JobHandlers,
  scope: AttemptScope,
  { thrown, decided }: { readonly thrown: unknown; readonly decided: Decided },
): Promise<AttemptResult> {
  const cause = scope.abortCause;
  const verdict = cause === null ? scope.verdict : null;
  if (verdict?.type === "snooze") return { type: "snooze", delayMs: verdict.delayMs };
  if (cause !== null && !isTimeLimit(cause)) {
    return { type: "error", error: encodeError(thrown, scope.mask) };
  }
  const failure = verdict?.error ?? (cause === null ? thrown : stopError(scope, thrown));
  return await askHandlers(handlers, scope, {
    failure,
    wish: verdict === null ? undefined : "discarded",
    decided,
  });
}

/** Ask `onTerminate` and `retryDelay` of an attempt whose own worker is gone. */
async function failLater(
  handlers: JobHandlers,
  scope: AttemptScope,
  error: ErrorInfo,
): Promise<AttemptResult> {
  const failure = errorOfInfo(error);
  const result = await askHandlers(handlers, scope, { failure, decided: () => {} });
  // What the handlers left as it was keeps its exit code and signal.
  if (result.type !== "error" || result.error.message !== error.message) return result;
  return { ...result, error };
}

/** Call a handler outside of an attempt. */
export async function runHandler(
  handlers: JobHandlers,
  scope: AttemptScope,
  call: HandlerCall,
): Promise<AttemptResult> {
  if (call.type === "terminate") return await failLater(handlers, scope, call.error);
  try {
    await handlers.onStateChange?.(scope.Instance, call.state);
  } catch (error) {
    const info = encodeError(error, scope.mask);
    scope.note("error", `onStateChange failed: ${info.message}`);
    return { type: "error", error: info };
  }
  return { type: "ok", resultsJson: "[]" };
}

async function askHandlers(
  handlers: JobHandlers,
  scope: AttemptScope,
  given: {
    readonly failure: unknown;
    readonly wish?: RetryWish | undefined;
    readonly decided: Decided;
  },
): Promise<AttemptResult> {
  const { onTerminate, retryDelay } = handlers;
  let { failure } = given;
  const resultOf = (wish: RetryWish | undefined): AttemptResult => {
    const error = encodeError(failure, scope.mask);
    return wish === undefined ? { type: "error", error } : { type: "error", error, wish };
  };
  if (!onTerminate && !retryDelay) return resultOf(given.wish);
  await given.decided(resultOf(given.wish));
  if (onTerminate) {
    try {
      const answer = await onTerminate(scope.Instance, asError(failure));
      if (answer === null) return { type: "ok", resultsJson: "[]" };
      if (answer !== undefined) failure = answer;
    } catch (error) {
      failure = error;
    }
  }
  if (!retryDelay || given.wish !== undefined) return resultOf(given.wish);
  try {
    return resultOf(readDelay(await retryDelay(scope.Instance, asError(failure))));
  } catch (error) {
    scope.note("error", `retryDelay failed, so the retry policy counts: ${messageOf(error)}`);
    return resultOf(undefined);
  }
}

function readDelay(answer: unknown): RetryWish | undefined {
  if (answer === undefined) return undefined;
  if (answer === null) return "never";
  const delayMs = typeof answer === "string" ? parseDuration(answer) : answer;
  if (typeof delayMs === "number" && delayMs >= 0 && delayMs <= DURATION_MS_MAX) return delayMs;
  throw new TypeError(`it answered neither milliseconds, a duration nor null`);
}

/** Why the attempt was stopped; what its code threw upon that is the cause. */
function stopError(scope: AttemptScope, thrown: unknown): Error {
  const error = abortError(scope.abortCause!, scope.instance);
  const isEcho = thrown instanceof Error && thrown.message === error.message;
  if (!isEcho) error.cause = thrown;
  return error;
}

function asError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  return errorOfInfo(encodeError(thrown), thrown);
}

function errorOfInfo({ name, message, stack }: ErrorInfo, cause?: unknown): Error {
  const error = new Error(message, cause === undefined ? undefined : { cause });
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
}

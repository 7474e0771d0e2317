import { bindArguments, convertArguments } from "../core/convert.ts";
import { encodeError, encodeResults } from "../core/encode.ts";
import type { ArgumentInput, JobFunction, JobHandlers } from "../core/job.ts";
import type { Signature } from "../core/signature.ts";
import type { JobState } from "../core/state.ts";
import { abortError } from "./attempt_errors.ts";
import type { AttemptScope } from "./attempt_scope.ts";
import type { AttemptResult } from "./protocol.ts";

/** A job's code, loaded. */
export interface JobCode {
  readonly run: JobFunction;
  readonly handlers: JobHandlers;
  readonly signature: Signature;
}

/**
 * Execute one attempt in this process: convert and bind the arguments, run, encode the results, call the handlers. Never
 * rejects, whatever the code throws or returns.
 */
export async function runAttempt(code: JobCode, scope: AttemptScope): Promise<AttemptResult> {
  try {
    const input = JSON.parse(scope.instance.argumentsJson) as ArgumentInput;
    const converted = convertArguments(code.signature, input);
    const value = await code.run(...bindArguments(code.signature, converted, scope));
    if (scope.abortCause !== null) throw abortError(scope.abortCause, scope.instance);
    const resultsJson = encodeResults(value, code.signature.resultCount);
    if (code.handlers.onComplete) {
      await code.handlers.onComplete(scope.Instance, JSON.parse(resultsJson) as unknown[]);
    }
    return { type: "ok", resultsJson };
  } catch (thrown) {
    return await failAttempt(code.handlers, scope, thrown);
  }
}

/**
 * The outcome of an attempt that failed with `thrown`, after `onTerminate` had its say: null resolves the error, anything else
 * but undefined replaces it. An attempt stopped for another reason than its timeout has not failed, so no handler is asked.
 */
export async function failAttempt(
  handlers: JobHandlers,
  scope: AttemptScope,
  thrown: unknown,
): Promise<AttemptResult> {
  const cause = scope.abortCause;
  if (!handlers.onTerminate || (cause !== null && cause !== "timeout")) {
    return { type: "error", error: encodeError(thrown) };
  }
  try {
    const answer = await handlers.onTerminate(scope.Instance, asError(thrown));
    if (answer === null) return { type: "ok", resultsJson: "[]" };
    return { type: "error", error: encodeError(answer === undefined ? thrown : answer) };
  } catch (error) {
    return { type: "error", error: encodeError(error) };
  }
}

/** Call `onStateChange`; an error of it is the result. */
export async function runStateChange(
  handlers: JobHandlers,
  scope: AttemptScope,
  state: JobState,
): Promise<AttemptResult> {
  try {
    await handlers.onStateChange?.(scope.Instance, state);
    return { type: "ok", resultsJson: "[]" };
  } catch (error) {
    return { type: "error", error: encodeError(error) };
  }
}

function asError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  const { name, message } = encodeError(thrown);
  const error = new Error(message, { cause: thrown });
  error.name = name;
  return error;
}

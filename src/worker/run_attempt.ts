import type { ArgumentInput, Signature } from "../core/arguments/signature.ts";
import { bindArguments, convertArguments } from "../core/arguments/convert.ts";
import { DURATION_MS_MAX, parseDuration } from "../core/time/duration.ts";
import { encodeResults } from "../core/arguments/encode.ts";
import { isJobError, messageOf } from "../core/errors.ts";
import type { SecretMask } from "../core/text/secret_mask.ts";
import type { ErrorInfo } from "../core/instance.ts";
import type { JobDefinition, JobHandlers } from "../core/job/job.ts";
import type { JobFunction } from "../core/stored_types.ts";
import { StepError } from "../core/flow/step_error.ts";
import { LEFT, Parked } from "./flow/parked.ts";
import { importJob } from "../jobs/loading/import_job.ts";
import { abortError, errorOfInfo, isTimeLimit } from "./attempt_errors.ts";
import type { AttemptScope } from "./attempt_scope.ts";
import type { HandlerCall, RetryWish } from "./executor.ts";
import { encodeJobError } from "./job_stack.ts";
import type { AttemptResult } from "./protocol.ts";

/** A job's code, loaded. */
export interface JobCode {
  readonly run: JobFunction;
  readonly handlers: JobHandlers;
  readonly signature: Signature;
}

/** Error of a run that took back what steps did; the store has the error of the instance. */
const UNWOUND: ErrorInfo = { name: "Error", message: "What the steps did was taken back" };

/** Most characters of an addition to the message of an error. */
const TEXT_MAX = 400;

/** Load the code of a job. A module is imported once per version of its content. */
export async function loadCode(
  { source, signature }: Pick<JobDefinition, "source" | "signature">,
): Promise<JobCode> {
  if (source.type === "function") return { ...source, signature };
  if (source.type !== "module") throw new Error(`A ${source.type} job has no code to load`);
  return { ...await importJob(source.path, source.entry, source.version), signature };
}

/** Called with the result before a handler runs: it counts if the handler never ends. */
export type Decided = (result: AttemptResult) => void | Promise<void>;

/**
 * Execute one attempt in this process: convert and bind the arguments, run, encode the results and
 * call the handlers. Never rejects.
 */
export async function runAttempt(
  code: JobCode,
  scope: AttemptScope,
  decided: Decided,
): Promise<AttemptResult> {
  let resultsJson: string;
  try {
    scope.checkArguments = (args) => void convertArguments(code.signature, args);
    if (scope.instance.stepsAt !== null) await scope.loadSteps();
    const input = scope.flow?.flow.round.args ??
      JSON.parse(scope.instance.argumentsJson) as ArgumentInput;
    const converted = convertArguments(code.signature, input);
    const value = await runOrTakeBack(
      scope,
      () => code.run(...bindArguments(code.signature, converted, scope)),
    );
    if (value instanceof Parked) return { type: "park", waits: value.waits, steps: value.steps };
    if (scope.abortCause !== null) throw abortError(scope.abortCause, scope.instance);
    if (scope.verdict !== null) throw scope.verdict.error;
    resultsJson = encodeResults(value, code.signature.resultCount);
  } catch (thrown) {
    await scope.flow?.flow.flush().catch(() => {});
    // Its handlers were called at the failure.
    if (scope.flow?.flow.ending !== undefined) {
      return { type: "error", error: encodeJobError(thrown, scope.mask), wish: "never" };
    }
    return await failAttempt(code.handlers, scope, { thrown, decided });
  }
  const steps = await scope.flow?.flow.rest() ?? [];
  const result: AttemptResult = {
    type: "ok",
    resultsJson,
    ...(steps.length === 0 ? {} : { steps }),
  };
  const { onComplete } = code.handlers;
  if (!onComplete) return result;
  await decided(result);
  try {
    await onComplete(scope.Instance, JSON.parse(resultsJson) as unknown[]);
  } catch (error) {
    scope.note("error", `onComplete failed: ${encodeJobError(error, scope.mask).message}`);
  }
  return result;
}

/** Run job code; if its instance is about to end, take back what its steps did after it. */
async function runOrTakeBack(scope: AttemptScope, run: () => unknown): Promise<unknown> {
  let value: unknown;
  try {
    value = await scope.untilParked(run());
  } catch (thrown) {
    await settleSteps(scope);
    if (scope.abortCause !== null || !scope.isUnwinding) throw thrown;
    const parked = await scope.takeBack();
    if (parked !== null) return parked;
    throw thrown;
  }
  if (value instanceof Parked || scope.abortCause !== null) return value;
  if (value !== LEFT) scope.flow?.flow.warnOfRunning();
  if (!scope.isUnwinding) return value;
  await settleSteps(scope);
  if (scope.abortCause !== null) return value;
  const parked = await scope.takeBack();
  if (parked === null && value === LEFT) throw errorOfInfo(UNWOUND);
  return parked ?? value;
}

/** Wait for the steps beside the end of job code that can be taken back. */
async function settleSteps({ flow }: AttemptScope): Promise<void> {
  await flow?.flow.settle();
}

/**
 * The result of an attempt whose function threw. After a failure it calls `onTerminate`: if that
 * returns null, the attempt succeeds; any other value but undefined replaces the error. Then
 * `retryDelay` may choose when to retry. An abort for other reasons than its time limits is no
 * failure, so no handler is called.
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
    return { type: "error", error: encodeJobError(thrown, scope.mask) };
  }
  const failure = verdict?.error ?? (cause === null ? thrown : stopError(scope, thrown));
  return await callHandlers(handlers, scope, {
    failure,
    // The tries of a step have been its retries.
    wish: verdict !== null ? "discarded" : isStepError(failure) ? "never" : undefined,
    decided,
  });
}

/** Call `onTerminate` and `retryDelay` for an attempt whose own worker is gone. */
async function failLater(
  handlers: JobHandlers,
  scope: AttemptScope,
  error: ErrorInfo,
): Promise<AttemptResult> {
  const failure = errorOfInfo(error);
  const result = await callHandlers(handlers, scope, { failure, decided: () => {} });
  // An error that the handlers kept has its exit code and signal.
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
    const info = encodeJobError(error, scope.mask);
    scope.note("error", `onStateChange failed: ${info.message}`);
    return { type: "error", error: info };
  }
  return { type: "ok", resultsJson: "[]" };
}

async function callHandlers(
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
    const error = describeFailure(failure, scope.mask);
    return wish === undefined ? { type: "error", error } : { type: "error", error, wish };
  };
  if (!onTerminate && !retryDelay) return resultOf(given.wish);
  await given.decided(resultOf(given.wish));
  if (onTerminate) {
    try {
      const returned = await onTerminate(scope.Instance, asError(failure));
      if (returned === null) return { type: "ok", resultsJson: "[]" };
      if (returned !== undefined) failure = returned;
    } catch (error) {
      failure = error;
    }
  }
  if (!retryDelay || given.wish !== undefined) return resultOf(given.wish);
  try {
    return resultOf(readDelay(await retryDelay(scope.Instance, asError(failure))));
  } catch (error) {
    scope.note("error", `retryDelay failed; the retry policy applies: ${messageOf(error)}`);
    return resultOf(undefined);
  }
}

/** An error as data. It names the step or the child that failed, or the remedy. Never throws. */
function describeFailure(failure: unknown, mask: SecretMask): ErrorInfo {
  const info = encodeJobError(failure, mask);
  try {
    const { message } = info;
    if (failure instanceof StepError) {
      const { step, childId } = failure;
      const what = childId === undefined ? `Step "${step}"` : `Child "${step}" (${childId})`;
      return { ...info, message: `${mask.bounded(what, TEXT_MAX)} failed: ${message}` };
    }
    const hint = isJobError(failure) ? failure.hint : undefined;
    return hint === undefined
      ? info
      : { ...info, message: `${message}. ${mask.bounded(hint, TEXT_MAX)}` };
  } catch {
    return info;
  }
}

/** True for the failure of a step. Never throws, unlike `instanceof` with a hostile proxy. */
function isStepError(thrown: unknown): boolean {
  try {
    return thrown instanceof StepError;
  } catch {
    return false;
  }
}

function readDelay(returned: unknown): RetryWish | undefined {
  if (returned === undefined) return undefined;
  if (returned === null) return "never";
  const delayMs = typeof returned === "string" ? parseDuration(returned) : returned;
  if (typeof delayMs === "number" && delayMs >= 0 && delayMs <= DURATION_MS_MAX) return delayMs;
  throw new TypeError("it returned neither milliseconds, a duration nor null");
}

/** Why the attempt was aborted; the error that its code then threw is the cause. */
function stopError(scope: AttemptScope, thrown: unknown): Error {
  const error = abortError(scope.abortCause!, scope.instance);
  const isEcho = thrown instanceof Error && thrown.message === error.message;
  if (!isEcho) error.cause = thrown;
  return error;
}

function asError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  return errorOfInfo(encodeJobError(thrown), thrown);
}

import type { AttemptOutcome, Executor } from "../../worker/executor.ts";
import type { RunningAttempt } from "./running.ts";
import { type UnaskedOutcome, withAnswer } from "./settlement.ts";

/**
 * The outcome after the handlers of the job had their say, under the same claim: the worker that failed may be gone, so that
 * they are asked in another one.
 */
export async function askHandlers(
  executor: Executor,
  running: RunningAttempt,
  outcome: UnaskedOutcome,
): Promise<AttemptOutcome> {
  const { job, instance } = running;
  if (!job?.hasHandler.onTerminate && !job?.hasHandler.retryDelay) return outcome;
  const answer = await executor.handle({
    job,
    instance,
    call: { type: "terminate", error: outcome.error },
    log: (entries) => running.log(entries),
  });
  return withAnswer(outcome, answer);
}

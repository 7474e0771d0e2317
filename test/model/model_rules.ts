import { NEVER_DUE } from "../../src/core/wait.ts";
import { USUAL_FIELDS } from "../../src/store/instance_fields.ts";
import type { HistoryEntry, Instance } from "../../src/core/instance.ts";
import type { NewInstance, Settlement } from "../../src/store/store.ts";

/** Time between two ticks of every schedule of the model. */
export const TICK_MS = 1_000;

/** An instance as it is accepted. @param wallMs by the clock that decides what is due */
export function acceptedInstance(
  input: NewInstance,
  { at, wallMs }: { readonly at: number; readonly wallMs: number },
): Instance {
  const { waitingMax: _, unique, ...kept } = input;
  const forMs = input.uniqueKey === null ? null : unique?.forMs ?? null;
  return {
    ...USUAL_FIELDS,
    ...kept,
    dueAt: input.dueAt ?? wallMs,
    state: "scheduled",
    uniqueUntil: forMs === null ? null : at + forMs,
    createdAt: at,
    scheduledAt: at,
  };
}

/** The two first transitions of every instance. */
export function historyOf({ id: instanceId, kind, createdAt: at }: Instance): HistoryEntry[] {
  const base = { instanceId, kind, at, reason: null, attempt: 0, fence: 0, node: null };
  return [{ ...base, state: "created" }, { ...base, state: "scheduled" }];
}

/** The attempt of a claim: a parked instance continues its attempt. */
export function resumedOrBegun(
  { waits, attempt, resumes }: Instance,
): Pick<Instance, "attempt" | "resumes"> {
  return waits === null ? { attempt: attempt + 1, resumes } : { attempt, resumes: resumes + 1 };
}

/** A processing instance before its claim, which did not begin. */
function unbegun(instance: Instance): Instance {
  if (instance.waits !== null) return { ...instance, resumes: instance.resumes - 1 };
  const attempt = instance.attempt - 1;
  return { ...instance, attempt, processedAt: attempt === 0 ? null : instance.processedAt };
}

/** A processing instance after the outcome of its attempt. */
export function settledInstance(
  instance: Instance,
  outcome: Settlement["outcome"],
  at: number,
): Instance {
  const error = "error" in outcome ? outcome.error : instance.error;
  if (instance.cancelRequestedAt !== null) {
    return {
      ...instance,
      state: "canceled",
      reason: instance.reason === "replaced" ? "replaced" : "canceled",
      error: "error" in outcome ? outcome.error : null,
      settledAt: at,
      waits: null,
    };
  }
  if (outcome.type === "final") {
    const { state, reason, resultsJson, isFailure } = outcome;
    const failures = instance.failures + (isFailure ? 1 : 0);
    const ended = { state, reason, resultsJson, error, failures, settledAt: at, waits: null };
    return { ...instance, ...ended };
  }
  // No turn records a step, so that nothing satisfies a wait.
  if (outcome.type === "park") {
    const { waits } = outcome;
    const dueAt = Math.min(NEVER_DUE, ...waits.map(({ until }) => until ?? NEVER_DUE));
    const waiting = { state: "scheduled", reason: "parked", dueAt, scheduledAt: at } as const;
    return { ...instance, ...waiting, node: null, waits };
  }
  const isUnstarted = outcome.type === "release" && outcome.isUnstarted === true;
  const before = isUnstarted ? unbegun(instance) : { ...instance, waits: null };
  const counted = {
    ...before,
    failures: instance.failures + (outcome.type === "retry" ? 1 : 0),
    crashes: instance.crashes + (outcome.type === "crash" ? 1 : 0),
    error,
  };
  if (counted.crashes > counted.crashesMax && outcome.type === "crash") {
    return { ...counted, state: "terminated", reason: "lost", settledAt: at, waits: null };
  }
  const { deadlineAt } = instance;
  if (deadlineAt !== null && outcome.dueAt >= deadlineAt) {
    const message = `Not completed by its deadline ${new Date(deadlineAt).toISOString()}`;
    const late = error ?? { name: "TimeoutError", message };
    const ended = { state: "timedOut", reason: "deadline", error: late, settledAt: at } as const;
    return { ...counted, ...ended, waits: null };
  }
  const reasons = { crash: "lost", snooze: "snoozed", release: "released" };
  const reason = outcome.type === "retry" ? outcome.reason : reasons[outcome.type];
  return {
    ...counted,
    state: "scheduled",
    reason,
    dueAt: outcome.dueAt,
    scheduledAt: at,
    node: null,
  };
}

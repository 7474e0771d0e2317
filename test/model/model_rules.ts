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
    };
  }
  if (outcome.type === "final") {
    const { state, reason, resultsJson, isFailure } = outcome;
    const failures = instance.failures + (isFailure ? 1 : 0);
    return { ...instance, state, reason, resultsJson, error, failures, settledAt: at };
  }
  const isUnstarted = outcome.type === "release" && outcome.isUnstarted === true;
  const attempt = instance.attempt - (isUnstarted ? 1 : 0);
  const counted = {
    ...instance,
    attempt,
    processedAt: attempt === 0 ? null : instance.processedAt,
    failures: instance.failures + (outcome.type === "retry" ? 1 : 0),
    crashes: instance.crashes + (outcome.type === "crash" ? 1 : 0),
    error,
  };
  if (counted.crashes > counted.crashesMax && outcome.type === "crash") {
    return { ...counted, state: "terminated", reason: "lost", settledAt: at };
  }
  const { deadlineAt } = instance;
  if (deadlineAt !== null && outcome.dueAt >= deadlineAt) {
    const message = `Not completed by its deadline ${new Date(deadlineAt).toISOString()}`;
    const late = error ?? { name: "TimeoutError", message };
    return { ...counted, state: "timedOut", reason: "deadline", error: late, settledAt: at };
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

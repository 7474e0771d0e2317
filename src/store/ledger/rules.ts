import { CANCEL_GRACE_MS, NEVER_DUE, UNWIND_AGAIN_MS, type Wait } from "../../core/wait.ts";
import { type ErrorInfo, type Instance, isElsewhere, type Reason } from "../../core/instance.ts";
import { type FinalState, isFinal } from "../../core/state.ts";
import { AHEAD_MS_MAX, type Settlement } from "../store.ts";
import type { EndedAttempt } from "../records.ts";
import type { Dated } from "./state.ts";
import { storable, storableError } from "./storable.ts";

/** Room below 2^53 for later claims' +1, once the clock's share exceeds it (in the year 2248). */
const FENCE_TIME_MAX = Number.MAX_SAFE_INTEGER - 2 ** 40;

/** An instance after a step, with the attempt that the step ended. */
export interface Step {
  readonly instance: Instance;
  readonly ended: EndedAttempt | null;
}

/** The fence of the next claim; it also rises when a backup is restored. */
function nextFence(lastFence: number, at: number): number {
  return Math.max(lastFence + 1, Math.min(at * 1024, FENCE_TIME_MAX));
}

/** A waiting instance, claimed by `node` at a moment. */
export function claimInstance(instance: Instance, node: string, { at, stamp }: Dated): Instance {
  return {
    ...instance,
    state: "processing",
    reason: null,
    // An instance that is claimed early starts no sooner than it is due.
    processedAt: Math.max(stamp, instance.dueAt),
    // A parked instance continues its attempt.
    ...(instance.waits === null
      ? { attempt: instance.attempt + 1 }
      : { resumes: instance.resumes + 1 }),
    fence: nextFence(instance.fence, at),
    node,
    progress: null,
    usage: null,
  };
}

/** True if an instance was claimed early and is not due at `stamp`: its node has not begun it. */
export function isClaimedEarly(instance: Instance, stamp: number): boolean {
  if (instance.state !== "processing" || isElsewhere(instance)) return false;
  const leftMs = instance.processedAt! - stamp;
  // If it is more, the clock was set back since the claim.
  return leftMs > 0 && leftMs <= AHEAD_MS_MAX;
}

/** Reason of an instance that its node released. */
const RELEASED: Reason = "released";

/** Reason of an instance that waits for what its code began. */
const PARKED: Reason = "parked";

/** Reason of an instance that is due once more after its cancel. */
const CANCELING: Reason = "canceling";

/** Reason of an instance that is due once more after its failure or its deadline. */
const UNWINDING: Reason = "unwinding";

/** Reason of an instance that a later one replaced. */
const REPLACED = "replaced";

/**
 * Cancel an instance: a waiting one becomes Canceled, a processing one is marked, with an unusual
 * reason. One that runs elsewhere becomes Canceled at once: nobody here can stop it. One with steps
 * is due once more, to take back what they did, unless it was canceled before.
 */
export function cancelInstance(
  instance: Instance,
  at: number,
  reason: "canceled" | "replaced" = "canceled",
): Instance {
  if (instance.state === "processing" && !isElsewhere(instance)) {
    return { ...instance, cancelRequestedAt: at, reason: reason === REPLACED ? REPLACED : null };
  }
  if (reason === "canceled" && hasToUnwind(instance)) return unwindCanceled(instance, at);
  return {
    ...instance,
    state: "canceled",
    reason,
    cancelRequestedAt: at,
    settledAt: at,
    waits: null,
  };
}

/** True if a cancel lets an instance run once more: it has steps, and this is the first cancel. */
function hasToUnwind(instance: Instance): boolean {
  return hasSteps(instance) && instance.attempt > 0 && instance.cancelRequestedAt === null;
}

/** True if an instance recorded steps: signals alone leave nothing to take back. */
export function hasSteps({ stepsAt }: Instance): boolean {
  return stepsAt !== null && stepsAt > 0;
}

/**
 * An instance that is due once more after its cancel, for a limited time. Its own deadline may come
 * sooner, and ends nothing any more.
 */
function unwindCanceled(instance: Instance, at: number, before = instance): Instance {
  const { cancelRequestedAt } = instance;
  return {
    ...unwind(instance, at, before),
    reason: CANCELING,
    cancelRequestedAt: cancelRequestedAt ?? at,
    deadlineAt: (cancelRequestedAt ?? at) + CANCEL_GRACE_MS,
  };
}

function unwind(instance: Instance, at: number, before: Instance): Instance {
  return {
    ...instance,
    state: "scheduled",
    // Its claim is later than its cancel.
    dueAt: at + 1,
    scheduledAt: at,
    node: null,
    // The run continues the attempt, unless that has ended.
    waits: before.state === "scheduled" && before.waits === null ? null : [],
  };
}

/** The end of an instance that first takes back what its steps did. */
export interface Ending {
  readonly state: FinalState;
  readonly reason: Reason | null;
  readonly deadlineAt: number | null;
  readonly error: ErrorInfo | null;
}

/**
 * An instance that is due once more before it ends; after its deadline, for a limited time.
 *
 * @param before the instance before it would have ended
 */
export function unwindEnded(ended: Instance, at: number, before: Instance): Instance {
  return {
    ...unwind(ended, at, before),
    reason: UNWINDING,
    deadlineAt: ended.reason === "deadline" ? at + CANCEL_GRACE_MS : null,
    settledAt: null,
  };
}

/** An instance that has to take back what its steps did, and ended without that. */
export function unwindAgain(ended: Instance, at: number, before: Instance): Instance {
  const { cancelRequestedAt } = ended;
  if (cancelRequestedAt === null) {
    const again = unwind(ended, at, before);
    return { ...again, reason: UNWINDING, dueAt: at + UNWIND_AGAIN_MS, settledAt: null };
  }
  const isRepeat = isUnwinding(ended);
  const again = unwindCanceled(ended, at, before);
  return { ...again, dueAt: isRepeat ? at + UNWIND_AGAIN_MS : at + 1, settledAt: null };
}

/** True if a claimed instance runs once more after its cancel. */
function isUnwinding(instance: Instance): boolean {
  const { cancelRequestedAt, processedAt } = instance;
  return cancelRequestedAt !== null && hasSteps(instance) && (processedAt ?? 0) > cancelRequestedAt;
}

/** Replace an unstarted instance by the new owner of its unique key. */
export function replaceInstance(instance: Instance, at: number): Instance {
  const waiting = instance.state === "processing"
    ? { ...unbegun(instance), state: "scheduled" as const }
    : instance;
  return cancelInstance(waiting, at, REPLACED);
}

/** End of an attempt that is settled at `at`, epoch ms: not before its start. */
export function endOf(
  { processedAt }: Pick<Instance, "processedAt">,
  at: number,
  endedAgoMs = 0,
): number {
  return Math.min(at, Math.max(at - Math.floor(endedAgoMs), processedAt ?? at));
}

/**
 * The instance after the outcome of its attempt, which ended at `at`.
 *
 * @param hasEnding true if the instance has taken back what its steps did before it ends:
 * failures do not count then, nor after a cancel
 */
export function settleInstance(
  instance: Instance,
  outcome: Settlement["outcome"],
  at: number,
  hasEnding = false,
): Step {
  const isLast = hasEnding || isUnwinding(instance);
  const isOver = outcome.type === "final" || !isUnwinding(instance);
  if (instance.cancelRequestedAt !== null && isOver) {
    const isEnded = outcome.type === "final" && outcome.state === "completed";
    if (!isUnwinding(instance) && !isEnded && hasSteps(instance) && instance.reason === null) {
      return { instance: unwindCanceled(instance, at), ended: null };
    }
    const error = "error" in outcome ? storableError(outcome.error) : null;
    const reason = instance.reason === REPLACED ? REPLACED : "canceled";
    return end(instance, { state: "canceled", reason, error }, at);
  }
  switch (outcome.type) {
    case "final": {
      const failures = instance.failures + (outcome.isFailure && !isLast ? 1 : 0);
      const resultsJson = storable(outcome.resultsJson);
      return {
        instance: {
          ...instance,
          state: outcome.state,
          reason: storable(outcome.reason),
          resultsJson,
          error: storableError(outcome.error),
          failures,
          settledAt: at,
          waits: null,
        },
        ended: null,
      };
    }
    case "retry":
    case "crash":
      if (isLast) {
        const reason = outcome.type === "crash" ? "lost" : storable(outcome.reason);
        const error = storableError(outcome.error);
        return again(instance, { dueAt: at + UNWIND_AGAIN_MS, reason, error }, at);
      }
      return settleFailure(instance, outcome, at);
    case "snooze":
      return again(instance, {
        dueAt: outcome.dueAt,
        reason: "snoozed",
        error: instance.error,
      }, at);
    case "park":
      return park(instance, outcome.waits, at);
    case "release":
      if (outcome.isUnstarted) return unclaimed(instance, outcome.dueAt, at);
      return again(instance, {
        dueAt: outcome.dueAt,
        reason: RELEASED,
        error: instance.error,
      }, at);
  }
}

/** An instance whose attempt failed or crashed, and is followed by another one if any is left. */
function settleFailure(
  instance: Instance,
  outcome: Extract<Settlement["outcome"], { readonly type: "retry" | "crash" }>,
  at: number,
): Step {
  const error = storableError(outcome.error);
  if (outcome.type === "retry") {
    const how = { dueAt: outcome.dueAt, reason: storable(outcome.reason), error };
    return again({ ...instance, failures: instance.failures + 1 }, how, at);
  }
  const crashes = instance.crashes + 1;
  if (crashes > instance.crashesMax) {
    return end({ ...instance, crashes }, { state: "terminated", reason: "lost", error }, at);
  }
  return again({ ...instance, crashes }, { dueAt: outcome.dueAt, reason: "lost", error }, at);
}

function end(
  instance: Instance,
  how: { state: FinalState; reason: Reason; error: ErrorInfo | null },
  at: number,
): Step {
  return { instance: { ...instance, ...how, settledAt: at, waits: null }, ended: null };
}

/** True if an instance due at `dueAt` would miss its deadline. */
function isPastDeadline({ deadlineAt }: Instance, dueAt: number): boolean {
  return deadlineAt !== null && dueAt >= deadlineAt;
}

/** End an instance that waits, or would wait, past its deadline. */
export function passDeadline(instance: Instance, error: ErrorInfo | null, at: number): Step {
  if (instance.cancelRequestedAt !== null) {
    return end(instance, { state: "canceled", reason: "canceled", error }, at);
  }
  const deadline = new Date(instance.deadlineAt!).toISOString();
  const passed = { name: "TimeoutError", message: `Not completed by its deadline ${deadline}` };
  return end(instance, {
    state: "timedOut",
    reason: "deadline",
    error: error ?? passed,
  }, at);
}

function again(
  instance: Instance,
  how: { dueAt: number; reason: Reason; error: ErrorInfo | null },
  at: number,
): Step {
  const earlyMs = instance.dueAt - at;
  // An early claim that never started keeps its due time, unless the clock was set back further.
  const isAhead = earlyMs > 0 && earlyMs <= AHEAD_MS_MAX;
  const dueAt = Math.ceil(isAhead ? Math.max(how.dueAt, instance.dueAt) : how.dueAt);
  // No attempt can follow in time, so nobody has to wait.
  if (isPastDeadline(instance, dueAt)) return passDeadline(instance, how.error, at);
  return {
    instance: {
      ...instance,
      state: "scheduled",
      reason: how.reason,
      error: how.error,
      dueAt,
      scheduledAt: at,
      node: null,
      waits: null,
    },
    ended: {
      attempt: instance.attempt,
      fence: instance.fence,
      node: instance.node,
      processedAt: instance.processedAt ?? at,
      scheduledAt: at,
      reason: how.reason,
    },
  };
}

/** An instance that waits; its attempt continues once one of its waits is satisfied. */
function park(instance: Instance, waits: readonly Wait[], at: number): Step {
  return {
    instance: {
      ...instance,
      ...parkOf(waits),
      state: "scheduled",
      reason: PARKED,
      scheduledAt: at,
      node: null,
    },
    ended: null,
  };
}

/** The waits of an instance as they are stored, and the time at which it is due without them. */
export function parkOf(waits: readonly Wait[]): Pick<Instance, "dueAt" | "waits"> {
  const times = waits.map(({ until }) => until ?? NEVER_DUE);
  return {
    dueAt: Math.ceil(Math.min(NEVER_DUE, ...times)),
    waits: waits.map((wait) => ({ ...wait, name: storable(wait.name) })),
  };
}

/** An instance without the unstarted attempt of its claim. */
function unbegun(instance: Instance): Instance {
  if (instance.waits !== null) return { ...instance, resumes: instance.resumes - 1 };
  const attempt = instance.attempt - 1;
  if (attempt > 0) return { ...instance, attempt };
  const queueKey = instance.slotKey ?? instance.queueKey;
  return { ...instance, attempt, processedAt: null, queueKey, slotKey: null };
}

/** An instance that waits again as if never claimed; its fence stays. */
function unclaimed(instance: Instance, dueAt: number, at: number): Step {
  const before = unbegun(instance);
  const { instance: after } = again(before, { dueAt, reason: RELEASED, error: before.error }, at);
  // A claim that would have continued it is released: the next one does.
  const isParked = after.state === "scheduled" && before.waits !== null;
  return { instance: isParked ? { ...after, waits: before.waits } : after, ended: null };
}

/**
 * True if `settlement` is the one recorded when its claim ended: a repeat after a lost response,
 * not a late writer.
 *
 * @param ended the attempt of that fence, if the instance was scheduled again after it
 */
export function isRepeated(
  instance: Instance,
  ended: EndedAttempt | null,
  settlement: Settlement,
): boolean {
  const { outcome, fence } = settlement;
  if (ended) {
    if (outcome.type === "retry") return ended.reason === storable(outcome.reason);
    if (outcome.type === "crash") return ended.reason === "lost";
    if (outcome.type === "snooze") return ended.reason === "snoozed";
    return outcome.type === "release" && ended.reason === RELEASED;
  }
  if (instance.fence !== fence) return false;
  if (instance.state === "scheduled") {
    if (instance.reason === CANCELING || instance.reason === UNWINDING) return true;
  }
  if (outcome.type === "park" && instance.state === "scheduled") return instance.reason === PARKED;
  if (outcome.type === "release" && outcome.isUnstarted && instance.state === "scheduled") {
    return instance.reason === RELEASED;
  }
  if (!isFinal(instance.state)) return false;
  if (instance.cancelRequestedAt !== null) return instance.state === "canceled";
  if (outcome.type !== "final" && instance.reason === "deadline") return true;
  if (outcome.type === "crash") return instance.reason === "lost";
  return outcome.type === "final" && outcome.state === instance.state &&
    storable(outcome.reason) === instance.reason &&
    storable(outcome.resultsJson) === instance.resultsJson;
}

/** Time from which a final instance may be deleted, epoch ms; null if it is not final. */
export function expireAt(instance: Instance): number | null {
  if (instance.settledAt === null || !isFinal(instance.state)) return null;
  const keepMs = instance.state === "completed" ? instance.keepSuccessMs : instance.keepFailureMs;
  const from = instance.settledAt + keepMs;
  // An instance must exist while it keeps its key.
  return Math.min(Math.max(from, instance.uniqueUntil ?? from), Number.MAX_SAFE_INTEGER);
}

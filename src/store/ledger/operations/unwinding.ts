import {
  ENDING_KEY,
  stepMemoKey,
  UNDO_KEY,
  UNDONE_KEY,
  UNWIND_AGAIN_MS,
} from "../../../core/wait.ts";
import type { Instance } from "../../../core/instance.ts";
import { isFinal } from "../../../core/state.ts";
import { type Ending, hasSteps, unwindAgain, unwindEnded } from "../rules.ts";
import type { LedgerState } from "../state.ts";
import { writeStep } from "./step_records.ts";

/** True if an instance has failed or passed its deadline, and takes back what its steps did. */
export function hasEnding(state: LedgerState, { id, stepsAt }: Instance): boolean {
  return stepsAt !== null && state.tables.memos.get(stepMemoKey(id, ENDING_KEY)) !== null;
}

/**
 * An instance that has ended, or that first takes back what its steps did: after a failure if a
 * step has an undo, after a deadline always. A cancel decides this before, in `cancelInstance`.
 *
 * @param ended the instance as it would end
 * @param before the same before that
 */
export function putOffEnd(state: LedgerState, ended: Instance, before: Instance): Instance {
  const { id, cancelRequestedAt, deadlineAt, reason } = ended;
  if (!hasSteps(ended) || !isFinal(ended.state)) return ended;
  const textOf = (key: string) => state.tables.memos.get(stepMemoKey(id, key))?.data ?? null;
  const ending = textOf(ENDING_KEY);
  const hasUndos = textOf(UNDO_KEY) !== null && textOf(UNDONE_KEY) === null;
  const at = ended.settledAt!;
  if (ending === null && cancelRequestedAt === null) {
    const isUndone = ended.state === "completed" || ended.attempt === 0 ||
      !(hasUndos || reason === "deadline");
    if (isUndone) return ended;
    const kept = { state: ended.state, reason, deadlineAt, error: ended.error };
    writeStep(state, id, ENDING_KEY, JSON.stringify(kept));
    return unwindEnded(ended, at, before);
  }
  const isInTime = deadlineAt === null || at + UNWIND_AGAIN_MS < deadlineAt;
  if (hasUndos && isInTime && reason !== "replaced") return unwindAgain(ended, at, before);
  if (ending === null || cancelRequestedAt !== null) return ended;
  return { ...ended, ...JSON.parse(ending) as Ending };
}

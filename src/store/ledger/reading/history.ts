import { type HistoryEntry, type Instance, isElsewhere } from "../../../core/instance.ts";
import { isFinal } from "../../../core/state.ts";
import type { LedgerState } from "../state.ts";
import type { Row } from "../tables/row.ts";
import type { EndedAttempt } from "../../records.ts";

/** Ended attempts read at a time. */
const READ_MAX = 1_000;

/** An instance's history, oldest first: the times of its row, merged with its ended attempts. */
export function mergeHistory(
  instance: Instance,
  ended: readonly EndedAttempt[],
): readonly HistoryEntry[] {
  const { id: instanceId, kind } = instance;
  const base = { instanceId, kind, reason: null, attempt: 0, fence: 0, node: null };
  const createdAt = isElsewhere(instance) ? firstTimeOf(instance) : instance.createdAt;
  const entries: HistoryEntry[] = [
    { ...base, state: "created", at: createdAt },
    { ...base, state: "scheduled", at: createdAt },
  ];
  for (const { attempt, fence, node, processedAt, scheduledAt, reason } of ended) {
    entries.push({ ...base, state: "processing", at: processedAt, attempt, fence, node });
    entries.push({ ...base, state: "scheduled", at: scheduledAt, reason, attempt, fence, node });
  }
  const { attempt, fence, node, state } = instance;
  const isUnderway = attempt > (ended.at(-1)?.attempt ?? 0);
  const processedAt = instance.processedAt ?? (isElsewhere(instance) ? instance.settledAt : null);
  if (isUnderway && processedAt !== null) {
    const at = processedAt;
    entries.push({ ...base, state: "processing", at, attempt, fence, node });
  }
  if (isFinal(state) && instance.settledAt !== null) {
    const { settledAt: at, reason } = instance;
    entries.push({ ...base, state, at, reason, attempt, fence, node });
  }
  return entries;
}

/** The first known time of a run elsewhere, whose report may come after its end. */
function firstTimeOf({ createdAt, processedAt, settledAt }: Instance): number {
  return Math.min(createdAt, processedAt ?? settledAt ?? createdAt);
}

/** All ended attempts of an instance, in order. */
export function endedAttemptsOf(
  state: LedgerState,
  { seq, instance }: Row,
): readonly EndedAttempt[] {
  // Most instances end in their first attempt.
  const isFirst = instance.attempt === 1 &&
    (instance.state === "processing" || instance.state === "completed");
  if (instance.attempt === 0 || isFirst) return [];
  const ended: EndedAttempt[] = [];
  for (;;) {
    const from = (ended.at(-1)?.attempt ?? 0) + 1;
    const more = state.tables.endedAttempts.list(seq, from, READ_MAX);
    ended.push(...more);
    if (more.length < READ_MAX) return ended;
  }
}

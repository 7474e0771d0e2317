import type { HistoryEntry, Instance } from "../../../core/instance.ts";
import { isFinal } from "../../../core/state.ts";
import type { EndedAttempt } from "../tables/row.ts";

/**
 * State history of an instance, oldest first: the timestamps of its row merged with the attempts that departed from an
 * ordinary run.
 *
 * @param departures all of them, by attempt
 */
export function mergeHistory(
  instance: Instance,
  departures: readonly EndedAttempt[],
): readonly HistoryEntry[] {
  const { id: instanceId, kind } = instance;
  const base = { instanceId, kind, reason: null, attempt: 0, fence: 0, node: null };
  const entries: HistoryEntry[] = [
    { ...base, state: "created", at: instance.createdAt },
    { ...base, state: "scheduled", at: instance.createdAt },
  ];
  for (const { attempt, fence, node, processedAt, scheduledAt, reason } of departures) {
    entries.push({ ...base, state: "processing", at: processedAt, attempt, fence, node });
    entries.push({ ...base, state: "scheduled", at: scheduledAt, reason, attempt, fence, node });
  }
  const { attempt, fence, node, state } = instance;
  const isUnderway = attempt > (departures.at(-1)?.attempt ?? 0);
  if (isUnderway && instance.processedAt !== null) {
    const at = instance.processedAt;
    entries.push({ ...base, state: "processing", at, attempt, fence, node });
  }
  if (isFinal(state) && instance.settledAt !== null) {
    const { settledAt: at, reason } = instance;
    entries.push({ ...base, state, at, reason, attempt, fence, node });
  }
  return entries;
}

import { closeIncident, type SubjectState } from "./subject_state.ts";

/** Time that no live node must have had a subject before its incident is closed: a day, in ms. */
export const GONE_MS = 86_400_000;

/** Why an incident of a gone subject was closed. */
export const GONE_REASON = "no live node has had it for a day";

/**
 * The state of a subject after a check whether any live node has it. The incident of a subject that
 * has been gone for {@link GONE_MS} closes: it can no longer recover. The incident of a job whose
 * code cannot be loaded stays open, because the job is still configured.
 *
 * @param now epoch ms, by the clock of the store
 * @returns null if nothing changes
 */
export function afterLook(
  state: SubjectState,
  { isGone, now }: { readonly isGone: boolean; readonly now: number },
): SubjectState | null {
  const { goneSince, ...rest } = state;
  const { incident } = state;
  if (incident === null || incident.closedAt !== null) return null;
  if (!isGone || incident.events.includes("disabled")) return goneSince === undefined ? null : rest;
  // From an earlier incident, or from a future time by the store's clock.
  const isValid = goneSince !== undefined && goneSince >= incident.openedAt && goneSince <= now;
  if (!isValid) return goneSince === now ? null : { ...rest, goneSince: now };
  if (now - Math.max(goneSince, incident.lastAt) < GONE_MS) return null;
  return closeIncident({ ...state, incident }, { at: now, reason: GONE_REASON });
}

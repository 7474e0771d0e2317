import { closeIncident, type SubjectState } from "./subject_state.ts";

/** How long no live node must have had a subject before its incident is closed: a day, in ms. */
export const GONE_MS = 86_400_000;

/** Why the incident of such a subject was closed. */
export const GONE_REASON = "no live node has had it for a day";

/**
 * The state of a subject after a look at whether any live node has it. The incident of one that has
 * been gone for {@link GONE_MS} closes: it can no longer recover. That of a job whose code cannot
 * be loaded stays open, because it is still configured.
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
  // One of an earlier incident, or of a time that the clock of the store has not reached.
  const isValid = goneSince !== undefined && goneSince >= incident.openedAt && goneSince <= now;
  if (!isValid) return goneSince === now ? null : { ...rest, goneSince: now };
  if (now - Math.max(goneSince, incident.lastAt) < GONE_MS) return null;
  return closeIncident({ ...state, incident }, { at: now, reason: GONE_REASON });
}

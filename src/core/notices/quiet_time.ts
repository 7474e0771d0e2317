import { isBlackedOut } from "../time/blackout.ts";

const MINUTE = 60_000;
/** Span in which an end is looked for, in minutes; a longer window is looked at again then. */
const MINUTES_MAX = 8 * 24 * 60;

/**
 * The end of the windows that contain an instant, epoch ms; null outside of windows.
 *
 * @param windows in the form of blackouts; they begin and end at whole minutes
 */
export function quietUntil(
  windows: readonly string[],
  timezone: string,
  atMs: number,
): number | null {
  if (!isBlackedOut(windows, timezone, atMs)) return null;
  const start = Math.floor(atMs / MINUTE) * MINUTE;
  for (let minutes = 1; minutes < MINUTES_MAX; minutes++) {
    const time = start + minutes * MINUTE;
    if (!isBlackedOut(windows, timezone, time)) return time;
  }
  return start + MINUTES_MAX * MINUTE;
}

/**
 * Start of the windows that contain an instant, epoch ms; null outside of windows. Older starts
 * count as eight days ago.
 */
export function quietSince(
  windows: readonly string[],
  timezone: string,
  atMs: number,
): number | null {
  if (!isBlackedOut(windows, timezone, atMs)) return null;
  let since = Math.floor(atMs / MINUTE) * MINUTE;
  for (let minutes = 1; minutes < MINUTES_MAX; minutes++) {
    const time = since - MINUTE;
    if (!isBlackedOut(windows, timezone, time)) break;
    since = time;
  }
  return since;
}

import { isBlackedOut } from "../time/blackout.ts";

const MINUTE = 60_000;
/** How far ahead an end is looked for, in minutes; a longer window is looked at again then. */
const MINUTES_MAX = 8 * 24 * 60;

/**
 * When the windows that an instant lies in have ended, epoch ms; null if it lies in none.
 *
 * @param windows as those of blackouts; they begin and end at whole minutes
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
 * When the windows that an instant lies in began, epoch ms; null if it lies in none. One that began
 * longer ago than eight days is taken to have begun then.
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

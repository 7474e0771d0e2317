/** Waits between tries of the same thing, in milliseconds. */
export interface Backoff {
  readonly firstMs: number;
  readonly longestMs: number;
}

/** Doublings after which every wait is the longest one: more only make the number overflow. */
const DOUBLINGS_MAX = 30;

/**
 * Wait before the next try, in milliseconds: twice as long after each failure, up to the longest.
 *
 * @param failures that came before the last one, 0 for the first
 * @param random a number in [0, 1) that spreads those who failed together over the second half of the wait; absent: not spread
 */
export function backoffMs(
  { firstMs, longestMs }: Backoff,
  failures: number,
  random: number = 1,
): number {
  const waitMs = Math.min(longestMs, firstMs * 2 ** Math.min(failures, DOUBLINGS_MAX));
  return waitMs * (0.5 + random / 2);
}

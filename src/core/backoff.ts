/** Waits between tries of the same thing, in milliseconds. */
export interface Backoff {
  readonly firstMs: number;
  readonly longestMs: number;
}

/** More doublings would overflow; every wait is the longest one by then. */
const DOUBLINGS_MAX = 30;

/**
 * Wait before the next try, in milliseconds: doubled after each failure, up to the longest.
 *
 * @param failures before the last one, 0 for the first
 * @param random a number in [0, 1) that shortens the wait by up to half, to spread callers that
 * failed together; absent: the whole wait
 */
export function backoffMs(
  { firstMs, longestMs }: Backoff,
  failures: number,
  random: number = 1,
): number {
  const waitMs = Math.min(longestMs, firstMs * 2 ** Math.min(failures, DOUBLINGS_MAX));
  return waitMs * (0.5 + random / 2);
}

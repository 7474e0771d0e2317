/**
 * After a start, in ms: for half a minute the runtime collects every second, which is no process at
 * rest.
 */
export const REST_MS = 35_000;

/** Resolves after `ms` milliseconds. */
export function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Time before its due time at which an instance may be claimed, in milliseconds: by the store, and
 * by a supervisor that has a command before it may begin.
 */
export const AHEAD_MS_MAX = 100;

/**
 * How long before its due time something may be claimed, in milliseconds: by the store, and by a
 * supervisor that has a command before it may begin.
 */
export const AHEAD_MS_MAX = 100;

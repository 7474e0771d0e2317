import { PAYLOAD_BYTES_MAX } from "../../core/job/job.ts";

/** How long a worker may take from its spawn to its first message. */
export const HELLO_MS_MAX = 30_000;
/** How long the import of a job module may take. */
export const LOAD_MS_MAX = 30_000;
/** How long output may stay on its way once the result or the exit of a worker is known. */
export const DRAIN_MS_MAX = 1_000;
/** How long the channel of an exited worker may take to end; it may be paused for part of that. */
export const CHANNEL_MS_MAX = 200;
/** How long a worker that is ended may run its exit handlers. */
export const END_MS_MAX = 1_000;
/**
 * Longest message of a worker, in bytes: the largest result with every character escaped, and its
 * envelope.
 */
export const MESSAGE_BYTES_MAX = 2 * PAYLOAD_BYTES_MAX + 131_072;
/** Most unanswered calls of one run: waits for the end of an instance, and all others. */
export const CALLS_AT_ONCE_MAX = { wait: 256, other: 256 } as const;
/** Most bytes of unanswered calls of one run; a single call may take more. */
export const CALL_BYTES_AT_ONCE_MAX = 2 * PAYLOAD_BYTES_MAX;
/** Longest answer to a call, in characters. */
export const REPLY_LENGTH_MAX = 4 * PAYLOAD_BYTES_MAX;
/** Unread answer bytes above which a worker's calls are refused, and above which it is ended. */
export const UNREAD_BYTES_MAX = {
  calls: 8 * PAYLOAD_BYTES_MAX,
  worker: 16 * PAYLOAD_BYTES_MAX,
} as const;

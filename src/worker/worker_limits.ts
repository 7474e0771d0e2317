/** How long a worker may take from its spawn to its first message. */
export const HELLO_MS_MAX = 30_000;
/** How long the import of a job module may take. */
export const LOAD_MS_MAX = 30_000;
/** How long output may stay on its way once the result or the exit of a worker is known. */
export const DRAIN_MS_MAX = 1_000;
/** How long the channel of an exited worker may take to end. */
export const CHANNEL_MS_MAX = 50;
/** How long a worker that was told to end may run its exit handlers. */
export const END_MS_MAX = 1_000;

/** Largest message, request or response, in bytes. */
export const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;
/** Longest JSON of a response that is made without a message. */
export const JSON_LENGTH_MAX = 2 * MESSAGE_BYTES_MAX;
/** Longest free text in a response that must be brief to fit into a message. */
export const BRIEF_CHARACTERS = 100;
/** Most items of one page, batch or condition; the store's own limit. */
export const ITEMS_MAX = 1_000;
/** Most items of all lists of a request, before each list is checked; a message counts as ten. */
export const REQUEST_ITEMS_MAX = 100_000;
/** Most concurrent calls on one connection. */
export const STREAMS_MAX = 256;
/** Most concurrent calls on all connections. */
export const CALLS_MAX = 5_000;
/** Most concurrent calls of one caller, over all of its connections; further ones are refused. */
export const CALLS_OF_PRINCIPAL_MAX = CALLS_MAX / 2;
/** Most connections without an accepted call; one more closes the oldest. */
export const STRANGERS_MAX = 128;
/** Most concurrent calls on a stranger's connection. */
export const STRANGER_CALLS_MAX = 8;
/** Share of a listener's connections for one caller: a user of this machine, or a token's owner. */
export const CONNECTIONS_OF_PRINCIPAL = 0.5;
/** Most request bytes of open calls, in total; beyond that the largest connection is closed. */
export const REQUEST_BYTES_MAX = 64 * 1024 * 1024;
/** Most unread response bytes, in total; beyond that the connection with the most is closed. */
export const UNREAD_BYTES_MAX = 32 * 1024 * 1024;
/** The same for one connection; beyond that its further reads wait. */
export const UNREAD_BYTES_OF_CONNECTION_MAX = MESSAGE_BYTES_MAX;
/** Unread bytes in total beyond which memory is released as more responses are made. */
export const UNREAD_BYTES_ORDINARY = 8 * 1024 * 1024;
/** Copies of a response made until it is sent, not counting the waiting one. */
export const COPIES_OF_RESPONSE = 3;
/** The same for a stream message, whose size no page limits. */
export const COPIES_OF_MESSAGE = 10;
/** From this size on, the copies of a stream message are collected while more are made. */
export const LARGE_MESSAGE_BYTES = 64 * 1024;
/** Bytes that closed connections and unread responses leave behind before memory is released. */
export const LEFT_BYTES_MAX = 20 * 1024 * 1024;
/** Estimated size of an open call without its messages. */
export const CALL_BYTES = 16 * 1024;
/** Bytes left behind after which memory is released at once. */
export const LEFT_BYTES_URGENT = 40 * 1024 * 1024;
/** Delay of that release, so that closing connections are included. */
export const RELEASE_MS = 50;
/** Calls after which memory is always shrunk at the next rest. */
export const BUSY_CALLS = 1_000;
/** Time without work after which the listeners' thread counts as resting. */
export const REST_MS = 3_000;
/** Most concurrent followers of logs. */
export const FOLLOWS = { max: 1_000, ofPrincipalMax: 500, ofPeerMax: 100 } as const;
/** Reflection: concurrent streams, and limits of each. */
export const REFLECTION = {
  max: 100,
  ofPrincipalMax: 50,
  ofPeerMax: 8,
  requestsMax: 1_000,
  requestBytesMax: 64 * 1024,
  /** A stream ends after this long without a request; shorter than {@link STALLED_MS}. */
  idleMs: 10_000,
} as const;
/** Most reads waiting at the gate. */
export const READS_WAITING = { max: 2_000, ofPrincipalMax: 500, ofPeerMax: STREAMS_MAX } as const;
/** Most concurrent waits for an instance to end. */
export const WAITS = { max: 2_000, ofPrincipalMax: 1_000, ofPeerMax: 250 } as const;
/** Time for which a follower may leave a message unread. */
export const UNREAD_MS = 30_000;
/** Time after which a connection without a call is closed gracefully. */
export const IDLE_MS = 15_000;
/** A connection without progress is closed after this; with the sweep, within 20 s. */
export const STALLED_MS = 17_000;
/** Interval between checks of connections while any are open. */
export const SWEEP_MS = 2_000;
/** Most concurrent TLS handshakes; one more ends the oldest. */
export const HANDSHAKES_MAX = 64;
/** Time limit of a TLS handshake. */
export const HANDSHAKE_MS = 10_000;
/** Time for which a stop waits for calls in flight. */
export const STOP_GRACE_MS = 2_000;
/** Time for which it then waits for connections to close. */
export const FLUSH_MS = 250;
/** Longest token that is checked, in characters. */
export const TOKEN_LENGTH_MAX = 4_096;
/** Largest token file. */
export const TOKEN_FILE_BYTES_MAX = 16 * 1024;
/** Time for which a client waits until a process accepts its connection, to learn the owner. */
export const PROOF_MS = 10_000;
/** First pause between two checks for that process. */
export const POLL_MIN_MS = 2;
/** Longest pause between two such checks. */
export const POLL_MAX_MS = 100;

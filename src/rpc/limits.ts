/** Largest message, request and answer alike, in bytes. */
export const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;
/** Characters of a free text in an answer that has to be brief to fit into a message. */
export const BRIEF_CHARACTERS = 100;
/** Most items of one page, batch or condition; the store's own limit. */
export const ITEMS_MAX = 1_000;
/** Calls at once on one connection. */
export const STREAMS_MAX = 256;
/** Calls at once on all connections. */
export const CALLS_MAX = 5_000;
/** Connections at once on which no call was let in yet: one more closes the oldest. */
export const STRANGERS_MAX = 128;
/** Calls at once on such a connection. */
export const STRANGER_CALLS_MAX = 8;
/** Part of a listener's connections that one caller may have: a user of this machine, or the owner of a token. */
export const CONNECTIONS_OF_HOLDER = 0.5;
/** Bytes of requests whose calls are open, in all: more closes the connection that has most of them. */
export const REQUEST_BYTES_MAX = 64 * 1024 * 1024;
/** Bytes of answers that clients have not taken yet, in all: more closes the connection that has most of them. */
export const UNREAD_BYTES_MAX = 64 * 1024 * 1024;
/** And of one connection, beyond which its further reads wait. */
export const UNREAD_BYTES_OF_CONNECTION_MAX = MESSAGE_BYTES_MAX;
/** Followers of logs at once. */
export const FOLLOWS = { max: 1_000, ofHolderMax: 500, ofPeerMax: 100 } as const;
/** Calls that wait for an instance to end, at once. */
export const WAITS = { max: 2_000, ofHolderMax: 1_000, ofPeerMax: 250 } as const;
/** How long a follower may leave a message unread. */
export const UNREAD_MS = 30_000;
/** A connection without a call is told to go after this. */
export const IDLE_MS = 15_000;
/** Whatever a connection that does nothing useful does, it is closed after this; with a sweep it is within 20 s. */
export const STALLED_MS = 17_000;
/** How often connections are looked at while there are any. */
export const SWEEP_MS = 2_000;
/** TLS handshakes at once: one more ends the oldest. */
export const HANDSHAKES_MAX = 64;
/** How long a TLS handshake may take. */
export const HANDSHAKE_MS = 10_000;
/** How long calls in flight are waited for at stop. */
export const STOP_GRACE_MS = 2_000;
/** How long connections without calls are waited for after that. */
export const FLUSH_MS = 250;
/** Longest token that is looked at, in characters. */
export const TOKEN_LENGTH_MAX = 4_096;
/** Largest file that is read as a token. */
export const TOKEN_FILE_BYTES_MAX = 16 * 1024;
/** How long a client waits for its connection to be accepted, so that it can see by whom. */
export const PROOF_MS = 10_000;
/** The first pause between two looks at that. */
export const POLL_MIN_MS = 2;
/** The longest of these pauses. */
export const POLL_MAX_MS = 100;

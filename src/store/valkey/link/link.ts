/** A script for the server. It is sent by its digest, and whole if the server does not have it. */
export interface ValkeyScript {
  readonly text: string;
  /** SHA-1 of the text in lower-case hex, as the server expects it. */
  readonly sha1: string;
}

/** One call of a script: its keys, which share a hash tag, and its arguments. */
export interface ScriptCall {
  readonly script: ValkeyScript;
  readonly keys: readonly string[];
  readonly args: readonly (string | Uint8Array)[];
  /** True if it writes: then it resolves only after the configured number of replicas have it. */
  readonly isWrite?: boolean;
}

/** Limits of every link unless a test changes them. All times are in milliseconds. */
export const LINK_LIMITS = {
  /** Longest wait for a connection. */
  connectMs: 3_000,
  /** Longest silence in each step before a connection can be used. */
  handshakeMs: 10_000,
  /**
   * How long calls wait for a connection and a server may be silent; grows if it is slow. API calls
   * return "unavailable" within 5 s.
   */
  answerMs: 4_500,
  /** How long a call waits for its reply while there is a connection. */
  lateMs: 60_000,
  /** How long a call waits if the connection was lost more than `answerMs` ago. */
  troubledMs: 400,
  /** Waits between attempts to connect; `refusedMs` when waiting alone does not help. */
  retry: { firstMs: 50, longestMs: 2_000, refusedMs: 30_000 },
  /** How often a connection is checked, and pinged if it is idle. */
  pulseMs: 3_000,
  /** Most calls without a reply, and most bytes of their arguments. */
  callsMax: 10_000,
  bytesMax: 64 * 1024 * 1024,
  /** How long replicas may take to confirm a write. */
  replicasMs: 1_000,
};

/** See {@link LINK_LIMITS}. */
export type LinkLimits = Readonly<typeof LINK_LIMITS>;

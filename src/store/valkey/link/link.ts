/** A script for the server. It is sent by its digest, and in full if the server lacks it. */
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
  /** True for a write: it resolves only after the configured number of replicas have it. */
  readonly isWrite?: boolean;
}

/** Limits of every link unless a test changes them. All times are in milliseconds. */
export const LINK_LIMITS = {
  /** Longest wait for a connection. */
  connectMs: 3_000,
  /** Longest silence in each step before a connection can be used. */
  handshakeMs: 10_000,
  /**
   * Time for which calls wait for a connection and a server may be silent; grows if it is slow. API
   * calls return "unavailable" within 5 s.
   */
  answerMs: 4_500,
  /** Time for which a call waits for its reply while there is a connection. */
  lateMs: 60_000,
  /** Time for which a call waits if the connection was lost more than `answerMs` ago. */
  troubledMs: 400,
  /** Waits between attempts to connect; `refusedMs` after an error that waiting does not end. */
  retry: { firstMs: 50, longestMs: 2_000, refusedMs: 30_000 },
  /** Interval between checks of a connection, and between pings of an idle one. */
  pulseMs: 3_000,
  /** Most calls without a reply, and most bytes of their arguments. */
  callsMax: 10_000,
  bytesMax: 64 * 1024 * 1024,
  /** Time for replicas to confirm a write. */
  replicasMs: 1_000,
};

/** See {@link LINK_LIMITS}. */
export type LinkLimits = Readonly<typeof LINK_LIMITS>;

import type { Backoff } from "../../../core/backoff.ts";

/** Limits of a link; tests have smaller ones. */
export interface LinkLimits {
  /** Most time to connect, in milliseconds. */
  readonly connectMs: number;
  /** Most time for each step until a connection is of use. */
  readonly handshakeMs: number;
  /** How long calls wait for a connection, and a server may be silent; longer where it is seen to be slow. */
  readonly answerMs: number;
  /** How long a call waits for its answer while there is a connection. */
  readonly lateMs: number;
  /** Waits before the next try to connect; where the server refused us, for what time alone does not heal. */
  readonly retry: Backoff & { readonly refusedMs: number };
  /** How long it waits when the server has not answered for that long already. */
  readonly troubledMs: number;
  /** How often a connection is looked at, and asked when it is idle. */
  readonly pulseMs: number;
  readonly callsMax: number;
  readonly bytesMax: number;
  /** How long replicas may take to have a write. */
  readonly replicasMs: number;
}

/** What holds when nothing else is said. */
export const LINK_LIMITS: LinkLimits = {
  connectMs: 3_000,
  handshakeMs: 10_000,
  // API calls answer "unavailable" within 5 s.
  answerMs: 4_500,
  lateMs: 60_000,
  troubledMs: 400,
  retry: { firstMs: 50, longestMs: 2_000, refusedMs: 30_000 },
  pulseMs: 3_000,
  callsMax: 10_000,
  bytesMax: 64 * 1024 * 1024,
  replicasMs: 1_000,
};

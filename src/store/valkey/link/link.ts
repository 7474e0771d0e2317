import type { Backoff } from "../../../core/backoff.ts";

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

/** Runs a script on a new connection that nobody uses yet. It is not repeated. */
export type GreetingRun = (call: ScriptCall) => Promise<Uint8Array>;

/**
 * The connection to a Valkey or Redis server; hides TLS, sentinels and clusters. Calls are
 * pipelined and reach the server in the order in which they were made, also across a lost
 * connection.
 */
export interface ValkeyLink {
  /** The location of the server, without secrets. */
  readonly location: string;
  /** True if an acknowledged write is on the server's disk. */
  readonly isDurable: boolean;
  /** Why the server does not respond now; null if no problem is known. */
  readonly problem: string | null;
  /**
   * Set the check that runs on each new connection before calls use it, such as whether the server
   * still has the same data. If it throws a JobError, the connection is not used, and calls fail
   * with that error until a check succeeds.
   */
  greet(greeting: (run: GreetingRun) => Promise<void>): void;
  /**
   * Connect and check the server.
   *
   * @throws JobError `unavailable` if it cannot be reached, `unauthenticated` or `invalid_config`
   * if it cannot be used
   */
  open(): Promise<void>;
  /**
   * Run a script that returns a bulk string. A call whose reply was lost is sent again, so the
   * script must recognize a repeat.
   *
   * @throws JobError `unavailable`, `resource_exhausted`, `invalid_argument` for a call that is too
   * large
   */
  run(call: ScriptCall): Promise<Uint8Array>;
  /** Subscribe to a channel; returns a function that unsubscribes. */
  subscribe(
    channel: string,
    listener: (message: Uint8Array) => void,
  ): Promise<() => Promise<void>>;
  /**
   * Call the listener after each reconnection: messages published meanwhile are lost. Returns a
   * function that removes it.
   */
  onReconnect(listener: () => void): () => void;
  close(): Promise<void>;
}

/** Limits of a link; tests have smaller ones. All times are in milliseconds. */
export interface LinkLimits {
  /** Longest wait for a connection. */
  readonly connectMs: number;
  /** Longest silence in each step before a connection can be used. */
  readonly handshakeMs: number;
  /** How long calls wait for a connection and a server may be silent; grows if it is slow. */
  readonly answerMs: number;
  /** How long a call waits for its reply while there is a connection. */
  readonly lateMs: number;
  /** Waits between attempts to connect; `refusedMs` when waiting alone does not help. */
  readonly retry: Backoff & { readonly refusedMs: number };
  /** How long a call waits if the connection was lost more than `answerMs` ago. */
  readonly troubledMs: number;
  /** How often a connection is checked, and pinged if it is idle. */
  readonly pulseMs: number;
  /** Most calls without a reply, and most bytes of their arguments. */
  readonly callsMax: number;
  readonly bytesMax: number;
  /** How long replicas may take to confirm a write. */
  readonly replicasMs: number;
}

/** The limits of every link unless a test changes them. */
export const LINK_LIMITS: LinkLimits = {
  connectMs: 3_000,
  handshakeMs: 10_000,
  // API calls return "unavailable" within 5 s.
  answerMs: 4_500,
  lateMs: 60_000,
  troubledMs: 400,
  retry: { firstMs: 50, longestMs: 2_000, refusedMs: 30_000 },
  pulseMs: 3_000,
  callsMax: 10_000,
  bytesMax: 64 * 1024 * 1024,
  replicasMs: 1_000,
};

import type { Backoff } from "../../../core/backoff.ts";

/** A server-side script, sent by its digest and, where the server does not have it, whole. */
export interface ValkeyScript {
  readonly text: string;
  /** SHA-1 of the text, as the server names it, in lower-case hex. */
  readonly sha1: string;
}

/** One call of a script: its keys, of one hash tag, and its arguments. */
export interface ScriptCall {
  readonly script: ValkeyScript;
  readonly keys: readonly string[];
  readonly args: readonly (string | Uint8Array)[];
  /** Whether it writes: then it is answered when as many replicas have it as the configuration asks for. */
  readonly isWrite?: boolean;
}

/** Runs a script on a connection that nobody uses yet; it is not sent again. */
export type GreetingRun = (call: ScriptCall) => Promise<Uint8Array>;

/**
 * The connection to a Valkey or Redis server, behind which are the client, TLS, sentinels and clusters. Calls are pipelined and
 * reach the server in the order in which they were asked, also after a connection that broke.
 */
export interface ValkeyLink {
  /** Where it leads to, without secrets. */
  readonly location: string;
  /** Whether what the server answers for is on a disk. */
  readonly isDurable: boolean;
  /** What keeps the server from answering now; null while nothing is known to. */
  readonly problem: string | null;
  /**
   * Set what is asked on each connection before calls go over it, such as whether this is still the same data. When it throws a
   * JobError the connection is not used, and calls are refused with that error while the server stays so.
   */
  greet(greeting: (run: GreetingRun) => Promise<void>): void;
  /**
   * Connect and check the server.
   *
   * @throws JobError `unavailable` when it cannot be reached, `unauthenticated` or `invalid_config` when it is not fit
   */
  open(): Promise<void>;
  /**
   * Run a script that answers one bulk string. A call whose answer was lost is sent again: the script must know a repeat.
   *
   * @throws JobError `unavailable`, `resource_exhausted`, `invalid_argument` for a call that is too large
   */
  run(call: ScriptCall): Promise<Uint8Array>;
  /** Listen to a channel; answers how to stop. */
  subscribe(
    channel: string,
    listener: (message: Uint8Array) => void,
  ): Promise<() => Promise<void>>;
  /** Told after each connection but the first, when what was published meanwhile is lost; answers how to stop. */
  onReconnect(listener: () => void): () => void;
  close(): Promise<void>;
}

/** Limits of a link; tests have smaller ones. All times are in milliseconds. */
export interface LinkLimits {
  /** Longest wait for a connection. */
  readonly connectMs: number;
  /** Longest silence in each step before a connection can be used. */
  readonly handshakeMs: number;
  /** How long calls wait for a connection, and how long a server may be silent. Grows when it is slow. */
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

import {
  type Check,
  checkKeys,
  checkOptions,
  isObject,
  isText,
  isWithin,
  type KeysOf,
  TEXT,
} from "../../core/text/object_keys.ts";

/** Longest wait for a response unless a call says otherwise. */
export const CALL_TIMEOUT_MS = 10_000;

/** Address and settings for reaching a daemon. */
export interface ConnectOptions {
  /** Default "localhost". */
  readonly host?: string | undefined;
  /** Default 59051. */
  readonly port?: number | undefined;
  /**
   * Path of the Unix socket, which takes no token; null never uses one. By default, the port's
   * socket is tried first if the host is this machine, without `token` and `tokenFile`.
   */
  readonly socket?: string | null | undefined;
  /** Token for this host, over TCP. Goes to another machine only over TLS. */
  readonly token?: string | undefined;
  /** File of that token; for this machine, the daemon's own file by default. */
  readonly tokenFile?: string | undefined;
  /**
   * The user of the daemon, by name or number, if neither root nor this process's user. Without
   * TLS, nothing is sent to a process of any other user on this machine.
   */
  readonly daemonUser?: string | undefined;
  /** Null or absent for plaintext. Paths of PEM files; the system's CAs unless `ca` is given. */
  readonly tls?:
    | {
      readonly ca?: string | undefined;
      readonly cert?: string | undefined;
      readonly key?: string | undefined;
      /** The name that the certificate must have, if it is not the host. */
      readonly serverName?: string | undefined;
    }
    | null
    | undefined;
  /** Limit of one call in milliseconds; default 10,000. */
  readonly timeoutMs?: number | undefined;
  /**
   * Form of the arguments and results of instances and schedules: "text" in `arguments` and
   * `results`, one text each, in which 1 and "1" look the same (the default), or "json" as JSON
   * text of an array in `argumentsJson` and `resultsJson`.
   */
  readonly values?: "text" | "json" | undefined;
}

/** Options of one call. */
export interface CallOptions {
  /** Limit of this call in milliseconds. */
  readonly timeoutMs?: number | undefined;
  /** Cancels the call. */
  readonly signal?: AbortSignal | undefined;
}

const PORT_MAX = 65_535;

const isSpan: Check = (value) => typeof value === "number" && value >= 0;
const orNull = (check: Check): Check => (value) => value === null || check(value);
const TIMEOUT = ["a number of milliseconds from 0 up", isSpan] as const;

const CONNECT_KEYS: KeysOf<ConnectOptions> = {
  host: TEXT,
  port: [`a whole number from 1 to ${PORT_MAX}`, isWithin(1, PORT_MAX)],
  socket: ["a path, or null", orNull(isText)],
  token: TEXT,
  tokenFile: TEXT,
  daemonUser: TEXT,
  tls: ["an object of paths, or null", orNull(isObject)],
  timeoutMs: TIMEOUT,
  values: ['"text" or "json"', (value) => value === "text" || value === "json"],
};
const TLS_KEYS: KeysOf<NonNullable<ConnectOptions["tls"]>> = {
  ca: TEXT,
  cert: TEXT,
  key: TEXT,
  serverName: TEXT,
};
const CALL_KEYS: KeysOf<CallOptions> = {
  timeoutMs: TIMEOUT,
  signal: ["an AbortSignal", (value) => value instanceof AbortSignal],
};

/**
 * Check the options of a client. Ignoring a misspelled one could call the wrong daemon.
 *
 * @throws JobError `invalid_argument` with the path of the option and the nearest known one
 */
export function checkConnectOptions(options: ConnectOptions): void {
  const failure = "Cannot make a client";
  const { tls } = checkOptions(options, CONNECT_KEYS, { failure });
  if (tls) checkKeys(tls, TLS_KEYS, { failure, noun: "option", prefix: "tls." });
}

/** Check the options of a call. @throws JobError `invalid_argument` with the path of the option */
export function checkCallOptions(options: CallOptions, method: string): void {
  checkOptions(options, CALL_KEYS, { failure: `Cannot call ${method}` });
}

import { GRPC_PORT_DEFAULT } from "../../core/address.ts";
import { OUTPUT_FORMATS } from "../output/format.ts";

/** What the daemon is asked for when a shell completes a word. `kinds` is a list of them. */
export const LIVE_OFFERS = [
  "kind",
  "kinds",
  "instance",
  "unfinished",
  "dead",
  "schedule",
  "node",
  "channel",
  "incident",
  "session",
] as const;

/** Names that only the daemon knows. */
export type LiveOffer = typeof LIVE_OFFERS[number];

/** What a shell offers for a word or a value: names of the daemon, or of this machine. */
export type Offer = LiveOffer | "file" | "folder" | "user" | "command";

/** What a shell offers, in addition to the choices of an option. */
interface Offered {
  readonly offers?: Offer;
  /** Fixed words that are offered; others are valid, too. */
  readonly suggests?: readonly string[];
}

/** One option of a verb. */
export interface OptionSpec extends Offered {
  readonly describe: string;
  /** Single letter. */
  readonly alias?: string;
  /** Takes no value. */
  readonly isFlag?: boolean;
  /** True for a flag that may be given a value in the same word: `--watch=5s`. */
  readonly canHaveValue?: boolean;
  /** Environment variable that is used if the option is absent. */
  readonly env?: string;
  readonly choices?: readonly string[];
}

/** Options by name. */
export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

/** One word after the verb; the last one may take all others. */
export interface WordSpec extends Offered {
  readonly name: string;
  readonly describe: string;
  readonly isOptional?: boolean;
  readonly isRest?: boolean;
  /** True if it is never one of the words after `--`. */
  readonly isBeforeDashes?: boolean;
  /**
   * True if an empty text is valid. Otherwise it is probably an unset variable of a script, which
   * must not mean "any" or "all".
   */
  readonly canBeEmpty?: boolean;
}

/** Default host of the daemon. */
export const HOST_DEFAULT = "localhost";
/** Default of the longest wait for one response. */
export const CALL_TIMEOUT_DEFAULT = "10s";

/** Address of the daemon and credentials; read before the connection is made. */
export const CONNECTION_OPTIONS: OptionSpecs = {
  host: { describe: `Host of the daemon (default ${HOST_DEFAULT})`, env: "JOBCTL_HOST" },
  port: { describe: `gRPC port of the daemon (default ${GRPC_PORT_DEFAULT})`, env: "JOBCTL_PORT" },
  socket: {
    describe:
      "Unix socket of the daemon, or none to use TCP (default without a token: the socket of the port, if there is one)",
    offers: "file",
    suggests: ["none"],
    env: "JOBCTL_SOCKET",
  },
  token: {
    describe: "Access token; other users can see it in ps, so prefer the variable or --token-file",
    env: "JOBCTL_TOKEN",
  },
  "token-file": {
    describe: "File that holds the access token",
    offers: "file",
    env: "JOBCTL_TOKEN_FILE",
  },
  "daemon-user": {
    describe: "User that the daemon on this machine runs as, if neither root nor you",
    offers: "user",
    env: "JOBCTL_DAEMON_USER",
  },
  tls: { describe: "Use TLS, trusting the system's authorities", isFlag: true },
  "tls-ca": {
    describe: "Use TLS, trusting the authorities of this PEM file",
    offers: "file",
    env: "JOBCTL_TLS_CA",
  },
  "tls-cert": {
    describe: "Client certificate (PEM file)",
    offers: "file",
    env: "JOBCTL_TLS_CERT",
  },
  "tls-key": {
    describe: "Key of --tls-cert (PEM file)",
    offers: "file",
    env: "JOBCTL_TLS_KEY",
  },
  "call-timeout": {
    describe: `Longest wait for one response of the daemon (default ${CALL_TIMEOUT_DEFAULT})`,
    env: "JOBCTL_CALL_TIMEOUT",
  },
};

/** How results are written. */
export const OUTPUT_OPTIONS: OptionSpecs = {
  output: {
    alias: "o",
    describe: `${OUTPUT_FORMATS.join(", ")} (default table)`,
    choices: OUTPUT_FORMATS,
    env: "JOBCTL_OUTPUT",
  },
  compat: {
    describe: "Write JSON with the keys that clients of go-job read",
    choices: ["go-job"],
    env: "JOBCTL_COMPAT",
  },
  "no-color": { describe: "No colors; the variable NO_COLOR does the same", isFlag: true },
  quiet: { alias: "q", describe: "No notes on stderr; errors remain", isFlag: true },
  debug: { describe: "Show the stack trace of an error", isFlag: true },
};

/** How a view is repeated. */
export const WATCH_OPTIONS: OptionSpecs = {
  watch: {
    alias: "w",
    describe: "Show it again at each change; with --watch=5s, every 5 seconds. Ctrl-C ends it",
    isFlag: true,
    canHaveValue: true,
  },
};

/** Option for arguments as JSON. */
export const ARGS_JSON_OPTION: OptionSpec = {
  describe: "Arguments as JSON: an array by position or an object by name",
};

/** Options of the attempts of an instance, or of each run of a schedule. */
export const ATTEMPT_OPTIONS: OptionSpecs = {
  priority: {
    describe:
      "Lower numbers run first: 0 high, 5 default, 10 low; below 0 runs before all of these",
  },
  timeout: { describe: "Time limit of one attempt; 0 for none" },
  retries: { describe: "How many retries after a failed attempt; -1 for no limit" },
};

/** The options of the program without a verb. */
export const PROGRAM_OPTIONS: OptionSpecs = {
  ...CONNECTION_OPTIONS,
  ...OUTPUT_OPTIONS,
  version: { describe: "Show the version of this program", isFlag: true },
};

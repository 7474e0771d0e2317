import { GRPC_PORT_DEFAULT } from "../../core/address.ts";
import { OUTPUT_FORMATS } from "../output/format.ts";

/** Requests to the daemon to complete a word. `kinds` is a list, `run` a kind or instance. */
export const DAEMON_OFFERS = [
  "kind",
  "kinds",
  "run",
  "instance",
  "unfinished",
  "dead",
  "schedule",
  "node",
  "channel",
  "incident",
  "session",
  // Options from a job's parameters, the values of a parameter, and an argument's values.
  "parameter",
  "value",
  "argument",
] as const;

/** Names known without a daemon: pages of the documentation, and contexts. */
export const LOCAL_OFFERS = ["page", "context"] as const;

/** Names that only the daemon knows. */
export type DaemonOffer = typeof DAEMON_OFFERS[number];

/** Names that the program looks up when a shell completes a word. */
export type LiveOffer = DaemonOffer | typeof LOCAL_OFFERS[number];

/** A shell's offers for a word or a value: names of the daemon, or of this machine. */
export type Offer = LiveOffer | "file" | "folder" | "user" | "command";

/** Names of values in help texts, pages and the manual. */
export const VALUE_NAMES = [
  "TIME",
  "DURATION",
  "ZONE",
  "CRON",
  "WINDOW",
  "N",
  "KIND",
  "KINDS",
  "ID",
  "STATE",
  "TAG",
  "NAME",
  "NAME=VALUE",
  "KIND=DURATION",
  "STEP",
  "STEP=JSON",
  "JSON",
  "FILE",
  "DIR",
  "URL",
  "HOST",
  "ADDRESS",
  "PORT",
  "USER",
  "TOKEN",
  "KEY",
  "ROLE",
  "FORMAT",
  "LEVEL",
  "EVENT",
  "RULE",
  "TEXT",
  "FIELD",
  "FIELDS",
] as const;

/** One of {@link VALUE_NAMES}. */
export type ValueName = typeof VALUE_NAMES[number];

/** A shell's offers, in addition to the choices of an option. */
interface Offered {
  readonly offers?: Offer;
  /** Suggested fixed words; others are valid, too. */
  readonly suggests?: readonly string[];
}

/** One option of a verb. */
export interface OptionSpec extends Offered {
  readonly describe: string;
  /** Single letter. */
  readonly alias?: string;
  readonly isFlag?: boolean;
  /** A flag may be given this value in the same word: `--watch=5s`. */
  readonly optionalValue?: ValueName;
  /** Name of its value in help texts, one of {@link VALUE_NAMES}; absent for a flag. */
  readonly value?: ValueName;
  /** Environment variable that is used if the option is absent. */
  readonly env?: string;
  readonly choices?: readonly string[];
  /** Its heading in the help of a verb with many options; "Options" if absent. */
  readonly heading?: string;
}

/** Options by name. */
export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

/** The same options under a heading of the help. */
export function under(heading: string, specs: OptionSpecs): OptionSpecs {
  return Object.fromEntries(
    Object.entries(specs).map(([name, spec]) => [name, { ...spec, heading }]),
  );
}

/** One word after the verb; the last one may take all others. */
export interface WordSpec extends Offered {
  readonly name: string;
  readonly describe: string;
  readonly isOptional?: boolean;
  /** The option that makes it optional. */
  readonly isOptionalWith?: string;
  readonly isRest?: boolean;
  /** True if it is never one of the words after `--`. */
  readonly isBeforeDashes?: boolean;
  /**
   * True if an empty text is valid. Otherwise it is probably a script's unset variable, which must
   * not mean "any" or "all".
   */
  readonly canBeEmpty?: boolean;
}

/** Default host of the daemon. */
export const HOST_DEFAULT = "localhost";
/** Default of the longest wait for one response. */
export const CALL_TIMEOUT_DEFAULT = "10s";

/** Address of the daemon and credentials; read before the connection is made. */
export const CONNECTION_OPTIONS: OptionSpecs = {
  context: {
    alias: "x",
    value: "NAME",
    describe: "The daemon that jobctl context add saved under this name",
    offers: "context",
    env: "JOBCTL_CONTEXT",
  },
  host: {
    value: "HOST",
    describe: `Host of the daemon (default ${HOST_DEFAULT})`,
    env: "JOBCTL_HOST",
  },
  port: {
    value: "PORT",
    describe: `gRPC port of the daemon (default ${GRPC_PORT_DEFAULT})`,
    env: "JOBCTL_PORT",
  },
  socket: {
    value: "FILE",
    describe:
      "Unix socket of the daemon, or none to use TCP (default without a token: the socket of the port, if there is one)",
    offers: "file",
    suggests: ["none"],
    env: "JOBCTL_SOCKET",
  },
  token: {
    value: "TOKEN",
    describe: "Access token; other users can see it in ps, so prefer the variable or --token-file",
    env: "JOBCTL_TOKEN",
  },
  "token-file": {
    value: "FILE",
    describe: "File that holds the access token",
    offers: "file",
    env: "JOBCTL_TOKEN_FILE",
  },
  "daemon-user": {
    value: "USER",
    describe: "User that the daemon on this machine runs as, if neither root nor you",
    offers: "user",
    env: "JOBCTL_DAEMON_USER",
  },
  tls: { describe: "Use TLS, trusting the system's authorities", isFlag: true },
  "tls-ca": {
    value: "FILE",
    describe: "Use TLS, trusting the authorities of this PEM file",
    offers: "file",
    env: "JOBCTL_TLS_CA",
  },
  "tls-cert": {
    value: "FILE",
    describe: "Client certificate (PEM file)",
    offers: "file",
    env: "JOBCTL_TLS_CERT",
  },
  "tls-key": {
    value: "FILE",
    describe: "Key of --tls-cert (PEM file)",
    offers: "file",
    env: "JOBCTL_TLS_KEY",
  },
  "call-timeout": {
    value: "DURATION",
    describe: `Longest wait for one response of the daemon (default ${CALL_TIMEOUT_DEFAULT})`,
    env: "JOBCTL_CALL_TIMEOUT",
  },
  verbose: { describe: "Say on stderr which daemon is asked, and what named it", isFlag: true },
};

/** Output of results. */
export const OUTPUT_OPTIONS: OptionSpecs = {
  output: {
    value: "FORMAT",
    alias: "o",
    describe: `${OUTPUT_FORMATS.join(", ")} (default table)`,
    choices: OUTPUT_FORMATS,
    env: "JOBCTL_OUTPUT",
  },
  compat: {
    value: "NAME",
    describe: "Write JSON with the keys that clients of go-job read",
    choices: ["go-job"],
    env: "JOBCTL_COMPAT",
  },
  "no-color": { describe: "No colors; the variable NO_COLOR does the same", isFlag: true },
  "no-header": { describe: "No line of headings above a table or CSV", isFlag: true },
  quiet: { alias: "q", describe: "No notes on stderr; errors remain", isFlag: true },
  debug: { describe: "Show the stack trace of an error", isFlag: true },
};

/** Repetition of a view. */
export const WATCH_OPTIONS: OptionSpecs = {
  watch: {
    alias: "w",
    describe: "Show it again at each change, or every DURATION, until Ctrl-C",
    isFlag: true,
    optionalValue: "DURATION",
  },
};

/** Option of the verbs that show records. */
export const FIELDS_OPTION: OptionSpecs = {
  fields: {
    value: "FIELDS",
    describe: "Only these fields, separated by commas, in this order; a wrong name lists all",
  },
};

/** The same with the fields that a shell offers: common ones, as there are too many. */
export function fieldsOption(...suggests: readonly string[]): OptionSpecs {
  return { fields: { ...FIELDS_OPTION.fields!, suggests } };
}

/** The common fields of instances. */
export const INSTANCE_FIELDS = fieldsOption(
  "id",
  "kind",
  "state",
  "duration_ms",
  "error",
  "arguments",
  "results",
  "attempts",
  "created_at",
  "node",
);

/** Option for arguments as JSON. */
export const ARGS_JSON_OPTION: OptionSpec = {
  value: "JSON",
  describe: "Arguments as JSON: an array by position or an object by name",
};

/** The options of the program without a verb. */
export const PROGRAM_OPTIONS: OptionSpecs = {
  ...CONNECTION_OPTIONS,
  ...OUTPUT_OPTIONS,
  version: { alias: "V", describe: "Show the version of this program", isFlag: true },
};

/** An option as help texts write it: `--at TIME`. */
export function optionText(name: string, { isFlag, value, optionalValue }: OptionSpec): string {
  if (optionalValue !== undefined) return `--${name}[=${optionalValue}]`;
  return isFlag ? `--${name}` : `--${name} ${value ?? "VALUE"}`;
}

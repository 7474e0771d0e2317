import type { AttemptUsage, LiveUsage, LogEntry } from "../core/instance.ts";
import type { OutputLimits } from "../core/job/gen/job_options.ts";
import type { AttemptResult } from "../worker/protocol.ts";

/**
 * Version of the messages between daemon and supervisor. Both are the same program, unless its file
 * was replaced meanwhile.
 */
export const SUPERVISOR_VERSION = 1;

/** All that a supervisor needs to know of a command, so that it keeps nothing between two. */
export interface CommandLaunch {
  readonly argv: readonly string[];
  /** Its environment, without the path of its result file. */
  readonly env: Readonly<Record<string, string>>;
  /** Null for `home`, or the root if that does not exist. */
  readonly cwd: string | null;
  readonly home: string;
  readonly umask: number | null;
  /** Text of its standard input; null for none. */
  readonly stdin: string | null;
  /** Value of the environment variable by which its processes are known. */
  readonly marker: string;
  /** How many files it may have open; null for as many as its daemon. */
  readonly openFiles: number | null;
  readonly output: OutputLimits;
  /** Secrets that it was given; masked in its output. */
  readonly secrets: readonly string[];
  readonly successCodes: readonly number[];
  /** True if processes that it leaves behind keep running. */
  readonly leavesChildren: boolean;
}

/** Daemon → supervisor. `run` is the number of a command, never used twice. */
export type ToSupervisor =
  | {
    readonly type: "run";
    readonly run: number;
    readonly command: CommandLaunch;
    /** How long it may run unless that is extended, in milliseconds from now. */
    readonly untilMs: number;
    /** True if `started` is needed at once. Otherwise it comes only if the command takes longer. */
    readonly wantsStarted: boolean;
  }
  /** These commands may run this long from now on. */
  | { readonly type: "until"; readonly runs: readonly number[]; readonly untilMs: number }
  /** SIGTERM goes to the process group of the command, SIGKILL to all of its processes. */
  | { readonly type: "signal"; readonly run: number; readonly signal: "SIGTERM" | "SIGKILL" }
  /** End once nothing runs and nothing that a command left behind writes. */
  | { readonly type: "end" };

/** What a command uses. */
export interface CommandUsage extends LiveUsage {
  readonly run: number;
}

/** Supervisor → daemon. */
export type FromSupervisor =
  | { readonly type: "hello"; readonly version: number; readonly pid: number }
  /** It cannot be set up as required, for example with its user. */
  | { readonly type: "unfit"; readonly message: string }
  /** The program runs; its process leads a session and a group. */
  | { readonly type: "started"; readonly run: number; readonly pid: number }
  | { readonly type: "log"; readonly run: number; readonly entries: readonly LogEntry[] }
  /** What commands use that have run for a while. */
  | { readonly type: "usage"; readonly runs: readonly CommandUsage[] }
  /** All of its output was sent, and its processes are gone or left to run. */
  | {
    readonly type: "ended";
    readonly run: number;
    /** Null if it was killed because its time was over. */
    readonly result: AttemptResult | null;
    /** The last lines of its standard error. */
    readonly stderrTail: string;
    /** What its processes used; null if it did not start. Older versions leave it out. */
    readonly usage: AttemptUsage | null;
  };

/** Most entries, or commands, in one message. */
export const ENTRIES_MAX = 500;
/** Most characters of the entries in one message. */
export const ENTRIES_LENGTH_MAX = 262_144;

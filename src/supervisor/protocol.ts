import type { AttemptUsage, LiveUsage, LogEntry } from "../core/instance.ts";
import type { OutputLimits } from "../core/job/gen/job_options.ts";
import type { AbortCause, FreezeProblem } from "../worker/executor.ts";
import type { AttemptResult } from "../worker/protocol.ts";

/**
 * Version of the messages between daemon and supervisor. A supervisor that a daemon has started is
 * the same program, unless its file was replaced meanwhile. A found one may be one version older or
 * newer; see {@link commonVersion}. Only supervisors of the same program get new commands.
 */
export const SUPERVISOR_VERSION = 3;
/** Supervisors of earlier versions cannot be found. */
const FIRST_VERSION = 2;
/** From this version on, a supervisor answers `attach` and `check`. */
export const ANSWERING_VERSION = 3;

/**
 * The version that a program of version `own` speaks with one of version `other`: the older of two
 * neighbors. Null if they do not understand each other.
 */
export function commonVersion(own: number, other: number): number | null {
  const older = Math.min(own, other);
  return Math.abs(own - other) <= 1 && older >= FIRST_VERSION ? older : null;
}

/** Everything that a supervisor needs to know of a command; it keeps nothing between two. */
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
  /** Value of the environment variable that marks its processes. */
  readonly marker: string;
  /** Limit of its open files; null for its daemon's limit. */
  readonly openFiles: number | null;
  /** Limit of its memory, where control groups bound that; null for none. */
  readonly memoryBytes: number | null;
  readonly output: OutputLimits;
  /** Secrets that it was given; masked in its output. */
  readonly secrets: readonly string[];
  readonly successCodes: readonly number[];
  /** True if processes that it leaves behind keep running. */
  readonly leavesChildren: boolean;
}

/** The marker of a command, by the token of its supervisor and its number there. */
export function markerOfRun(token: string, run: number): string {
  return `${token}.${run}`;
}

/** The claim that a command runs for. */
export interface ClaimOfRun {
  readonly id: string;
  readonly fence: number;
}

/** A claim as a supervisor keeps it. */
export interface SealedClaim extends ClaimOfRun {
  /** See `ClaimSeal`; empty if no daemon can find the supervisor. */
  readonly seal: string;
}

/** A command that a supervisor runs, or whose end no daemon has recorded yet. */
export interface FoundRun {
  readonly run: number;
  readonly claim: SealedClaim;
  /** Its first process; null if that did not start. */
  readonly pid: number | null;
  /** Time since its start, in milliseconds. */
  readonly ageMs: number;
  /** Time since its end, in milliseconds; null if it runs. Older versions omit it. */
  readonly endedAgoMs: number | null;
  /** Remaining time limit, in milliseconds. */
  readonly leftMs: number;
  /** True if it is frozen now. */
  readonly isFrozen: boolean;
  /** Total time that it has been frozen, in milliseconds. */
  readonly frozenMs: number;
  /** Why a daemon has signaled it; null without a signal. Older versions omit it. */
  readonly aborted?: AbortCause | null;
}

/** Daemon → supervisor. `run` is the number of a command, never used twice. */
export type ToSupervisor =
  | {
    readonly type: "run";
    readonly run: number;
    readonly claim: SealedClaim;
    readonly command: CommandLaunch;
    /** Time limit unless extended, in milliseconds from now. */
    readonly untilMs: number;
    /** Epoch ms before which it must not begin; absent if it may begin at once. */
    readonly startAt?: number | undefined;
    /** True if `started` is needed at once. Otherwise it comes only if the command takes longer. */
    readonly wantsStarted: boolean;
  }
  /** These commands may run this long from now on. */
  | { readonly type: "until"; readonly runs: readonly number[]; readonly untilMs: number }
  /** SIGTERM goes to the process group of the command, SIGKILL to all of its processes. */
  | {
    readonly type: "signal";
    readonly run: number;
    readonly signal: "SIGTERM" | "SIGKILL";
    /** Why the attempt is aborted. It is kept: this daemon may end before it records that. */
    readonly cause?: AbortCause;
  }
  /** Freeze all processes of the command, or let them continue. */
  | { readonly type: "freeze"; readonly run: number; readonly isFrozen: boolean }
  /**
   * The store has the first `lines` printed lines of these commands, and the outcomes of commands
   * in `done`: they can be dropped.
   */
  | {
    readonly type: "ack";
    readonly lines: readonly (readonly [run: number, lines: number])[];
    readonly done: readonly number[];
  }
  /** Asks for `running`. */
  | { readonly type: "check" }
  /** The daemon ends, and leaves running commands to the next one: close the connection. */
  | { readonly type: "detach" }
  /** End once nothing runs, and no leftover process of a command writes. */
  | { readonly type: "end" }
  /** End at once, with all running commands. */
  | { readonly type: "quit" };

/** First messages of a daemon to a supervisor that it has found. */
export type ToFoundSupervisor =
  /** Asks for `hello` and `runs`. Nothing else changes. */
  | { readonly type: "list"; readonly version: number; readonly secret: string }
  /** Takes its commands over, and requests everything unacknowledged. */
  | { readonly type: "attach" };

/** Resource use of a command. */
export interface CommandUsage extends LiveUsage {
  readonly run: number;
}

/** Supervisor → daemon. */
export type FromSupervisor =
  | {
    readonly type: "hello";
    readonly version: number;
    readonly pid: number;
    /** True if it keeps its commands for the next daemon. */
    readonly isAdoptable: boolean;
    /** The version of its program; null once it ends with its commands. Older ones omit it. */
    readonly program: string | null;
    /** The highest number of its commands. */
    readonly lastRun: number;
  }
  /** Some of its commands. */
  | { readonly type: "runs"; readonly runs: readonly FoundRun[]; readonly isLast: boolean }
  /** The response to `attach`, before the unacknowledged data. */
  | { readonly type: "attached" }
  /** The response to `check`: every command that has not ended. */
  | { readonly type: "running"; readonly runs: readonly number[] }
  /** It cannot be set up as required, for example with its user. */
  | { readonly type: "unfit"; readonly message: string }
  /** The program runs; its process leads a session and a group. */
  | {
    readonly type: "started";
    readonly run: number;
    readonly pid: number;
    /** True if the kernel bounds its memory. */
    readonly isBounded: boolean;
  }
  /** The response to `freeze`: null, or why not. */
  | { readonly type: "frozen"; readonly run: number; readonly problem: FreezeProblem | null }
  | {
    readonly type: "log";
    readonly run: number;
    /** Number of lines that the command had printed before these: other lines do not count. */
    readonly first: number;
    readonly entries: readonly LogEntry[];
  }
  /** Resource use of commands that have run for a while. */
  | { readonly type: "usage"; readonly runs: readonly CommandUsage[] }
  /** All of its output was sent, and its processes are gone or may keep running. */
  | {
    readonly type: "ended";
    readonly run: number;
    /** Null if it was killed because its time was over. */
    readonly result: AttemptResult | null;
    /** The last lines of its standard error. */
    readonly stderrTail: string;
    /** Resource use of its processes; null if it did not start. Older versions omit it. */
    readonly usage: AttemptUsage | null;
    /** Time since then, in milliseconds, if no daemon was there; else absent. */
    readonly agoMs?: number;
    /** Why a daemon had signaled it before; null without a signal. Older versions omit it. */
    readonly aborted?: AbortCause | null;
  };

/** Name of the error of a command that needed more memory than it may use. */
export const MEMORY_LIMIT_ERROR = "MemoryLimitError";
/** Most entries, or commands, in one message. */
export const ENTRIES_MAX = 500;
/** Most characters of the entries in one message. */
export const ENTRIES_LENGTH_MAX = 262_144;
/** Most commands in one message that describes them. */
export const RUNS_MAX = 500;
/** Most commands of one supervisor. */
export const RUNS_TOTAL_MAX = 100_000;
/**
 * Longest message to a supervisor that was found, in bytes: a command has its arguments four times,
 * with every character escaped.
 */
export const FOUND_BYTES_MAX = 67_108_864;
/** Highest number of a command that a supervisor is believed to have had. */
export const LAST_RUN_MAX = 2 ** 52;

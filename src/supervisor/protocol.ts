import type { AttemptUsage, LiveUsage, LogEntry } from "../core/instance.ts";
import type { OutputLimits } from "../core/job/gen/job_options.ts";
import type { AbortCause, FreezeProblem } from "../worker/executor.ts";
import type { AttemptResult } from "../worker/protocol.ts";

/**
 * Version of the messages between daemon and supervisor. A supervisor that a daemon has started is
 * the same program, unless its file was replaced meanwhile. One that it finds may be one version
 * older or newer; see {@link commonVersion}. Only one of the same program gets new commands.
 */
export const SUPERVISOR_VERSION = 3;
/** Nothing can be found of supervisors of earlier versions. */
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
  /** How much memory it may use, where control groups bound that; null for any. */
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
  /** Of the instance. */
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
  /** How long ago it began, in milliseconds. */
  readonly ageMs: number;
  /** How long ago it ended, in milliseconds; null if it runs. Older versions leave it out. */
  readonly endedAgoMs: number | null;
  /** How long it may still run, in milliseconds. */
  readonly leftMs: number;
  /** True if it is frozen now. */
  readonly isFrozen: boolean;
  /** How long it has been frozen in all, in milliseconds. */
  readonly frozenMs: number;
  /** Why a daemon has signaled it; null if none has. Older versions leave it out. */
  readonly aborted?: AbortCause | null;
}

/** Daemon → supervisor. `run` is the number of a command, never used twice. */
export type ToSupervisor =
  | {
    readonly type: "run";
    readonly run: number;
    readonly claim: SealedClaim;
    readonly command: CommandLaunch;
    /** How long it may run unless that is extended, in milliseconds from now. */
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
   * The store has the first `lines` printed lines of these commands, and the outcomes of those in
   * `done`: they need not be kept any longer.
   */
  | {
    readonly type: "ack";
    readonly lines: readonly (readonly [run: number, lines: number])[];
    readonly done: readonly number[];
  }
  /** Asks for `running`. */
  | { readonly type: "check" }
  /** The daemon ends, and leaves what runs to the next one: close the connection. */
  | { readonly type: "detach" }
  /** End once nothing runs, and nothing that a command left behind writes. */
  | { readonly type: "end" }
  /** End at once, with all that runs. */
  | { readonly type: "quit" };

/** What a daemon says to a supervisor that it has found, before it may say anything else. */
export type ToFoundSupervisor =
  /** Asks for `hello` and `runs`. Nothing else changes. */
  | { readonly type: "list"; readonly version: number; readonly secret: string }
  /** Takes its commands over, and asks for all that is not acknowledged. */
  | { readonly type: "attach" };

/** What a command uses. */
export interface CommandUsage extends LiveUsage {
  readonly run: number;
}

/** Supervisor → daemon. */
export type FromSupervisor =
  | {
    readonly type: "hello";
    readonly version: number;
    readonly pid: number;
    /** True if it keeps what it runs for the next daemon. */
    readonly isAdoptable: boolean;
    /** The version of its program; null once it ends with what it runs. Older ones leave it out. */
    readonly program: string | null;
    /** The highest number that a command of it has had. */
    readonly lastRun: number;
  }
  /** Some of what it runs. */
  | { readonly type: "runs"; readonly runs: readonly FoundRun[]; readonly isLast: boolean }
  /** The response to `attach`, before all that is not acknowledged. */
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
    /** How many lines the command had printed before these: only what it printed counts. */
    readonly first: number;
    readonly entries: readonly LogEntry[];
  }
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
    /** How long ago that was, in milliseconds, if no daemon could be told; else absent. */
    readonly agoMs?: number;
    /** Why a daemon had signaled it before; null if none had. Older versions leave it out. */
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

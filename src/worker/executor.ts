import type {
  AttemptUsage,
  ErrorInfo,
  Instance,
  LiveUsage,
  LogEntry,
  ProcessPlace,
  Progress,
} from "../core/instance.ts";
import type { StepPut, Wait } from "../core/wait.ts";
import type { JobDefinition } from "../core/job/job.ts";
import type { JobState } from "../core/state.ts";

/** Why a running attempt is aborted. */
export type AbortCause = "timeout" | "deadline" | "canceled" | "drain" | "lease";

/** Longest execution of one handler, in milliseconds; then it is stopped. */
export const HANDLER_MS_MAX = 10_000;

/** One attempt to execute. */
export interface AttemptTask {
  readonly job: JobDefinition;
  /** As claimed: its fence is the claim's. */
  readonly instance: Instance;
  /**
   * Monotonic ms by which job code must have ended: the end of the lease minus a margin.
   * {@link Attempt.extend} moves it.
   */
  readonly deadlineMs: number;
  /**
   * Epoch ms before which job code must not begin, a few milliseconds from now; absent if it may
   * begin at once. Only for an executor with {@link Executor.keepsStartAt}.
   */
  readonly startAt?: number | undefined;
  /**
   * Resolves when earlier handlers of the instance have ended. A function in this process begins
   * after that, so that the log has their lines first.
   */
  readonly after?: Promise<void> | null;
}

/** Receives a running attempt's output and manager calls, in order. */
export interface AttemptSink {
  log(entries: readonly LogEntry[]): void;
  /** Progress of the job; called at most twice a second. */
  progress(progress: Progress): void;
  placed(place: ProcessPlace): void;
  /** Usage of its processes so far, or in total once they have ended. */
  used(usage: AttemptUsage | LiveUsage): void;
  /** It ended this many milliseconds ago, while no daemon ran. Called before the outcome. */
  endedAgo(ms: number): void;
  /** A call of the job's `Manager` proxy: method name and arguments as JSON values. */
  call(method: string, args: readonly unknown[]): Promise<unknown>;
}

/** Job code's choice in place of the retry policy: a delay in ms, no retry, or discard. */
export type RetryWish = number | "never" | "discarded";

/** A failed attempt's error and the decisions of the job's handlers. */
interface FailureDetail {
  readonly error: ErrorInfo;
  readonly wish?: RetryWish | undefined;
  /** The worker was gone before the job's handlers ran: {@link Executor.handle} calls them. */
  readonly isUnasked?: boolean;
}

/** The end of an attempt. By then job code has ended, with its whole process group. */
export type AttemptOutcome =
  /** An explicit result message, or a function that returned: the only success. */
  | {
    readonly type: "ok";
    readonly resultsJson: string;
    /** Steps to record with it. */
    readonly steps?: readonly StepPut[];
  }
  /** It threw, exited with a failure, had no valid result, or exceeded its limits. */
  | ({ readonly type: "error"; readonly reason?: "limit" } & FailureDetail)
  /** It asked to run again later: neither a success nor a failure. */
  | { readonly type: "snooze"; readonly delayMs: number }
  /** Nothing but waits is left to run: another run continues it. */
  | { readonly type: "park"; readonly waits: readonly Wait[]; readonly steps: readonly StepPut[] }
  /** It was aborted; with `isUnstarted`, before any job code ran. */
  | ({
    readonly type: "aborted";
    readonly cause: AbortCause;
    readonly isUnstarted?: boolean;
  } & FailureDetail)
  /** Not started, as the system lacks processes, descriptors or memory: retry at any time. */
  | { readonly type: "unstarted"; readonly error: ErrorInfo }
  /** Its worker was killed from outside or could not be started. */
  | ({ readonly type: "lost" } & FailureDetail);

/** A handler of a job that is called outside of an attempt. */
export type HandlerCall =
  | { readonly type: "stateChange"; readonly state: JobState }
  /** The attempt failed with `error`, and its own worker was gone. */
  | { readonly type: "terminate"; readonly error: ErrorInfo };

/** One call of a handler. */
export interface HandlerTask {
  readonly job: JobDefinition;
  readonly instance: Instance;
  readonly call: HandlerCall;
  /** Takes its output, and a line if it fails. */
  log(entries: readonly LogEntry[]): void;
}

/** Why a command is not frozen or thawed; `groups` if the system does not support it. */
export interface FreezeProblem {
  readonly type: "groups" | "state";
  readonly message: string;
}

/** A running attempt. */
export interface Attempt {
  /** Never rejects. */
  readonly outcome: Promise<AttemptOutcome>;
  /** The lease was renewed: move the deadline. */
  extend(deadlineMs: number): void;
  /** Abort signal → SIGTERM to the group → `killAfterMs` → SIGKILL. The first cause counts. */
  abort(cause: AbortCause): void;
  /** Let an abort take no longer than this before SIGKILL. Absent if it cannot be killed. */
  hurry?(withinMs: number): void;
  /**
   * Reason why nothing runs for the attempt, if known; null if a process runs or is about to.
   * Absent for attempts in this process.
   */
  missing?(): string | null;
  /** The store has its first `lines` printed lines. */
  linesRecorded?(lines: number): void;
  /** The store has its outcome, or needs none. */
  outcomeRecorded?(): void;
  /** True if {@link leave} would succeed now; its process may still be starting. */
  readonly canLeave?: boolean;
  /**
   * Leave it to the next daemon of this node, which finds it as one of its {@link Survivors}. Its
   * outcome never resolves then. False if it cannot be left, or is being aborted.
   */
  leave?(): boolean;
  /**
   * Freeze all of its processes, or let them continue; absent if that is never possible. Its time
   * limit pauses meanwhile. An abort lets them continue.
   *
   * @returns null on success
   */
  freeze?(isFrozen: boolean): Promise<FreezeProblem | null>;
}

/** An attempt that an earlier daemon began, and that still runs or has not been recorded. */
export interface FoundAttempt {
  readonly id: string;
  readonly fence: number;
  /** Time since it began, in milliseconds. */
  readonly ageMs: number;
  /** Remaining time limit unless extended, in milliseconds from when it was found. */
  readonly leftMs: number;
  /** True if it was claimed but not begun: adopting it only releases the claim. */
  readonly isUnbegun: boolean;
}

/** The attempts that outlive a daemon. */
export interface Survivors {
  /** The place where daemons of one node find them; a daemon that looks elsewhere does not. */
  readonly place: string;
  /**
   * Find the remaining runs of earlier daemons. This takes nothing over: another daemon may turn
   * out to live. Never rejects.
   */
  find(): Promise<readonly FoundAttempt[]>;
  /** Take over a found attempt. @param lines number of its printed lines in the store */
  adopt(found: FoundAttempt, task: AttemptTask, sink: AttemptSink, lines: number): Attempt;
  /** Continue adopted attempts, and end all other found ones. */
  begin(): void;
  /** Leave found runs as they are. */
  leave(): void;
}

/**
 * Executes attempts. It owns the time limit of an attempt (`instance.timeoutMs`, from the start of
 * job code) and the steps that end job code; it knows nothing of stores, retries and schedules.
 */
export interface Executor {
  start(): Promise<void>;
  /** End all runs except those left running. Allowed after a failed start, to clean up. */
  stop(): Promise<void>;
  /** Kill all runs at once, except those left running: this process is about to end. */
  kill?(): void;
  /**
   * Start an attempt at once, or soon if many short ones wait. The caller respects the capacity,
   * not counting attempts that wait here.
   */
  run(task: AttemptTask, sink: AttemptSink): Attempt;
  /**
   * True if it accepts attempts of this job early, and begins them no sooner than their `startAt`.
   * Absent if it never does.
   */
  keepsStartAt?(job: JobDefinition): boolean;
  /** Attempts given to it that have not begun. */
  readonly waiting: number;
  /** An attempt follows in about a second: start its process. Absent if it starts none. */
  prepare?(job: JobDefinition): void;
  /**
   * Call a handler of the job in a worker, for at most HANDLER_MS_MAX. Never rejects.
   *
   * @returns its outcome; for "terminate" the attempt's outcome after `onTerminate` and
   * `retryDelay`.  Null if it was killed or never called; its log then says so
   */
  handle(task: HandlerTask): Promise<AttemptOutcome | null>;
  /** Absent if none of its runs outlive this process. */
  readonly survivors?: Survivors | undefined;
  /** Keep at most `count` workers; surplus ones end when idle. */
  resize(count: number): void;
  stats(): {
    /** Processes that run job code, or commands. */
    readonly alive: number;
    /** Attempts that run in them. */
    readonly busy: number;
    /** Consecutive failures to start workers; absent if it starts none. */
    readonly failedStarts?: number;
    /** Supervisors that do not respond; absent if there are none. */
    readonly silent?: number;
  };
}

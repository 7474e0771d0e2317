/**
 * Text of the `ts-job.d.ts` that `jobctl init` writes, so that editors know the types which job modules import.
 *
 * It holds types only: a module that imports values of ours would need our package beside it.
 */
export const AMBIENT_TYPES =
  `// Types for job modules. Written by "jobctl init"; write it again after an upgrade.
//
// Import them as types only:
//   import type { Context } from "ts-job";
// A parameter of type Context, Instance, Manager, Worker or AbortSignal (which needs no import) takes no argument: it is
// given its value wherever it stands.
declare module "ts-job" {
  export type JobState =
    | "created"
    | "scheduled"
    | "processing"
    | "completed"
    | "terminated"
    | "canceled"
    | "timedOut";

  /** A whole number: arguments that are none, or that a number cannot hold exactly, are refused. */
  export type Int = number;

  /** A length of time in milliseconds; its arguments are text such as "90s", "1h30m" or "7d", or milliseconds. */
  export type Duration = number;

  /** Writes to the log of the instance: jobctl logs ID. */
  export interface InstanceLog {
    /** Values are formatted and joined as console.log does. */
    debug(...values: readonly unknown[]): void;
    info(...values: readonly unknown[]): void;
    warn(...values: readonly unknown[]): void;
    error(...values: readonly unknown[]): void;
  }

  /** The instance that runs: its data and its log. */
  export interface Instance {
    readonly id: string;
    readonly kind: string;
    readonly state: JobState;
    /** 1 for the first attempt. */
    readonly attempt: number;
    readonly fence: number;
    readonly priority: number;
    readonly arguments: readonly unknown[];
    /** Due time of the tick, for instances of a recurring schedule. */
    readonly scheduledFor: Date | null;
    readonly createdAt: Date;
    readonly retryOf: string | null;
    readonly log: InstanceLog;
  }

  export interface Context {
    readonly instance: Instance;
    readonly log: InstanceLog;
    /** Aborts at timeout, cancel, drain and a lost lease. */
    readonly signal: AbortSignal;
    /** Rises with every claim: give it to whatever you write to, and let it refuse a lower one. */
    readonly fence: number;
    /** Due time of the tick, or of the instance. */
    readonly scheduledFor: Date;
    /** Schedules, looks up and cancels instances. */
    readonly manager: Manager;
    /** How far the job is; leave total out when it is not known. Written twice a second at most, the last one always. */
    progress(done: number, total?: number): void;
    /** End this attempt and go on with another one after the delay: milliseconds or "5m". No failure. Throws. */
    snooze(delay: number | string): never;
    /** End the instance for good: it fails with the reason and is not tried again. Throws. */
    discard(reason?: string): never;
  }

  /** Arguments by position, or by parameter name. */
  export type ArgumentInput = readonly unknown[] | Readonly<Record<string, unknown>>;

  /** Without a time the instance is due at once. */
  export interface ScheduleOptions {
    readonly arguments?: ArgumentInput;
    readonly id?: string;
    /** Lower runs first: 0 high, 5 default, 10 low. */
    readonly priority?: number;
    /** Date or epoch milliseconds. Excludes after. */
    readonly at?: Date | number;
    /** Milliseconds, or text such as "2h"; so are the other lengths of time. */
    readonly after?: DurationInput;
    readonly afterMs?: number;
    readonly jitter?: DurationInput;
    readonly jitterMs?: number;
    readonly timeout?: DurationInput;
    readonly timeoutMs?: number;
    readonly deadline?: DurationInput;
    readonly deadlineMs?: number;
    readonly retries?: number;
    /** While another holds this key, scheduling answers that instance; with other arguments it is refused. */
    readonly uniqueKey?: string;
    /** How long since its acceptance the key is held even when the instance has finished. */
    readonly uniqueFor?: DurationInput;
    readonly uniqueForMs?: number;
    /** What is done when the key is held: answer that one whatever its arguments, or replace it while it waits. */
    readonly onConflict?: "refuse" | "keep" | "replace";
  }

  /** An instance as the store holds it. Times are epoch milliseconds. */
  export interface StoredInstance {
    readonly id: string;
    readonly kind: string;
    readonly state: JobState;
    readonly reason: string | null;
    readonly priority: number;
    readonly argumentsJson: string;
    readonly resultsJson: string | null;
    readonly dueAt: number;
    readonly createdAt: number;
    readonly processedAt: number | null;
    readonly settledAt: number | null;
    readonly attempt: number;
    readonly retryOf: string | null;
    readonly progress: { readonly done: number; readonly total: number | null } | null;
  }

  /** A state, as the library, the CLI and JSON spell it. */
  export type StateName =
    | JobState
    | Capitalize<JobState>
    | "cancelled"
    | "Cancelled"
    | "timed_out";

  /** A Date, epoch milliseconds, or ISO 8601 text. */
  export type TimeInput = Date | number | string;

  /** Which instances are meant; all given conditions must hold. */
  export interface InstanceFilter {
    /** Its id, or what scheduleJob returned. */
    readonly instance?: string | { readonly id: string };
    readonly ids?: readonly string[];
    /** The first 4 or more characters of ids. */
    readonly idPrefix?: string;
    readonly kind?: string | { readonly kind: string };
    readonly kinds?: readonly string[];
    readonly state?: StateName;
    readonly states?: readonly StateName[];
    readonly scheduleId?: string;
    readonly uniqueKey?: string;
    readonly retryOf?: string | { readonly id: string };
    /** Only what failed for good and was not run again. */
    readonly isDead?: true;
    /** Created at or after. */
    readonly after?: TimeInput;
    /** Created before. */
    readonly before?: TimeInput;
  }

  export interface BulkOptions {
    /** All of them, where no condition is given. */
    readonly all?: boolean;
  }

  export type BulkFilter = InstanceFilter & BulkOptions;

  /** Refuses a member that Known does not name, in a variable too. */
  export type Exact<Given, Known> =
    & Given
    & { readonly [Key in Exclude<keyof Given, keyof Known>]: never };

  /**
   * The manager, as a job may use it while it runs. An attempt that is executed again and schedules the same (kind and
   * arguments, for the n-th time) is answered with what the attempt before it scheduled.
   */
  export interface Manager {
    scheduleJob(kind: string, options?: ScheduleOptions): Promise<StoredInstance>;
    /** All or none; at most 1,000. */
    scheduleJobs(
      requests: readonly (ScheduleOptions & { readonly kind: string })[],
    ): Promise<readonly StoredInstance[]>;
    getInstance(id: string): Promise<StoredInstance>;
    lookupInstances<Filter extends InstanceFilter>(
      filter?: Exact<Filter, InstanceFilter>,
      page?: {
        readonly limit?: number;
        readonly token?: string;
        readonly order?: "newest" | "oldest";
      },
    ): Promise<{ readonly items: readonly StoredInstance[]; readonly nextToken: string | null }>;
    /** Without a condition it asks for all: true. */
    cancelInstances<Filter extends BulkFilter>(
      filter: Exact<Filter, BulkFilter>,
      options?: BulkOptions,
    ): Promise<readonly StoredInstance[]>;
    /** Null when timeoutMs passed first. The waiting job keeps its worker. */
    waitInstance(id: string, timeoutMs?: number): Promise<StoredInstance | null>;
  }

  /** The process that runs the job. */
  export interface Worker {
    readonly id: string;
    readonly pid: number;
    readonly node: string | null;
  }

  /** Milliseconds, or text such as "90s", "1h30m" or "7d". */
  export type DurationInput = number | string;

  export interface ConcurrencyInput {
    readonly max: number;
    /** A parameter, a path into one such as "customer.id", or several. */
    readonly by?: string | readonly string[];
    readonly per?: "cluster" | "node";
  }

  export interface RateInput {
    readonly max: number;
    readonly per: DurationInput;
    readonly by?: string | readonly string[];
  }

  /**
   * A job with options, as a module's default export:
   *   export default { timeout: "1m", run(x: number) { return x; } } satisfies JobInput;
   */
  export interface JobInput {
    /** The file's name when it is missing. */
    readonly kind?: string;
    readonly description?: string;
    readonly run: (...args: any[]) => unknown;
    /** Parameters as text where the source does not show them: "x: number, note?: string". */
    readonly params?: string;
    readonly priority?: number;
    /** Limit of one attempt; 0 is none. */
    readonly timeout?: DurationInput;
    /** Limit of the whole instance from its first due time, with all waits and retries. */
    readonly deadline?: DurationInput;
    /** From the abort signal to the kill. */
    readonly killAfter?: DurationInput;
    /** A number is the most retries; -1 for ever. */
    readonly retry?: number | {
      readonly max?: number;
      readonly backoff?: "fixed" | "linear" | "exponential";
      readonly initial?: DurationInput;
      readonly cap?: DurationInput;
      readonly jitter?: number;
      readonly on?: readonly ("error" | "timeout")[];
      /** Errors that no retry follows: by name, exit code or signal. */
      readonly notOn?: readonly (string | number)[];
    };
    readonly crashesMax?: number;
    readonly onCrash?: "retry" | "terminate";
    /** After a stop of the daemon ended its attempt: run again, or give it up; by default as onCrash says. */
    readonly onDrain?: "retry" | "terminate";
    /** At a stop: how long a running attempt may finish. */
    readonly drain?: DurationInput;
    /** False: a running attempt does not count as one of the node's workers. */
    readonly workerSlot?: boolean;
    readonly keep?: DurationInput | {
      readonly success?: DurationInput;
      readonly failure?: DurationInput;
    };
    readonly isolation?: "process" | "inline";
    /** Most instances that run at once: of the job, or of each value of a parameter. */
    readonly concurrency?: number | ConcurrencyInput | readonly (number | ConcurrencyInput)[];
    /** Most starts in a span, "10/1m": of the job, or of each value of a parameter. */
    readonly rate?: string | RateInput | readonly (string | RateInput)[];
    /** What makes two instances the same one: "arguments", parameters, or an object. */
    readonly unique?: string | readonly string[] | {
      readonly by?: string | readonly string[];
      readonly for?: DurationInput;
      readonly onConflict?: "keep" | "replace";
    };
    /** The pool of workers that it takes its share of. */
    readonly pool?: string;
    /** Most instances that wait at once; a further one is refused. */
    readonly waitingMax?: number;
    /** Tags that a node must have to run it, such as "gpu". */
    readonly needs?: string | readonly string[];
    /** Cron expression, nickname or "@every 15m", or several. */
    readonly schedule?: string | readonly string[];
    /** IANA zone of the schedules. */
    readonly timezone?: string;
    /** Arguments of scheduled instances. */
    readonly args?: ArgumentInput;
    readonly overlap?: "skip" | "queue" | "replace" | "allow";
    /** With overlap "queue": how many ticks of one schedule wait at most. */
    readonly queueMax?: number;
    readonly misfire?: "skip" | "latest" | "all";
    /** Ticks that are older than this are missed, whatever \`misfire\` says. */
    readonly misfireWithin?: DurationInput;
    /** Each run is later than its tick by up to this much. */
    readonly jitter?: DurationInput;
    /** No tick is before this time, such as "2026-12-24" or "2026-12-24T18:00:00Z". */
    readonly startsAt?: string;
    /** No tick is at or after this time. */
    readonly endsAt?: string;
    /** Windows in which ticks are skipped: "22:00-06:00", "sat-sun" or "2026-12-24/2026-12-27". */
    readonly blackout?: string | readonly string[];
    /** After so many runs each schedule of the job is finished. */
    readonly runsMax?: number;
    /** How much of an attempt's output is kept, half from its beginning and half from its end. */
    readonly output?: { readonly sizeMax?: number | string; readonly linesMax?: number };
    /** What an attempt may use, all its processes together: bytes or "512MB", processor time, open files of each. */
    readonly limits?: {
      readonly memory?: number | string;
      readonly cpu?: DurationInput;
      readonly openFiles?: number;
    };
    /** Priority for the processor, from 0 to 19, last. */
    readonly nice?: number;
    /** After success and before the outcome is recorded. */
    readonly onComplete?: (instance: Instance, results: readonly unknown[]) => unknown;
    /** After a failed attempt: null resolves the error, another error replaces it. */
    readonly onTerminate?: (instance: Instance, error: Error) => unknown;
    /** After a failed attempt: the wait before the next one; null not to try again, undefined for what the policy says. */
    readonly retryDelay?: (instance: Instance, error: Error) => unknown;
    /** After each recorded change of state. */
    readonly onStateChange?: (instance: Instance, state: JobState) => unknown;
  }
}
`;

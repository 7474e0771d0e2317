import type { ArgumentInput, Signature } from "../arguments/signature.ts";
import type { FlowContext } from "../flow/flow_context.ts";
import type { JobHook } from "../hooks/hook.ts";
import type { JobOptions } from "./gen/job_options.ts";
import type { JobManager } from "./job_manager.ts";
import type { JobFunction } from "../stored_types.ts";
import type { ScheduleSpec } from "../time/schedule.ts";
import type { JobState } from "../state.ts";

/** A schedule of a job with the data for its instances. */
export interface JobSchedule {
  readonly spec: ScheduleSpec;
  /** Arguments as configured: positional, or by parameter name. */
  readonly arguments: ArgumentInput;
  readonly priority?: number;
}

/** Limits of an attempt; null for no limit. */
export interface ProcessLimits {
  /** Memory of all its processes together. */
  readonly memoryBytes: number | null;
  /** Processor time of all its processes together. */
  readonly cpuMs: number | null;
  /** Open files of each process. */
  readonly openFiles: number | null;
}

/** Default limits. */
export const NO_LIMITS: ProcessLimits = { memoryBytes: null, cpuMs: null, openFiles: null };

/** Priorities for disks: a class, and for two of them a level from 0, first, to 7, last. */
export const IO_PRIORITY = /^(?:idle|(?:best-effort|realtime)(?::[0-7])?)$/;

/** The environment of a job's processes; null keeps the daemon's. */
export interface ProcessSpec {
  readonly cwd: string | null;
  /** Beside the minimal environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Values of `env` from references: they are masked in logs and errors. */
  readonly secrets: readonly string[];
  readonly user: string | null;
  /** The user's own by default. */
  readonly group: string | null;
  /** File mode mask. */
  readonly umask: number | null;
  /** From -20, first, to 19, last. */
  readonly nice?: number | null;
  /** Priority for disks, in the form of {@link IO_PRIORITY}. */
  readonly ionice?: string | null;
  readonly limits?: ProcessLimits;
}

/** The process settings of a job that sets none. */
export const NO_PROCESS: ProcessSpec = {
  cwd: null,
  env: {},
  secrets: [],
  user: null,
  group: null,
  umask: null,
  nice: null,
  ionice: null,
  limits: NO_LIMITS,
};

/** The process settings of a command job. */
export interface CommandSpec extends ProcessSpec {
  /** argv; for a shell line the shell's own argv with the line as its last element. */
  readonly argv: readonly string[];
  /** Its standard input; null for an empty one. */
  readonly stdin: CommandInput | null;
  /** Exit codes that are a success. */
  readonly successCodes: readonly number[];
  /** Its parameters in order, as declared by the job, without a rest parameter. */
  readonly parameters: readonly CommandParameter[];
  /** True if a rest parameter accepts any number of further arguments. */
  readonly hasRest: boolean;
  /** True if an argument may begin with "-", as an option does. */
  readonly allowsDash: boolean;
  /** True to let leftover processes keep running; when absent they are ended. */
  readonly leavesChildren?: boolean;
}

/** Standard input of a command: a text, or an argument by name or by position, starting at 1. */
export type CommandInput = { readonly text: string } | { readonly arg: string | number };

/** A declared parameter of a command. */
export interface CommandParameter {
  readonly name: string;
  /** The text for a missing argument; null for none. */
  readonly initial: string | null;
}

/** The source of a job's code. */
export type JobSource =
  | {
    readonly type: "module";
    /** Absolute path of the module. */
    readonly path: string;
    /** The entry of the module's default export: its kind. */
    readonly entry: string;
    /** Content hash, recorded with each attempt. */
    readonly version: string;
    /** Hashes by absolute path of its file and its relative imports. */
    readonly files?: ReadonlyMap<string, string>;
    /** Why it can no longer run, although it was loaded once. */
    readonly problem?: string;
    /** Absent without settings. */
    readonly process?: ProcessSpec;
  }
  | { readonly type: "command"; readonly command: CommandSpec }
  | { readonly type: "function"; readonly run: JobFunction; readonly handlers: JobHandlers }
  /** Runs inside the manager, as the system jobs do. */
  | { readonly type: "system"; readonly name: string }
  /** Runs elsewhere, started by something else: its runs are only reported. */
  | { readonly type: "external"; readonly pingKey: string | null };

/** The secrets in a job's environment. */
export function secretsOf(source: JobSource): readonly string[] {
  if (source.type === "module") return source.process?.secrets ?? [];
  if (source.type === "external") return source.pingKey === null ? [] : [source.pingKey];
  return source.type === "command" ? source.command.secrets : [];
}

/** A log that writes to the instance. */
export interface InstanceLog {
  /** Values are formatted and joined like in `console.log`. */
  debug(...values: readonly unknown[]): void;
  info(...values: readonly unknown[]): void;
  warn(...values: readonly unknown[]): void;
  error(...values: readonly unknown[]): void;
}

/** The instance as handlers see it: its data and a log. */
export interface InstanceHandle {
  readonly id: string;
  readonly kind: string;
  readonly state: JobState;
  readonly attempt: number;
  readonly fence: number;
  readonly priority: number;
  readonly arguments: readonly unknown[];
  readonly scheduledFor: Date | null;
  readonly createdAt: Date;
  readonly retryOf: string | null;
  readonly log: InstanceLog;
}

/** Handlers around an attempt; each may be async. */
export interface JobHandlers {
  /** After success, before it is recorded. */
  readonly onComplete?: (instance: InstanceHandle, results: readonly unknown[]) => unknown;
  /**
   * Called after a failed attempt, before it is recorded. Null resolves the error, another error
   * replaces it.
   */
  readonly onTerminate?: (instance: InstanceHandle, error: Error) => unknown;
  /**
   * After a failed attempt that `onTerminate` did not resolve: the wait before the next attempt, in
   * milliseconds or as a duration. Null ends the retries, undefined follows the retry policy. The
   * limits of the policy apply.
   */
  readonly retryDelay?: (instance: InstanceHandle, error: Error) => unknown;
  /** After each committed change of state. */
  readonly onStateChange?: (instance: InstanceHandle, state: JobState) => unknown;
}

/** The names of all handlers. */
export const HANDLERS = ["onComplete", "onTerminate", "retryDelay", "onStateChange"] as const;
/** One of {@link HANDLERS}. */
export type HandlerName = (typeof HANDLERS)[number];

/** The value of a parameter of type `Context`. */
export interface Context extends FlowContext {
  readonly instance: InstanceHandle;
  readonly log: InstanceLog;
  /** Aborts at timeout, cancel, drain and a lost lease. */
  readonly signal: AbortSignal;
  /** Rises with every claim. Pass it with every write, so that receivers can refuse a lower one. */
  readonly fence: number;
  /** The tick's due time, or the due time of the instance. */
  readonly scheduledFor: Date;
  /** Schedules, looks up and cancels instances. */
  readonly manager: JobManager;
  /**
   * Report progress. Omit an unknown `total`. At most two reports a second, and the last one, are
   * stored.
   */
  progress(done: number, total?: number): void;
  /**
   * End this attempt and start another one after `delay`, in milliseconds or as a duration such as
   * "5m". It is not a failure and uses no retry. Throws, to end the function; if that is caught,
   * the attempt is still snoozed once the function ends.
   */
  snooze(delay: number | string): never;
  /**
   * End the instance for good: it fails with `reason` and is not retried. Throws, to end the
   * function; if that is caught, the instance is still discarded once the function ends.
   */
  discard(reason?: string): never;
}

/** The value of a parameter of type `Worker`. */
export interface WorkerInfo {
  readonly id: string;
  readonly pid: number;
  readonly node: string | null;
}

/** A registered job: all facts about it for the manager. */
export interface JobDefinition {
  readonly kind: string;
  readonly description: string;
  readonly source: JobSource;
  readonly signature: Signature;
  readonly options: JobOptions;
  readonly schedules: readonly JobSchedule[];
  /** IANA zone of schedules that name none: its own, else the configuration's. */
  readonly timezone?: string;
  readonly hasHandler: Readonly<Record<HandlerName, boolean>>;
  /** Settings for starts by HTTP requests; absent if not allowed. It has secrets. */
  readonly hook?: JobHook;
  /** Epoch ms. */
  readonly registeredAt: number;
}

/** Names of the handlers of a job. */
export function handlersThat(has: (name: HandlerName) => boolean): JobDefinition["hasHandler"] {
  const entries = HANDLERS.map((name) => [name, has(name)]);
  return Object.fromEntries(entries) as JobDefinition["hasHandler"];
}

/** The handlers of a job without any. */
export const NO_HANDLERS: JobDefinition["hasHandler"] = handlersThat(() => false);

/** Highest priority number, which runs last; the lowest is its negative. Both fit in 32 bits. */
export const PRIORITY_MAX = 2 ** 31 - 1;

import type { ErrorInfo, Instance, Progress } from "../core/instance.ts";
import type { JobSource } from "../core/job/job.ts";
import type { Signature } from "../core/arguments/signature.ts";
import { runtimeName } from "../platform/process/process.ts";
import type { AbortCause, AttemptOutcome, HandlerCall } from "./executor.ts";

/** Version of the messages between daemon and worker: both are the same program, unless its file was replaced meanwhile. */
export const PROTOCOL_VERSION = 4;

/** What a worker needs of a job; sent once per worker and named by number afterwards. */
export interface WireJob {
  readonly kind: string;
  readonly source: Extract<JobSource, { readonly type: "module" | "command" }>;
  readonly signature: Signature;
}

/** What job code may see of its instance. */
export type TaskInstance = Pick<
  Instance,
  | "id"
  | "kind"
  | "state"
  | "priority"
  | "argumentsJson"
  | "scheduledFor"
  | "dueAt"
  | "createdAt"
  | "attempt"
  | "fence"
  | "node"
  | "retryOf"
  | "timeoutMs"
>;

/** The part of an instance that goes to a worker. */
export function taskInstance(instance: Instance): TaskInstance {
  return {
    id: instance.id,
    kind: instance.kind,
    state: instance.state,
    priority: instance.priority,
    argumentsJson: instance.argumentsJson,
    scheduledFor: instance.scheduledFor,
    dueAt: instance.dueAt,
    createdAt: instance.createdAt,
    attempt: instance.attempt,
    fence: instance.fence,
    node: instance.node,
    retryOf: instance.retryOf,
    timeoutMs: instance.timeoutMs,
  };
}

/** How job code ended, as the worker saw it. */
export type AttemptResult =
  | {
    readonly type: "ok";
    readonly resultsJson: string;
    /** Of a command. */
    readonly exitCode?: number;
  }
  | Extract<AttemptOutcome, { readonly type: "error" | "snooze" | "unstarted" }>;

/** Daemon → worker. `run` numbers the attempts and notifications of one worker. */
export type ToWorker =
  | { readonly type: "job"; readonly ref: number; readonly job: WireJob }
  | {
    readonly type: "run";
    readonly run: number;
    readonly ref: number;
    readonly instance: TaskInstance;
    /** Null for an attempt; else the handler to call. */
    readonly handler: HandlerCall | null;
    /** Whether `started` is to be sent before job code runs. */
    readonly wantsStarted: boolean;
    /** What its records, and the mark at the end of its output, begin with. */
    readonly token: string;
    readonly workerId: string;
    /** Whether the end of its output is to be marked even when nothing was written. */
    readonly wantsMarks: boolean;
  }
  /**
   * Attempts of one job that the worker knows, numbered from `run` on, to be executed one after another; each as by "run", with no
   * handler, no `started` and no marks behind silence. Which of those after the first have begun stands in the shared memory, and so
   * do the results of all but the last: when one comes as a message, none that is left begins.
   */
  | {
    readonly type: "batch";
    readonly run: number;
    readonly ref: number;
    readonly instances: readonly TaskInstance[];
    readonly token: string;
    readonly workerId: string;
  }
  | { readonly type: "abort"; readonly run: number; readonly cause: AbortCause }
  | {
    readonly type: "reply";
    readonly call: number;
    readonly value?: unknown;
    readonly error?: WireError;
  }
  /** The run did write something: its marks are wanted. */
  | { readonly type: "mark"; readonly run: number }
  | { readonly type: "end" };

/** Worker → daemon. */
export type FromWorker =
  | { readonly type: "hello"; readonly version: number; readonly pid: number }
  /** It cannot become what the job needs, such as its user. */
  | { readonly type: "unfit"; readonly message: string }
  | { readonly type: "started"; readonly run: number }
  | { readonly type: "progress"; readonly run: number; readonly progress: Progress }
  | {
    readonly type: "call";
    readonly run: number;
    readonly call: number;
    readonly method: string;
    readonly args: readonly unknown[];
  }
  /** The process group of a running command; null once it is gone. */
  | { readonly type: "group"; readonly run: number; readonly group: number | null }
  /** What the attempt came to but for what a handler says, which runs now. */
  | { readonly type: "decided"; readonly run: number; readonly result: AttemptResult }
  | {
    readonly type: "result";
    readonly run: number;
    /** As in "run": what job code sends is none. Absent in the memory. */
    readonly token?: string;
    readonly result: AttemptResult;
    /**
     * Null when something is left behind that the next attempt must not meet; "grace" for what may stay for a while, "left" for
     * processes that the job wants to leave running: the worker ends, and they do not.
     */
    readonly reuse: "clean" | "grace" | "left" | null;
    /** The load of its module changed the process: only attempts of this module may meet that. */
    readonly isExclusive?: boolean | undefined;
    /** How long its job code took; of modules. */
    readonly tookMs?: number | undefined;
    /** It seems to have written nothing: no marks end its output. */
    readonly isSilent?: boolean | undefined;
  }
  /** Not executed: the worker went bad after its previous attempt. */
  | { readonly type: "refused"; readonly run: number }
  /** Thrown by code that `run` left behind. */
  | { readonly type: "late"; readonly run: number; readonly error: ErrorInfo };

/** What a worker says of an attempt that has ended. */
export type ResultMessage = Extract<FromWorker, { readonly type: "result" }>;

/** An error that crosses a process boundary and is thrown again on the other side. */
export interface WireError {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly path?: string;
}

/** What the daemon tells a worker's guard, one JSON line each: how long job code may run from now; null for no limit. */
export interface GuardMessage {
  readonly untilMs: number | null;
}

/** File descriptor for messages in the worker. */
export const CHANNEL_DESCRIPTOR = 4;

/** File descriptor, in the worker, of the memory that it shares with the daemon, where there is one. */
export const MEMORY_DESCRIPTOR = 5;

/**
 * File descriptor of the guard's line in the worker.
 *
 * A thread of Deno can open no inherited descriptor but standard input; job code of a worker reads no standard input there.
 */
export function guardDescriptor(): number {
  return runtimeName() === "deno" ? 0 : 3;
}

import type { AttemptUsage, ErrorInfo, Instance, Progress } from "../core/instance.ts";
import type { StepPut } from "../core/wait.ts";
import type { JobSource } from "../core/job/job.ts";
import type { Signature } from "../core/arguments/signature.ts";
import { runtimeName } from "../platform/system/runtime.ts";
import type { AbortCause, AttemptOutcome, HandlerCall } from "./executor.ts";

/** Version of the messages between daemon and worker: one program, unless its file was replaced. */
export const PROTOCOL_VERSION = 5;

/** The part of a job that a worker needs; sent once per worker and then named by a number. */
export interface WireJob {
  readonly kind: string;
  readonly source: Extract<JobSource, { readonly type: "module" }>;
  readonly signature: Signature;
}

/** The part of an instance that job code may see. */
export type TaskInstance = Readonly<ReturnType<typeof taskInstance>>;

/** The part of an instance that is sent to a worker. */
export function taskInstance(instance: Instance) {
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
    retryMax: instance.retryMax,
    failures: instance.failures,
    stepsAt: instance.stepsAt,
    cancelRequestedAt: instance.cancelRequestedAt,
  };
}

/** The end of job code, as reported by the worker. */
export type AttemptResult =
  | {
    readonly type: "ok";
    readonly resultsJson: string;
    /** Steps to record with it; absent without any. */
    readonly steps?: readonly StepPut[];
    /** Only for commands. */
    readonly exitCode?: number;
  }
  | Extract<AttemptOutcome, { readonly type: "error" | "snooze" | "park" | "unstarted" }>;

/** Daemon → worker. A run is an attempt or a handler call; `run` is its number in the worker. */
export type ToWorker =
  | { readonly type: "job"; readonly ref: number; readonly job: WireJob }
  | {
    readonly type: "run";
    readonly run: number;
    readonly ref: number;
    readonly instance: TaskInstance;
    /** Null for an attempt; else the handler to call. */
    readonly handler: HandlerCall | null;
    /** True if `started` must be sent before job code runs. */
    readonly wantsStarted: boolean;
    /** The start of its output records and of the marker at the end of its output. */
    readonly token: string;
    readonly workerId: string;
    /** True if the end of its output must be marked even if nothing was written. */
    readonly wantsMarks: boolean;
  }
  /**
   * Attempts of a loaded job, to be executed one after another, numbered from `run`. Each is like a
   * "run" without a handler, `wantsStarted` and `wantsMarks`. The shared memory records which later
   * ones have begun, and contains the results of all but the last one. A result in a message ends
   * the batch: no other attempt begins.
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
  /** The run did write something: mark the end of its output. */
  | { readonly type: "mark"; readonly run: number }
  | { readonly type: "end" };

/** Worker → daemon. */
export type FromWorker =
  | { readonly type: "hello"; readonly version: number; readonly pid: number }
  /** It cannot be set up as the job requires, for example with its user. */
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
  /** The result of the attempt unless a handler, which runs now, changes it. */
  | { readonly type: "decided"; readonly run: number; readonly result: AttemptResult }
  | {
    readonly type: "result";
    readonly run: number;
    /** The token of "run", which job code does not know. Absent in the shared memory. */
    readonly token?: string;
    readonly result: AttemptResult;
    /**
     * The leftovers of the run. "clean": none. "grace": something that may stay open for a while.
     * Null: something that would affect another attempt.
     */
    readonly reuse: "clean" | "grace" | null;
    /** Loading its module changed the process: only attempts of this module may follow. */
    readonly isExclusive?: boolean | undefined;
    /** Duration of its job code. */
    readonly tookMs?: number | undefined;
    /** The worker's usage during the run, if that took long. */
    readonly usage?: AttemptUsage | undefined;
    /** It seems to have written nothing: no markers end its output. */
    readonly isSilent?: boolean | undefined;
  }
  /** Not executed: something uncaught was thrown after the previous attempt. */
  | { readonly type: "refused"; readonly run: number }
  /** Thrown by leftover code of `run`. */
  | { readonly type: "late"; readonly run: number; readonly error: ErrorInfo };

/** A worker's report on a run that has ended. */
export type ResultMessage = Extract<FromWorker, { readonly type: "result" }>;

/** An error that crosses a process boundary and is thrown again on the other side. */
export interface WireError {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly path?: string;
}

/** A JSON line from daemon to a worker's guard: the time left for job code; null: no limit. */
export interface GuardMessage {
  readonly untilMs: number | null;
}

/** File descriptor for messages in the worker. */
export const CHANNEL_DESCRIPTOR = 4;

/** File descriptor, in the worker, of the memory that it shares with the daemon, if any. */
export const MEMORY_DESCRIPTOR = 5;

/**
 * File descriptor of the guard's line in the worker.
 *
 * A Deno thread can open no inherited descriptor but standard input, which job code in a worker
 * does not read.
 */
export function guardDescriptor(): number {
  return runtimeName() === "deno" ? 0 : 3;
}

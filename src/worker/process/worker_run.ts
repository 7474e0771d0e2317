import type { ErrorInfo, LogEntry, Progress } from "../../core/instance.ts";
import type { JobDefinition } from "../../core/job/job.ts";
import type { HandlerCall } from "../executor.ts";
import type { ExpectedRun } from "./message_order.ts";
import type { OutputOwner } from "../output/output_capture.ts";
import {
  type AttemptResult,
  PROTOCOL_VERSION,
  type ResultMessage,
  type TaskInstance,
} from "../protocol.ts";
import { isResourceError, saysResource } from "../../platform/process/resources.ts";

/** Why job code did not start in a worker. */
export interface StartFault {
  readonly message: string;
  /** "system": out of processes, descriptors or memory; "worker": its program is at fault. */
  readonly whose: "job" | "worker" | "system";
}

/** How a run of a worker ended. */
export type WorkerEnding =
  | {
    readonly type: "result";
    readonly result: AttemptResult;
    readonly stderrTail: string;
    /** How long its job code took, as far as the worker tells. */
    readonly tookMs: number | null;
    /** Whether it wrote nothing. */
    readonly isSilent: boolean;
  }
  | {
    readonly type: "exit";
    readonly code: number | null;
    readonly signal: string | null;
  }
  /** Job code did not begin: the worker could not be started, or says so itself. */
  | ({ readonly type: "unstarted" } & StartFault)
  | { readonly type: "refused" };

/** What occupies a worker. */
export interface WorkerRun {
  readonly job: JobDefinition;
  readonly instance: TaskInstance;
  readonly handler: HandlerCall | null;
  readonly deadlineMs: number | null;
  /** Job code begins now. */
  started(): void;
  /** This is its result but for what a handler says, which runs now. */
  decided(result: AttemptResult): void;
  /** It took more than its limits allow, and is being killed. */
  exceeded(error: ErrorInfo): void;
  /** Its worker sent a forged message and is being killed. */
  violated(error: ErrorInfo): void;
  /** The time set by `wakeAt` of the worker has come. */
  wake(): void;
  log(entries: readonly LogEntry[]): void;
  progress(progress: Progress): void;
  call(method: string, args: readonly unknown[]): Promise<unknown>;
  ended(ending: WorkerEnding): void;
}

/** A run that waits behind others of its batch, all of one job. */
export interface FollowingRun extends WorkerRun {
  /** Those before it have ended, and it has begun. */
  promoted(): void;
  /** It has not begun, and will not in this worker. */
  returned(): void;
}

/** Return runs that will not begin, so that the first of them is the first to come back. */
export function giveBack(runs: readonly FollowingRun[]): void {
  for (const run of runs.toReversed()) run.returned();
}

/** The ending of a run that has its result; what stderr ended with is known to others. */
export function resultEnding(message: ResultMessage): WorkerEnding & { readonly type: "result" } {
  const { result, tookMs, isSilent = false } = message;
  // Job code may have changed the clock.
  const ms = tookMs !== undefined && tookMs >= 0 ? tookMs : null;
  return { type: "result", result, stderrTail: "", tookMs: ms, isSilent };
}

/** Whether a worker must report when the job code of a run starts, from which its limits count. */
export function needsStarted({ job, instance }: WorkerRun, isKnown: boolean): boolean {
  return !isKnown || instance.timeoutMs > 0 || job.source.type === "command";
}

/** The error of a run whose worker sent a forged message. */
export function violation(problem: string): ErrorInfo {
  const message =
    `Stopped: its worker sent ${problem}. The channel to the daemon is not for job code`;
  return { name: "WorkerMessageError", message };
}

/** The problem with a worker of another version. */
export function versionProblem(version: number): string {
  return `it speaks version ${version} of the protocol, this daemon ${PROTOCOL_VERSION}: restart the daemon`;
}

/** The messages that a worker may send for a run. */
export function expectedRun(
  { job, handler }: WorkerRun,
  number: number,
  given: { readonly wantsStarted: boolean; readonly token: string },
): ExpectedRun {
  const { onComplete, onTerminate, retryDelay } = job.hasHandler;
  return {
    ...given,
    number,
    isCommand: job.source.type === "command",
    hasLastWord: handler === null && (onComplete || onTerminate || retryDelay),
  };
}

/** Where the output of the run with this number goes; `drained` is called when all of it has come. */
export function outputOwner(run: WorkerRun, number: number, drained: () => void): OutputOwner {
  const { job } = run;
  return {
    run: number,
    stderrLevel: job.source.type === "command" ? "warn" : "error",
    limits: job.options.output,
    log: (entries) => run.log(entries),
    drained,
  };
}

/** Why a worker's process could not be started. */
export function spawnFault(error: Error): StartFault {
  return { message: error.message, whose: isResourceError(error) ? "system" : "worker" };
}

/** How a process ended. */
interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/**
 * Whether a worker ended because the system is out of a resource: the runtime aborts if it cannot
 * start a thread.
 */
export function isStarvedExit({ signal }: Exit, said: string): boolean {
  return signal === "SIGABRT" || signal === "SIGTRAP" || saysResource(said);
}

/** The ending of a run that a worker did not begin: what is wrong with it or how it ended, and what it said. */
export function unstartedEnding(
  fault: StartFault | null,
  exit: Exit,
  said: string,
): WorkerEnding {
  const how = fault?.message ??
    `it ended with ${exit.signal ?? `exit code ${exit.code}`}`;
  const whose = fault?.whose ?? (isStarvedExit(exit, said) ? "system" : "worker");
  return { type: "unstarted", message: said === "" ? how : `${how}: ${said}`, whose };
}

import type { LogEntry, Progress } from "../core/instance.ts";
import type { JobDefinition } from "../core/job.ts";
import type { HandlerCall } from "./executor.ts";
import type { AttemptResult, TaskInstance } from "./protocol.ts";

/** How a run of a worker ended. */
export type WorkerEnding =
  | {
    readonly type: "result";
    readonly result: AttemptResult;
    readonly stderrTail: string;
  }
  | {
    readonly type: "exit";
    readonly code: number | null;
    readonly signal: string | null;
  }
  /** Job code did not begin: the worker could not be started, or says so itself. */
  | { readonly type: "unstarted"; readonly message: string; readonly isJobFault: boolean }
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
  /** The time set by `wakeAt` of the worker has come. */
  wake(): void;
  log(entries: readonly LogEntry[]): void;
  progress(progress: Progress): void;
  call(method: string, args: readonly unknown[]): Promise<unknown>;
  ended(ending: WorkerEnding): void;
}

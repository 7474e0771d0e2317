import type { ErrorInfo, LogEntry, Progress } from "../core/instance.ts";
import type { JobDefinition } from "../core/job.ts";
import type { HandlerCall } from "./executor.ts";
import type { OutputOwner } from "./output_capture.ts";
import type { AttemptResult, ResultMessage, TaskInstance, WireError } from "./protocol.ts";
import { maskOf } from "./secret_mask.ts";

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
  /** It took more than its limits allow, and is being killed. */
  exceeded(error: ErrorInfo): void;
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

/** Where the output of the run with this number goes; `drained` is called when all of it has come. */
export function outputOwner(run: WorkerRun, number: number, drained: () => void): OutputOwner {
  const { job } = run;
  return {
    run: number,
    stderrLevel: job.source.type === "command" ? "warn" : "error",
    limits: job.options.output,
    mask: maskOf(job.source),
    log: (entries) => run.log(entries),
    drained,
  };
}

/** The answer to a call of a run's `Manager` proxy, as it goes to the worker. */
export async function answerCall(
  run: WorkerRun,
  method: string,
  args: readonly unknown[],
): Promise<{ readonly value?: unknown; readonly error?: WireError }> {
  try {
    return { value: await run.call(method, args) };
  } catch (thrown) {
    const { code, message, hint, path } = thrown as Partial<WireError>;
    return { error: { code: code ?? "internal", message: message ?? String(thrown), hint, path } };
  }
}

/** The ending of a run that a worker did not begin: what is wrong with it or how it ended, and what it said. */
export function unstartedEnding(
  problem: string | null,
  { code, signal }: { readonly code: number | null; readonly signal: string | null },
  { said, isJobFault }: { readonly said: string; readonly isJobFault: boolean },
): WorkerEnding {
  const how = problem ?? `it ended with ${signal === null ? `exit code ${code}` : signal}`;
  return { type: "unstarted", message: said === "" ? how : `${how}: ${said}`, isJobFault };
}

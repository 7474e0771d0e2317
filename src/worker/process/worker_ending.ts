import { isResourceError, saysResource } from "../../platform/process/resources.ts";
import type { AttemptResult, ResultMessage } from "../protocol.ts";
import type { Exit } from "./worker_child.ts";

/** Why job code did not start in a worker. */
export interface StartFault {
  readonly message: string;
  /** "system": out of processes, descriptors or memory; "worker": its program is at fault. */
  readonly whose: "job" | "worker" | "system";
}

/** The end of a worker's run. */
export type WorkerEnding =
  | {
    readonly type: "result";
    readonly result: AttemptResult;
    /** Duration of its job code; null if the worker did not report it. */
    readonly tookMs: number | null;
    /** True if it wrote nothing. */
    readonly isSilent: boolean;
  }
  | ({ readonly type: "exit" } & Exit)
  /** Job code did not begin: the worker could not be started, or reported so itself. */
  | ({ readonly type: "unstarted" } & StartFault)
  /** It was killed after its deadline, by its own process's clock. */
  | { readonly type: "expired" }
  | { readonly type: "refused" };

/** The ending of a run that has its result. */
export function resultEnding(message: ResultMessage): WorkerEnding {
  const { result, tookMs, isSilent = false } = message;
  // Job code may have changed the clock.
  const ms = tookMs !== undefined && tookMs >= 0 ? tookMs : null;
  return { type: "result", result, tookMs: ms, isSilent };
}

/** Why a worker's process could not be started. */
export function spawnFault(error: Error): StartFault {
  return { message: error.message, whose: isResourceError(error) ? "system" : "worker" };
}

/**
 * True if a worker ended because the system is out of a resource: the runtime aborts if it cannot
 * start a thread.
 *
 * @param text the last words of the worker
 */
export function isStarvedExit({ signal }: Exit, text: string): boolean {
  return signal === "SIGABRT" || signal === "SIGTRAP" || saysResource(text);
}

/** The ending of a run that a worker did not begin. @param text the worker's last words */
export function unstartedEnding(fault: StartFault | null, exit: Exit, text: string): WorkerEnding {
  const how = fault?.message ?? `it ended with ${exit.signal ?? `exit code ${exit.code}`}`;
  const whose = fault?.whose ?? (isStarvedExit(exit, text) ? "system" : "worker");
  return { type: "unstarted", message: text === "" ? how : `${how}: ${text}`, whose };
}

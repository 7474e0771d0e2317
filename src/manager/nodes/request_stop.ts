import { JobError } from "../../core/errors.ts";

/** A request to stop the daemon. */
export interface StopRequest {
  /** The daemon must be this node; any if absent. */
  readonly node?: string | undefined;
  /** Abort running attempts at once. */
  readonly isNow: boolean;
}

/** What a daemon waits for before it stops. */
export interface StopReport {
  readonly node: string;
  /** Number of attempts that run. */
  readonly running: number;
  /** The longest time until the last of them is aborted and ended. */
  readonly drainMs: number;
}

/** The parts of a manager that {@link requestStop} uses. */
export interface StopParts {
  readonly options: {
    readonly node: string;
    readonly drainMs: number;
    readonly stopDaemon?: (options: { readonly isNow: boolean }) => void;
  };
  readonly dispatcher: {
    readonly runningCount: number;
    drainLimitMs(drainMs: number): number;
  };
}

/**
 * Ask the daemon around a manager to stop.
 *
 * @throws JobError `conflict` if it is not the named node; `unimplemented` if there is no daemon
 */
export function requestStop(
  { options, dispatcher }: StopParts,
  { node, isNow }: StopRequest,
): StopReport {
  const { stopDaemon, node: own } = options;
  if (!stopDaemon) {
    throw new JobError("unimplemented", "Cannot stop the daemon: this manager is not in one");
  }
  if (node !== undefined && node !== own) {
    throw new JobError("conflict", `Cannot stop node "${node}": this daemon is node "${own}"`, {
      hint: `Name "${own}", or call the daemon of the other node`,
    });
  }
  const report = {
    node: own,
    running: dispatcher.runningCount,
    drainMs: isNow ? 0 : dispatcher.drainLimitMs(options.drainMs),
  };
  stopDaemon({ isNow });
  return report;
}

import { JobError } from "../../core/errors.ts";

/** How much time a drain gives. */
export interface DrainRequest {
  /** To attempts whose job says nothing. */
  readonly drainMs: number;
  /** True to leave commands to the next daemon once all others have ended. */
  readonly keepsCommands?: boolean;
  /** True to ignore the drain times of jobs. */
  readonly isForAll?: boolean;
}

/** What a drain waits for. */
export interface DrainFacts {
  /** How many attempts it waits for. */
  readonly count: number;
  /** The longest time that it gives to them, with `kill_after`. */
  readonly limitMs: number;
}

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

/** What a daemon waits for before it hands over to its file. */
export interface UpgradeReport {
  readonly node: string;
  /** Version of the file. */
  readonly version: string;
  /** Number of attempts that must end first. */
  readonly waiting: number;
  /** The longest time until the last of them is aborted and ended. */
  readonly drainMs: number;
}

/** How the daemon around a manager ends. */
export interface DaemonCalls {
  /**
   * Ask it to stop, and return at once.
   *
   * @throws JobError `conflict` if it is not the named node; `unimplemented` if there is no daemon
   */
  stop(request: StopRequest): StopReport;
  /**
   * Try the file that it was started from, and ask it to hand over to that.
   *
   * @throws JobError as `stop`; `conflict` also if the file does not start; `unimplemented` also
   * where a process cannot be replaced
   */
  upgrade(request: Pick<StopRequest, "node">): Promise<UpgradeReport>;
}

/** How a daemon does what is asked of it. */
export interface DaemonControl {
  /** Stop soon. */
  stop(options: { readonly isNow: boolean }): void;
  /** Try its file, and hand over to it soon. @throws JobError as {@link DaemonCalls.upgrade} */
  upgrade(): Promise<{ readonly version: string }>;
  /** Why the last upgrade failed in the end; null if none did. */
  readonly upgradeProblem: string | null;
}

/** The parts of a manager that its daemon's calls use. */
export interface DaemonCallParts {
  readonly options: {
    readonly node: string;
    readonly drainMs: number;
    readonly daemon?: DaemonControl;
  };
  readonly dispatcher: {
    drainFacts(options: DrainRequest): DrainFacts;
  };
}

/** The calls for the daemon around a manager. */
export function daemonCalls(getParts: () => DaemonCallParts): DaemonCalls {
  return {
    stop({ node, isNow }) {
      const { options, dispatcher } = getParts();
      const daemon = daemonOf(options, node, "stop");
      const { node: own, drainMs } = options;
      const { count, limitMs } = dispatcher.drainFacts({ drainMs });
      daemon.stop({ isNow });
      return { node: own, running: count, drainMs: isNow ? 0 : limitMs };
    },
    async upgrade({ node }) {
      const { options, dispatcher } = getParts();
      const { node: own, drainMs } = options;
      const { version } = await daemonOf(options, node, "upgrade").upgrade();
      const { count, limitMs } = dispatcher.drainFacts({ drainMs, keepsCommands: true });
      return { node: own, version, waiting: count, drainMs: count === 0 ? 0 : limitMs };
    },
  };
}

function daemonOf(
  { daemon, node: own }: DaemonCallParts["options"],
  node: string | undefined,
  action: string,
): DaemonControl {
  if (!daemon) {
    const reason = "this manager is not in one";
    throw new JobError("unimplemented", `Cannot ${action} the daemon: ${reason}`);
  }
  if (node !== undefined && node !== own) {
    throw new JobError(
      "conflict",
      `Cannot ${action} node "${node}": this daemon is node "${own}"`,
      {
        hint: `Name "${own}", or call the daemon of the other node`,
      },
    );
  }
  return daemon;
}

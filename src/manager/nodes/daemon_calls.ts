import { JobError } from "../../core/errors.ts";
import type { DaemonCalls, DaemonControl, DrainFacts, DrainRequest } from "../api/daemon.ts";

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

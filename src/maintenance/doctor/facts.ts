import type { Config } from "../../config/config.ts";
import type { UnitRefusal } from "../../config/backup_folder.ts";
import type { Clock } from "../../platform/clock.ts";

/** A node on the store, as the daemon lists it. */
export interface NodeFacts {
  readonly id: string;
  /** "live", "draining", "skewed", "left" or "lost". */
  readonly state: string;
  readonly host: string;
  readonly pid: number;
  readonly version: string;
  readonly tzVersion: string;
  /** Its clock minus the store's, in ms; null if the store has no clock. */
  readonly skewMs: number | null;
}

/** A running daemon's report about itself. */
export interface DaemonFacts {
  readonly node: string;
  readonly version: string;
  /** Time it took to read its status from the store, in ms. */
  readonly latencyMs: number;
  readonly isDraining: boolean;
  readonly storeType: string;
  readonly storeLocation: string;
  readonly storeProblem: string | null;
  readonly reloadProblem: string | null;
  /** Why listeners cannot be opened at the moment. */
  readonly listenerProblems: readonly string[];
  readonly workers: number;
  /** Attempts that seem to run without a process. */
  readonly missing: number;
  /** Supervisors of commands that do not respond. */
  readonly silent: number;
  /** Kinds of jobs that did not load. */
  readonly disabled: readonly string[];
  readonly nodes: readonly NodeFacts[];
}

/** The search for a daemon: its report, or why it is unavailable. */
export type FoundDaemon =
  | { readonly type: "running"; readonly daemon: DaemonFacts }
  /** None listens at this address. */
  | { readonly type: "none" }
  /** A daemon may exist, but it did not report its status. */
  | {
    readonly type: "unknown";
    readonly why: string;
    readonly remedy?: string | undefined;
    /** True if it answered that its store does not respond. */
    readonly isFailing?: boolean;
    /** True if another user's process is there: nothing was sent. */
    readonly isForeign?: boolean;
  };

/** The file of an installed service, compared with this version's output. */
export interface UnitFacts {
  readonly path: string;
  /** Its defect; null if it has no defect. */
  readonly problem: string | null;
  readonly level: "note" | "warning" | "error";
  readonly remedy: string | null;
}

/** The restrictions of a unit on its daemon. */
export interface DaemonSandbox {
  readonly unit: string;
  /** The daemon's user. */
  readonly user: string;
  /** False if programs that the daemon starts get no rights by setuid or setgid. */
  readonly hasSetuid: boolean;
  /** The restriction on writing to a folder, and a drop-in of this name that lifts it. */
  refusal(folder: string, dropIn: string): UnitRefusal | null;
}

/** Inputs of the doctor. */
export interface DoctorOptions {
  /** Null for the built-in configuration. */
  readonly configFile: string | null;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly clock: Clock;
  /** Version of this program. */
  readonly version: string;
  /** Folder of reports that wait for a daemon. */
  readonly spool: string;
  /** Part of a file's name that no other doctor uses. */
  readonly id: string;
  /** Asks the daemon; the configuration is null if it cannot be used. */
  readonly findDaemon: (config: Config | null) => Promise<FoundDaemon>;
  /** Compares the installed services with this version's output. */
  readonly findUnits: () => Promise<readonly UnitFacts[]>;
  /** The sandbox of the unit that starts its daemon with this configuration; null without one. */
  readonly sandbox: DaemonSandbox | null;
  /** True if the daemon is a service of systemd. */
  readonly isService: boolean;
}

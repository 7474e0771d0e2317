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

/** What a running daemon says about itself. */
export interface DaemonFacts {
  readonly node: string;
  readonly version: string;
  /** How long it took to read its status from the store, in ms. */
  readonly latencyMs: number;
  readonly isDraining: boolean;
  readonly storeType: string;
  readonly storeLocation: string;
  readonly storeProblem: string | null;
  readonly reloadProblem: string | null;
  /** Why listeners cannot be opened at the moment. */
  readonly listenerProblems: readonly string[];
  /** Attempts that seem to run without a process. */
  readonly missing: number;
  /** Supervisors of commands that do not respond. */
  readonly silent: number;
  /** Kinds of jobs that did not load. */
  readonly disabled: readonly string[];
  readonly nodes: readonly NodeFacts[];
}

/** The search for a daemon: what it said, or why nothing is known about it. */
export type FoundDaemon =
  | { readonly type: "running"; readonly daemon: DaemonFacts }
  /** None listens at this address. */
  | { readonly type: "none" }
  /** There may be one, but it did not answer. */
  | {
    readonly type: "unknown";
    readonly why: string;
    readonly remedy?: string;
    /** True if another user's process is there, so nothing was sent to it. */
    readonly isForeign?: boolean;
  };

/** The file of an installed service, compared with what this version would write. */
export interface UnitFacts {
  readonly path: string;
  /** What is to say about it; null if it is as it should be. */
  readonly problem: string | null;
  readonly level: "note" | "warning" | "error";
  readonly remedy: string | null;
}

/** What a unit lets its daemon do. */
export interface DaemonSandbox {
  readonly unit: string;
  /** The daemon's user. */
  readonly user: string;
  /** False if programs that the daemon starts get no rights by setuid or setgid. */
  readonly hasSetuid: boolean;
  /** What keeps the daemon from writing to a folder, with a drop-in of this name that opens it. */
  refusal(folder: string, dropIn: string): UnitRefusal | null;
}

/** What the doctor is given. */
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
  /** Compares the installed services with what this version would write. */
  readonly findUnits: () => Promise<readonly UnitFacts[]>;
  /** What the unit lets its daemon do that starts it with this configuration; null without one. */
  readonly sandbox: DaemonSandbox | null;
  /** True if the daemon is a service of systemd. */
  readonly isService: boolean;
}

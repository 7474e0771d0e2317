/** Time limits of a drain. */
export interface DrainRequest {
  /** For attempts of jobs without their own. */
  readonly drainMs: number;
  /** True to leave commands to the next daemon once all others have ended. */
  readonly keepsCommands?: boolean;
  /** True to ignore the drain times of jobs. */
  readonly isForAll?: boolean;
}

/** The work that a drain waits for. */
export interface DrainFacts {
  /** Number of attempts it waits for. */
  readonly count: number;
  /** Time limit of the attempt that may take longest, `kill_after` included. */
  readonly limitMs: number;
}

/** A request to stop the daemon. */
export interface StopRequest {
  /** The daemon must be this node; any if absent. */
  readonly node?: string | undefined;
  /** Abort running attempts at once. */
  readonly isNow: boolean;
}

/** The work that a daemon waits for before it stops. */
export interface StopReport {
  readonly node: string;
  readonly running: number;
  /** The longest time until the last of them is aborted and ended. */
  readonly drainMs: number;
}

/** The work that a daemon waits for before it starts the program in its file. */
export interface UpgradeReport {
  readonly node: string;
  /** Version of the file. */
  readonly version: string;
  /** Number of attempts that must end first. */
  readonly waiting: number;
  /** The longest time until the last of them is aborted and ended. */
  readonly drainMs: number;
}

/** Calls that end or replace the daemon around a manager. */
export interface DaemonCalls {
  /**
   * Request a stop, and return at once.
   *
   * @throws JobError `conflict` if it is not the named node; `unimplemented` without a daemon
   */
  stop(request: StopRequest): StopReport;
  /**
   * Try the program in its file, and hand over to it.
   *
   * @throws JobError like `stop`; `conflict` also if the program does not start; `unimplemented`
   * also where a process cannot be replaced
   */
  upgrade(request: Pick<StopRequest, "node">): Promise<UpgradeReport>;
}

/** Ends or replaces the daemon on request. */
export interface DaemonControl {
  stop(options: { readonly isNow: boolean }): void;
  /** Try its file, and hand over to it soon. @throws JobError like {@link DaemonCalls.upgrade} */
  upgrade(): Promise<{ readonly version: string }>;
  /** Why the last upgrade finally failed; null without a failure. */
  readonly upgradeProblem: string | null;
}

/** Options of a reload. */
export interface ReloadOptions {
  /** Reload even if more than half of the jobs would be removed or disabled. */
  readonly force?: boolean;
  /** Only compare the new configuration with the one in force. */
  readonly isDryRun?: boolean;
}

/** One difference between two configurations. */
export interface ConfigChange {
  readonly change: "added" | "removed" | "changed" | "disabled" | "enabled";
  /** The changed job; absent for a setting. */
  readonly kind?: string;
  /** The options of a changed job that differ, such as `timeout` or `schedule`. */
  readonly keys?: readonly string[];
  /** The setting as written in TOML, such as `worker.count` or `jobs.report.timeout`. */
  readonly path?: string;
  /** Its values as JSON text, without secrets; absent for none. */
  readonly before?: string | undefined;
  readonly after?: string | undefined;
  /** True if it applies only after a restart of the daemon. */
  readonly needsRestart?: boolean;
}

/** Changes that a reload made. */
export interface ReloadReport {
  /** Current number of jobs. */
  readonly jobs: number;
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
  /** Sections that have changed since the start and need a restart. */
  readonly restart: readonly string[];
  /** Problems that disabled jobs or omitted files, one line each; the first 10. */
  readonly problems: readonly string[];
  /** Each difference, at most 200: jobs, then settings. */
  readonly changes: readonly ConfigChange[];
  /** Number of omitted differences. */
  readonly moreChanges: number;
}

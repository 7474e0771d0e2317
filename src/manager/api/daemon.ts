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

/** How a configuration is loaded again. */
export interface ReloadOptions {
  /** Also if more than half of the jobs would be removed or disabled. */
  readonly force?: boolean;
  /** Only compare it with the one in force. */
  readonly isDryRun?: boolean;
}

/** One difference between two configurations. */
export interface ConfigChange {
  readonly change: "added" | "removed" | "changed" | "disabled" | "enabled";
  /** The job that it is about; absent for a setting. */
  readonly kind?: string;
  /** The options of a changed job that differ, such as `timeout` or `schedule`. */
  readonly keys?: readonly string[];
  /** The setting, as it is written in TOML, such as `worker.count` or `jobs.report.timeout`. */
  readonly path?: string;
  /** Its values as JSON text, without secrets; absent for none. */
  readonly before?: string | undefined;
  readonly after?: string | undefined;
  /** True if it applies only after a restart of the daemon. */
  readonly needsRestart?: boolean;
}

/** What a reload changed. */
export interface ReloadReport {
  /** Current number of jobs. */
  readonly jobs: number;
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
  /** Sections that have changed since the start and need a restart. */
  readonly restart: readonly string[];
  /** Problems that disabled jobs or left out files, one line each; the first 10. */
  readonly problems: readonly string[];
  /** Each difference, at most 200: jobs, then settings. */
  readonly changes: readonly ConfigChange[];
  /** How many differences are left out. */
  readonly moreChanges: number;
}

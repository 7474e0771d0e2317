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

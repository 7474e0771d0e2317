/** The place of a key in the files. Line and column start at 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** One thing wrong with the configuration. */
export interface ConfigProblem {
  readonly place: Place | null;
  /** Dotted path of the key, such as `jobs.backup.timeout`. */
  readonly path: string;
  /** The value found, and the one wanted. */
  readonly message: string;
  readonly hint?: string;
  /** The job that this problem disables; null when it concerns more than one job. */
  readonly job: string | null;
  /** The unreadable included file or directory of modules: the others are loaded. */
  readonly unread?: string;
  /** True for a harmless problem that still fails `jobctl check` and a reload. */
  readonly isMistake?: true;
}

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
  /** The included file or directory of modules that cannot be read: the others are loaded. */
  readonly unread?: string;
  /** Of a warning: a problem for `jobctl check` and a reload, although nothing is disabled. */
  readonly isMistake?: true;
}

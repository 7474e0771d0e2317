/** A value of the configuration, without secrets. */
export interface Setting {
  /** As written in TOML, such as `server.port`. */
  readonly path: string;
  /** As JSON text, with `***` in place of secrets and unexpanded variables. */
  readonly value: string;
  /** Its source: a file and line, a variable or a flag; null for a default. */
  readonly origin: string | null;
}

/** The settings of a configuration. */
export interface Settings {
  readonly settings: readonly Setting[];
  /** True if some are omitted: tables of jobs if there are many, or values beyond the limits. */
  readonly hasMore: boolean;
}

/** The values of the configuration that was loaded last. */
export interface ConfigInForce extends Settings {
  /** Its main file; null for the built-in configuration. */
  readonly file: string | null;
  /** Sections that have changed since the start, and apply after a restart. */
  readonly restart: readonly string[];
  /** The first problems of the last reload, each with its place; empty if it succeeded. */
  readonly problems: readonly string[];
}

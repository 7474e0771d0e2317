/** A daemon as an attacker sees it. All of it is on loopback. */
export interface Target {
  readonly port: number;
  readonly httpPort: number;
  /** Path of the Unix socket. */
  readonly socket: string;
  readonly tokens: Readonly<Record<"viewer" | "reader" | "operator" | "admin", string>>;
  readonly isTls: boolean;
}

/** The context of a running attack. */
export interface Running {
  readonly target: Target;
  /** Aborted when its time is over. */
  readonly signal: AbortSignal;
  /** Multiplier for numbers of connections and calls: 1, or less for a short run. */
  readonly scale: number;
  /** Count something it did, for the last column of the table. */
  count(what: string, by?: number): void;
}

/** What the daemon needs for an attack to make sense. */
export interface WorldNeeds {
  /** Waiting instances, the newest of which have arguments of 4 KiB. */
  readonly records?: { readonly small: number; readonly large: number };
  /** Recurring schedules in addition to the one that runs every second. */
  readonly schedules?: number;
  readonly isTls?: boolean;
  /** Keeps everything in memory; a SQLite file by default. */
  readonly isInMemory?: boolean;
  /** The daemon's open-file limit. */
  readonly descriptors?: number;
  /** Source of job modules by file name; `RUN_JOB` below starts one. */
  readonly modules?: Readonly<Record<string, string>>;
  /** More of the configuration. */
  readonly toml?: string;
}

/** Something that a stranger, a viewer or a job might try. */
export interface Attack {
  readonly name: string;
  readonly family: "reads" | "strangers" | "http" | "jobs" | "operators" | "descriptors";
  /** One line for `--help`. */
  readonly about: string;
  readonly needs?: WorldNeeds;
  /** Runs in its own process; the attack ends when it ends or its time is over. */
  run(running: Running): Promise<void>;
  /** Checked halfway: another expectation that does not hold; null if all hold. */
  probe?(target: Target): Promise<string | null>;
  /** The same check after the attack. */
  after?(target: Target): Promise<string | null>;
}

/** A daemon as an attacker sees it. All of it is on loopback. */
export interface Target {
  readonly port: number;
  readonly httpPort: number;
  /** Path of the Unix socket. */
  readonly socket: string;
  readonly tokens: Readonly<Record<"viewer" | "reader" | "operator" | "admin", string>>;
  readonly isTls: boolean;
}

/** What an attack is given while it runs. */
export interface Running {
  readonly target: Target;
  /** Aborted when its time is over. */
  readonly signal: AbortSignal;
  /** Multiplies counts of connections and calls: 1, or less for a short form. */
  readonly scale: number;
  /** Count something it did, for the last column of the table. */
  count(what: string, by?: number): void;
}

/** What the daemon must have for an attack to make sense. */
export interface WorldNeeds {
  /** Waiting instances, the newest of which have arguments of 4 KiB. */
  readonly records?: { readonly small: number; readonly large: number };
  /** Recurring schedules beside the one of every second. */
  readonly schedules?: number;
  readonly isTls?: boolean;
  /** Limit of open files of the daemon. */
  readonly descriptors?: number;
  /** Source of job modules by file name; `RUN_JOB` below starts one. */
  readonly modules?: Readonly<Record<string, string>>;
  /** More of the configuration. */
  readonly toml?: string;
}

/** Something that a stranger, a viewer or a job may try. */
export interface Attack {
  readonly name: string;
  readonly family: "reads" | "strangers" | "http" | "jobs" | "operators" | "descriptors";
  /** One line for `--help`. */
  readonly about: string;
  readonly needs?: WorldNeeds;
  /** Runs in a process of its own; its end, or that of its time, is the end of the attack. */
  run(running: Running): Promise<void>;
  /** Asked in the middle of it: what should hold beside the property and does not; null when it does. */
  probe?(target: Target): Promise<string | null>;
  /** The same once it is over. */
  after?(target: Target): Promise<string | null>;
}

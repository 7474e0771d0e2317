import type { CommandSpec, JobOptions } from "../core/job.ts";
import type { ScheduleSpec } from "../core/schedule.ts";
import type { LoggerLevel } from "../platform/logger.ts";

/** Where a key stands in the files. Line and column start at 1. */
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
  /** What was found against what is wanted. */
  readonly message: string;
  readonly hint?: string;
  /** The job that this problem disables; null when it refuses the whole configuration. */
  readonly job: string | null;
}

/** A job table of the config, checked and with durations in milliseconds, before its module is known. */
export interface JobTable {
  readonly kind: string;
  readonly place: Place;
  readonly description: string | null;
  /** Null for options of a module job. */
  readonly command: CommandSpec | null;
  /** Only what the table itself sets; defaults are merged when the job is resolved. */
  readonly options: Partial<Omit<JobOptions, "retry">> & {
    readonly retry?: Partial<JobOptions["retry"]>;
  };
  readonly schedules: readonly ScheduleSpec[];
  readonly arguments: readonly unknown[] | Readonly<Record<string, unknown>>;
  readonly isEnabled: boolean;
}

/** A role that a token carries. */
export type Role = "viewer" | "operator" | "admin";

export interface TokenConfig {
  readonly name: string;
  readonly token: string;
  readonly role: Role;
}

/** The whole configuration, typed, with every default applied and every path absolute. */
export interface Config {
  /** The file it came from; null for built-in defaults. */
  readonly file: string | null;
  readonly timezone: string;
  /** Absolute directories of job modules. */
  readonly modules: readonly string[];
  readonly log: { readonly level: LoggerLevel; readonly format: "text" | "json" };
  readonly store: {
    readonly type: "memory" | "sqlite";
    /** Absolute path of the database file; null for memory. */
    readonly path: string | null;
    /** As configured, without secrets. */
    readonly url: string;
  };
  readonly server: {
    readonly host: string;
    /** 0 picks a free one. */
    readonly port: number;
    /** host and port, or null when off. */
    readonly http: { readonly host: string; readonly port: number } | null;
    /** Absolute path, "auto", or null when off. */
    readonly socket: string | null;
    readonly socketGroup: string | null;
    readonly allowInsecure: boolean;
    readonly tls:
      | { readonly cert: string; readonly key: string; readonly clientCa: string | null }
      | null;
    readonly auth: {
      readonly mode: "token" | "mtls" | "none";
      /** Besides the one made at first start. */
      readonly tokens: readonly TokenConfig[];
      /** File of the token made at first start; null for the default place. */
      readonly tokenFile: string | null;
    };
  };
  readonly worker: {
    readonly count: number;
    readonly isolation: "process" | "inline";
    readonly leaseMs: number;
    readonly drainMs: number;
    /** How long an idle worker process is kept. */
    readonly idleMs: number;
  };
  /** Options that every job inherits. */
  readonly defaults: JobOptions;
  /** What schedules inherit. */
  readonly scheduleDefaults: Pick<
    ScheduleSpec,
    "overlap" | "misfire" | "misfireWithinMs" | "jitterMs"
  >;
  readonly jobs: readonly JobTable[];
}

/** A loaded configuration with the problems that only disable jobs. */
export interface LoadedConfig {
  readonly config: Config;
  readonly problems: readonly ConfigProblem[];
}

import type { JobOptions } from "../core/job/gen/job_options.ts";
import type { ConfigProblem, JobTable } from "../core/job/job_table.ts";
import type { ScheduleDefaults } from "../core/job/schedule.ts";
import type { StoreConfig } from "../core/store_config.ts";
import type { LoggerLevel } from "../platform/logger.ts";
import type { Role, TokenEntry } from "../platform/files/tokens_file.ts";

/** Rules for client certificates, by name. */
export interface ClientConfig {
  /** The subject's common name, or a pattern; null if {@link san} is given. */
  readonly cn: string | null;
  /** An alternative name such as `DNS:ci.example.org`, or a pattern of one. */
  readonly san: string | null;
  readonly role: Role;
  /** Kinds, or patterns of kinds; null for all. */
  readonly jobs: readonly string[] | null;
}

/** The whole configuration, typed, with every default applied and every path absolute. */
export interface Config {
  /** The file it came from; null for built-in defaults. */
  readonly file: string | null;
  readonly timezone: string;
  /** Absolute directories of job modules. */
  readonly modules: readonly string[];
  readonly log: { readonly level: LoggerLevel; readonly format: "text" | "json" };
  readonly node: {
    /** Null for the host's name. */
    readonly id: string | null;
    readonly tags: readonly string[];
  };
  readonly store: StoreConfig;
  readonly server: {
    readonly host: string;
    /** 0 picks a free one. */
    readonly port: number;
    /** host and port, or null when off. */
    readonly http: { readonly host: string; readonly port: number } | null;
    /** Host names that HTTP clients may use, in addition to the daemon's own. */
    readonly httpHosts: readonly string[];
    /** Absolute path, "auto", or null when off. */
    readonly socket: string | null;
    readonly socketGroup: string | null;
    /** Role of the members of that group. */
    readonly socketRole: Role;
    readonly allowInsecure: boolean;
    readonly tls:
      | { readonly cert: string; readonly key: string; readonly clientCa: string | null }
      | null;
    readonly auth: {
      readonly mode: "token" | "mtls" | "none";
      /** In addition to those in files. */
      readonly tokens: readonly TokenEntry[];
      /** File of one permanent token; null to create a new one at each start. */
      readonly tokenFile: string | null;
      /** File managed by `jobctl token`. */
      readonly tokensFile: string;
      readonly clients: readonly ClientConfig[];
      /** File of revoked certificates; null for none. */
      readonly revokedFile: string | null;
    };
  };
  readonly worker: {
    readonly count: number;
    readonly isolation: "process" | "inline";
    readonly leaseMs: number;
    readonly drainMs: number;
    /** How long an idle worker process is kept. */
    readonly idleMs: number;
    /** Most attempts at once by the name of a pool. */
    readonly pools: Readonly<Record<string, number>>;
    /** Workers for modules that are kept ready. */
    readonly spare: number;
    /** Attempts, and memory, after which a worker process is replaced. */
    readonly recycleAfter: number;
    readonly recycleMemoryBytes: number;
  };
  /** Options that every job inherits. */
  readonly defaults: JobOptions;
  /** Settings that schedules inherit. */
  readonly scheduleDefaults: ScheduleDefaults;
  readonly jobs: readonly JobTable[];
}

/** A loaded configuration with the problems that only disable jobs. */
export interface LoadedConfig {
  readonly config: Config;
  readonly problems: readonly ConfigProblem[];
  /** Problems that stop nothing, such as a secret file that everybody may read. */
  readonly warnings: readonly ConfigProblem[];
  /** The files it was read from, as absolute paths. */
  readonly files: readonly string[];
  /** Texts that no output may show. */
  readonly secrets: ReadonlySet<string>;
}

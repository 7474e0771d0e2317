import type { Settings } from "../core/settings/config_settings.ts";
import type { SiteConfig } from "../core/address.ts";
import type { BackupSettings } from "../core/settings/backup_settings.ts";
import type { JobOptions } from "../core/job/gen/job_options.ts";
import type { JobTable } from "../core/job/job_table.ts";
import type { ConfigProblem, Place } from "../core/config_problem.ts";
import type { HeartbeatSettings } from "../core/notices/heartbeat.ts";
import type { ScheduleDefaults } from "../core/time/schedule.ts";
import type { ChannelSettings } from "../core/notices/settings.ts";
import type { StoreConfig } from "../core/settings/store_config.ts";
import type { LoggerLevel } from "../platform/logger.ts";
import type { ServerConfig } from "../platform/network/server_config.ts";

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
  /** Null for none. */
  readonly backup: BackupSettings | null;
  readonly server: ServerConfig & {
    /** host and port, or null when off. */
    readonly http: { readonly host: string; readonly port: number } | null;
    /** Host names that HTTP clients may use, in addition to the daemon's own. */
    readonly httpHosts: readonly string[];
    /** Public location of the site of `http`. */
    readonly site: SiteConfig;
    /** Origins of other sites whose pages may use the API. */
    readonly httpOrigins: readonly string[];
    /** Most kinds with a separate label in the metrics. */
    readonly metricsKinds: number;
    readonly auth: { readonly tokensFile: string };
  };
  readonly worker: {
    readonly count: number;
    readonly isolation: "process" | "inline";
    readonly leaseMs: number;
    readonly drainMs: number;
    /** Effect of SIGTERM on commands; null to decide by the reason for the stop. */
    readonly onStop: "keep" | "drain" | null;
    /** Time after which an idle worker process is ended. */
    readonly idleMs: number;
    /** Most attempts at once by the name of a pool. */
    readonly pools: Readonly<Record<string, number>>;
    /** Workers for modules that are kept ready. */
    readonly spare: number;
    /** Attempts, and memory, after which a worker process is replaced. */
    readonly recycleAfter: number;
    readonly recycleMemoryBytes: number;
  };
  /** Null for none. */
  readonly heartbeat: HeartbeatSettings | null;
  readonly defaults: JobOptions;
  readonly scheduleDefaults: ScheduleDefaults;
  /** Channels to people, in the order of the files. */
  readonly notices: readonly ChannelSettings[];
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
  /** Its values for people, without secrets. The first call takes longer. */
  readonly settings: () => Settings;
  /** Only for a check, which also reads a refused configuration. */
  readonly check?: {
    /** True if a start would refuse it. */
    readonly isRefused: boolean;
    /** False if its main file could not be read at all. */
    readonly isRead: boolean;
    /** Names of all channels, including faulty ones; null if unknown. */
    readonly channels: readonly string[] | null;
    /** The readable parts of faulty job tables. */
    readonly parts: readonly JobTable[];
    /** Place of a key in the files, or of the nearest key. */
    readonly placeOf: (path: string) => Place | null;
  };
}

import type { ConfigInForce } from "../../core/settings/config_settings.ts";
import type { JobOptions } from "../../core/job/gen/job_options.ts";
import { quoteValue } from "../../core/text/quote_value.ts";
import { JobError } from "../../core/errors.ts";
import type { JobDefinition } from "../../core/job/job.ts";
import { WORKERS_MAX } from "../../core/job/limits.ts";
import type { SecretMask } from "../../core/text/secret_mask.ts";
import type {
  BackupFolderContext,
  StoreStep,
  StoreWork,
  StoreWorkContext,
} from "../../maintenance/step.ts";
import type { Channel } from "../../notices/channels/channel.ts";
import type { ProcessIdentity } from "../../platform/process/process_identity.ts";
import type { ScheduleDefaults, ScheduleSpec } from "../../core/time/schedule.ts";
import type { Context } from "./context.ts";
import type { DaemonControl, ReloadOptions, ReloadReport } from "../api/daemon.ts";

/** Defaults of a schedule made at run time. */
export type ZonedScheduleDefaults = ScheduleDefaults & Pick<ScheduleSpec, "timezone">;

/** Options of a manager, including everything that is not pure. */
export interface ManagerOptions extends Context {
  /** Masks secrets in reports of the store. */
  readonly mask?: SecretMask;
  /** Tags of this node that jobs may need. */
  readonly tags?: readonly string[];
  /** Identity of this process; read from the system by default. */
  readonly process?: ProcessIdentity;
  /** A node whose clock is further off is "skewed"; by default the value of `store.max_skew`. */
  readonly maxSkewMs?: number;
  /** Called after another daemon took this node's id: nothing runs or is claimed any more. */
  readonly lost?: ((error: JobError) => void) | undefined;
  /** Called before the store is closed, for other readers of it. */
  readonly closing?: (() => Promise<void>) | undefined;
  readonly version: string;
  readonly workers: number;
  /** Most attempts at once of the jobs of each pool on this node. */
  readonly pools?: Readonly<Record<string, number>>;
  /**
   * Time for which this node counts as live after a report; by default a lease. It may be long if
   * no other process uses the store: nobody else reads it, and a report wakes the process.
   */
  readonly nodeLeaseMs?: number;
  /** Time for which `stop` lets running attempts finish. */
  readonly drainMs: number;
  readonly jobDefaults: JobOptions;
  readonly scheduleDefaults: ZonedScheduleDefaults;
  readonly jobs: readonly JobDefinition[];
  /** Returns the current version of a job, read from its module; called at every look-up. */
  readonly refreshJob?: (job: JobDefinition) => JobDefinition;
  /** Kinds that are configured but not loaded, with the reason: schedules stay, and skip ticks. */
  readonly disabled: ReadonlyMap<string, string>;
  /** True if jobs may be added after the start: schedules of unknown kinds are kept. */
  readonly keepsUnknown?: boolean;
  /** Reloads the configuration on request; absent without one. */
  readonly configuration?: {
    reload(options: ReloadOptions): Promise<ReloadReport>;
    settings(): ConfigInForce;
    readonly problem: string | null;
  };
  /** Ends the daemon on request; absent outside of a daemon. */
  readonly daemon?: DaemonControl;
  /** Why listeners of the daemon cannot be opened at the moment; absent outside of a daemon. */
  readonly listenerProblems?: () => readonly string[];
  /** Runs store maintenance; absent if unsupported. */
  readonly workOnStore?: (
    work: StoreWork,
    context: Omit<StoreWorkContext, "openTarget" | "random">,
  ) => AsyncIterable<StoreStep>;
  /** Writes a backup into the configured folder, returns its path; absent without a folder. */
  readonly backUp?: (
    steps: AsyncIterable<StoreStep>,
    context: BackupFolderContext,
  ) => Promise<string>;
  /** Channels to people, and this host's name in their notices; absent without channels. */
  readonly notices?: { readonly channels: readonly Channel[]; readonly host: string };
  /** The URL of this node's site for browsers, which ends with a slash; null without a site. */
  readonly siteUrl?: (() => string | null) | undefined;
  /** The kind whose ends the caller shows, so that its final failures are not logged. */
  readonly shownKind?: string | undefined;
  /** Version of the time zone database; by default this process's. */
  readonly tzVersion?: string;
}

/** The options for the manager's lifetime: a reload replaces the jobs. */
export type ManagerSettings = Omit<ManagerOptions, "jobs">;

/** The number of workers, checked. @throws JobError `invalid_argument` out of range */
export function checkWorkers(count: number): number {
  if (Number.isInteger(count) && count >= 0 && count <= WORKERS_MAX) return count;
  throw new JobError(
    "invalid_argument",
    `Cannot run ${quoteValue(count)} workers: not a whole number from 0 to ${WORKERS_MAX}`,
    { path: "count" },
  );
}

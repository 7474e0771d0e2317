import type { Block } from "../../core/job/limits.ts";
import type { ConfigInForce } from "../../core/settings/config_settings.ts";
import type { StoreContent, StoreStep, StoreWork } from "../../maintenance/step.ts";
import type { NodeRecord, Pause, StoreInfo, StoreStats } from "../../store/store.ts";
import type { DaemonCalls, ReloadOptions, ReloadReport } from "./daemon.ts";

/** "lost": ended without leaving; "skewed": live, but its clock is far from the store's. */
export type NodeState = "live" | "draining" | "skewed" | "left" | "lost";

/** A node as the others see it. */
export interface NodeStatus extends NodeRecord {
  readonly state: NodeState;
}

/** The workers of a node and their current work. */
export interface WorkerStatus {
  /** Attempts at once. */
  readonly count: number;
  readonly busy: number;
  /** Worker processes alive. */
  readonly alive: number;
  /** Time in ms for which all have been busy while an instance waits; absent otherwise. */
  readonly fullMs?: number;
  /** Worker processes in a row that could not be started; absent or 0 if none. */
  readonly failedStarts?: number;
  /** Attempts that seem to run without a process; absent or 0 if none. */
  readonly missing?: number;
  /** Supervisors of commands that do not respond; absent or 0 if none. */
  readonly silent?: number;
}

/** Ticks without a run. */
export interface TickCounts {
  /** Ticks that passed in a downtime, and were then too late to run. */
  readonly missed: number;
  /** Ticks that were not allowed to run, for example because of an overlap or a pause. */
  readonly skipped: number;
}

/** The state of a node at a glance. */
export interface ManagerStatus {
  readonly node: string;
  readonly version: string;
  readonly startedAt: number;
  readonly isDraining: boolean;
  /** The error of the store; null while it responds. */
  readonly storeProblem: string | null;
  /** Why the last reload was refused; null if it was accepted. */
  readonly reloadProblem: string | null;
  /** Why the last upgrade failed and the old program runs again; null otherwise. */
  readonly upgradeProblem?: string | null;
  /** Why listeners cannot be opened at the moment; jobs run. */
  readonly listenerProblems?: readonly string[];
  readonly store: StoreInfo;
  readonly workers: WorkerStatus;
  /** The live nodes on the store, including this one. */
  readonly nodes: readonly NodeStatus[];
  /** Nodes that ended without leaving within the last hour; absent if unknown. */
  readonly lostCount?: number;
  /** Ticks without a run that this node has recorded since its start, by kind. */
  readonly ticks?: ReadonlyMap<string, TickCounts>;
  readonly stats: StoreStats;
  /** Limits that block waiting instances; at most 100. */
  readonly blocks: readonly Block[];
  readonly pauses: readonly Pause[];
  /** Kinds that are configured but not loaded, with the reason. */
  readonly disabled: ReadonlyMap<string, string>;
  /** The next tick of any schedule, even if it will be skipped. */
  readonly nextScheduleAt: number | null;
  /** Next expected run of any schedule, without skipped ticks. */
  readonly nextRunAt: number | null;
}

/** Nodes, their workers, and the daemon with its store. */
export interface NodeApi {
  status(): Promise<ManagerStatus>;
  /** The nodes on the store by id, including nodes that ended within the hour. */
  listNodes(): Promise<readonly NodeStatus[]>;
  /** Change the number of workers of a node. @throws JobError `not_found` if it is not live */
  resizeNode(id: string, count: number): Promise<NodeStatus>;
  workers(): WorkerStatus;
  /** @throws JobError `invalid_argument` below 0 or above 1,000 */
  resizeWorkers(count: number): Promise<WorkerStatus>;
  /**
   * Reload the configuration. Jobs with problems are disabled, and jobs of unreadable files stay.
   * Any other problem refuses the whole reload.
   *
   * @throws JobError `invalid_config` for problems; `conflict` if it would remove more than half of
   * the jobs and is not forced; `unimplemented` if there is no configuration
   */
  reloadConfig(options?: ReloadOptions): Promise<ReloadReport>;
  /** Stops the daemon, or replaces it by a newer version. */
  readonly daemon: DaemonCalls;
  /** The last loaded configuration, without secrets. @throws JobError `unimplemented` without it */
  config(): ConfigInForce;
  /** The content and size of the store: from counts, without reading instances. */
  storeContent(): Promise<StoreContent>;
  /**
   * Run store maintenance; the last step is a report.
   *
   * @throws JobError `conflict` while another task is running, `unimplemented` without maintenance
   */
  workOnStore(
    work: StoreWork,
    options?: { readonly signal?: AbortSignal },
  ): AsyncIterable<StoreStep>;
}

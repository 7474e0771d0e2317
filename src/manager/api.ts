import type { ArgumentInput } from "../core/arguments/signature.ts";
import type { ConfigInForce } from "../core/settings/config_settings.ts";
import type { DurationInput } from "../core/time/duration.ts";
import type {
  HistoryEntry,
  Instance,
  LogEntry,
  Progress,
  StoredLogEntry,
} from "../core/instance.ts";
import type { HookDelivery, HookRun, JobHook } from "../core/hooks/hook.ts";
import type { ReportedRun } from "../core/job/external.ts";
import type { JobDefinition } from "../core/job/job.ts";
import type { RetryOptions, ScheduleOptions } from "../core/job/job_manager.ts";
import type { Block } from "../core/job/limits.ts";
import type { Misfire, Overlap, ScheduleRecord } from "../core/time/schedule.ts";
import type { Incident, NoticePreview, Silence, TestOptions } from "../core/notices/incident.ts";
import type { NoticeSubject } from "../core/notices/notice.ts";
import type { ChannelSummary } from "../core/notices/settings.ts";
import type { JobState } from "../core/state.ts";
import type {
  AcknowledgeOptions,
  Acknowledgment,
  IncidentQuery,
} from "../notices/incidents/incidents.ts";
import type { SilenceOptions } from "../notices/incidents/silences.ts";
import type {
  HistoryQuery,
  InstanceQuery,
  LogQuery,
  LogTailQuery,
  NodeRecord,
  Page,
  PageRequest,
  Pause,
  StoreInfo,
  StoreStats,
  UpcomingQuery,
} from "../store/store.ts";
import type { StoreContent, StoreStep, StoreWork } from "../maintenance/step.ts";
import type { FindOptions } from "./instances/find_instance.ts";
import type { FollowOptions, FollowStep } from "./instances/follow.ts";
import type { ReloadOptions, ReloadReport } from "./api/reload_report.ts";
import type { DaemonCalls } from "./nodes/daemon_calls.ts";
import type { SessionApi } from "./sessions/session.ts";
import type { FreezeApi } from "./instances/freeze_api.ts";
import type { BulkAction, LimitedCount } from "./instances/count_up_to.ts";
import type { JobStats, JobStatsQuery } from "./instances/job_stats.ts";
import type { ExplainQuery, TickOutcome, TickReport } from "./api/tick_report.ts";
import type { UpcomingRuns } from "./instances/upcoming.ts";
import type { TimelineApi } from "./api/timeline.ts";
import type { ProcessReads } from "./process_reads.ts";
import type { TickCounts } from "./context/tick_counter.ts";
import type { TagReads } from "./tag_reads.ts";

export type { ExplainQuery, FollowOptions, FollowStep, TickOutcome, TickReport };
export type { RetryOptions, ScheduleOptions };

/** A recurring schedule made at run time. */
export interface RecurringOptions {
  readonly cron: string;
  /** IANA zone; the manager's default otherwise. */
  readonly timezone?: string;
  readonly arguments?: ArgumentInput;
  readonly priority?: number;
  /** Limit of one attempt: milliseconds, or text such as "5m". So are the other durations. */
  readonly timeout?: DurationInput;
  readonly timeoutMs?: number;
  readonly retries?: number;
  readonly overlap?: Overlap;
  /** With overlap "queue": most ticks that wait. */
  readonly queueMax?: number;
  readonly misfire?: Misfire;
  readonly misfireWithin?: DurationInput;
  readonly misfireWithinMs?: number;
  readonly jitter?: DurationInput;
  readonly jitterMs?: number;
  /** No tick before this time, epoch ms; also the first tick of `@every`. */
  readonly startsAt?: number;
  /** No tick at or after this time, epoch ms. */
  readonly endsAt?: number;
  /** Windows without runs, such as `22:00-06:00`, `sat-sun` or `2026-12-24/2026-12-27`. */
  readonly blackout?: readonly string[];
  /** The schedule finishes after this many runs. */
  readonly runsMax?: number;
}

/** Options that a change can remove. */
type Clearable =
  | "startsAt"
  | "endsAt"
  | "blackout"
  | "runsMax"
  | "priority"
  | "timeout"
  | "timeoutMs"
  | "retries";

/** A change of a schedule: absent options stay; null removes one, or leaves it to the job. */
export type ScheduleChange = {
  readonly [Name in keyof RecurringOptions]?:
    | RecurringOptions[Name]
    | (Name extends Clearable ? null : never);
};

/** The schedules of a kind, or one of them. */
export interface ScheduleTarget {
  readonly kind: string;
  /** Only this one. */
  readonly scheduleId?: string;
}

/** Past ticks to run. */
export interface BackfillRequest extends ScheduleTarget {
  /** Ticks from here, epoch ms. */
  readonly from: number;
  /** And before here, epoch ms; not after now. */
  readonly to: number;
  /** Count only. */
  readonly dryRun?: boolean;
}

/** The instances that a backfill made, or would make. */
export interface BackfillResult {
  /** Ticks of the range without a run. */
  readonly count: number;
  readonly first: number | null;
  readonly last: number | null;
  readonly instances: readonly Instance[];
}

/** The secrets of the pings of a job. */
export interface PingKeysOfJob {
  /** For `/ping/KEY`. */
  readonly key: string;
  /** For `/ping/KEY/KIND`: the same for all jobs on the store. */
  readonly sharedKey: string;
}

/** "lost": ended without leaving; "skewed": live, but its clock is far from the store's. */
export type NodeState = "live" | "draining" | "skewed" | "left" | "lost";

/** A node as the others see it. */
export interface NodeStatus extends NodeRecord {
  readonly state: NodeState;
}

/** The result of a dry run: what would be queued. */
export type SchedulePreview = Pick<Instance, "kind" | "argumentsJson" | "priority" | "dueAt">;

/** The instances of a batch, in the order of its requests; none for a dry run. */
export interface BatchReport {
  readonly instances: readonly Instance[];
  /** How many of them were there before, with the same id or unique key. */
  readonly existing: number;
}

/** The workers of a node and what they do. */
export interface WorkerStatus {
  /** Attempts at once. */
  readonly count: number;
  readonly busy: number;
  /** Worker processes alive. */
  readonly alive: number;
  /** For how many ms all have been busy while an instance waits for one; absent if not. */
  readonly fullMs?: number;
  /** Worker processes in a row that could not be started; absent or 0 if none. */
  readonly failedStarts?: number;
  /** Attempts that seem to run without a process; absent or 0 if none. */
  readonly missing?: number;
  /** Supervisors of commands that do not respond; absent or 0 if none. */
  readonly silent?: number;
}

/** The state of a node at a glance. */
export interface ManagerStatus {
  readonly node: string;
  readonly version: string;
  readonly startedAt: number;
  readonly isDraining: boolean;
  /** The error of the store; null while it responds. */
  readonly storeProblem: string | null;
  /** Why the last reload was refused; null if it was not. */
  readonly reloadProblem: string | null;
  /** Why the last upgrade failed, so that the old program runs again; null if it did not. */
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
  /** The next tick of any schedule, also one that will be skipped. */
  readonly nextScheduleAt: number | null;
  /** When a schedule is expected to run next: without ticks that are skipped. */
  readonly nextRunAt: number | null;
}

/** Emitted after the commit. */
export type ManagerEvent =
  | {
    readonly type: "state";
    readonly instance: Instance;
    readonly state: JobState;
    readonly at: number;
  }
  | {
    readonly type: "attempt";
    readonly instance: Instance;
    readonly durationMs: number;
    readonly outcome: JobState;
  }
  /** Lines of an instance's log; emitted only while somebody listens. */
  | {
    readonly type: "log";
    readonly instance: Instance;
    readonly entries: readonly LogEntry[];
    readonly at: number;
  }
  | {
    readonly type: "progress";
    readonly instance: Instance;
    readonly progress: Progress;
    readonly at: number;
  };

/**
 * The manager as its adapters see it: gRPC, HTTP, the CLI and the library are thin layers over it.
 * Unknown kinds, ids and schedules are `not_found`; bad arguments are `invalid_argument`
 * with the parameter's path.
 */
export interface ManagerApi extends TimelineApi, TagReads, ProcessReads, FreezeApi {
  readonly version: string;
  /** The sessions of browsers. */
  readonly sessions: SessionApi;
  listJobs(): readonly JobDefinition[];
  getJob(kind: string): JobDefinition;

  scheduleJob(kind: string, options?: ScheduleOptions): Promise<Instance>;
  /** Schedule all or none; at most BATCH_MAX. */
  scheduleBatch(
    requests: readonly (ScheduleOptions & { readonly kind: string })[],
    options?: { readonly isDryRun?: boolean },
  ): Promise<BatchReport>;
  /** Convert and check as {@link scheduleJob} does, but queue nothing. */
  previewJob(kind: string, options?: ScheduleOptions): SchedulePreview;
  scheduleRecurring(kind: string, options: RecurringOptions): Promise<ScheduleRecord>;
  listSchedules(
    query: { readonly kind?: string },
    page: PageRequest,
  ): Promise<Page<ScheduleRecord>>;
  /** @throws JobError `not_found` */
  getSchedule(id: string): Promise<ScheduleRecord>;
  /** @throws JobError `not_found`; `conflict` for one that belongs to the configuration */
  updateSchedule(id: string, change: ScheduleChange): Promise<ScheduleRecord>;
  /** @throws JobError `not_found`; `conflict` for one that belongs to the configuration */
  deleteSchedule(id: string): Promise<void>;

  /** Run now what a schedule runs, without changing it. @throws JobError `not_found` */
  runSchedule(target: ScheduleTarget): Promise<Instance>;
  /**
   * Skip the ticks before a time, or a number of ticks; 0 cancels an earlier request. Returns the
   * schedules.
   *
   * @throws JobError `not_found` if the kind has none
   */
  skipTicks(
    target: ScheduleTarget,
    what: { readonly until?: number; readonly count?: number },
  ): Promise<readonly ScheduleRecord[]>;
  /** Run the ticks of a past range that did not run, in order; too many are `invalid_argument`. */
  backfill(request: BackfillRequest): Promise<BackfillResult>;
  /** Explain why something ran or did not. @throws JobError `not_found` */
  explain(query: ExplainQuery): Promise<readonly TickReport[]>;

  /**
   * Record what is reported of a run of a job that runs elsewhere. Returns its instance, or null
   * for a log of a job without any run. A repeated report changes nothing.
   *
   * @throws JobError `not_found`; `invalid_argument` for a job that runs here
   */
  reportRun(kind: string, reported: ReportedRun): Promise<Instance | null>;
  /**
   * The keys of the pings that report runs of a job.
   *
   * @throws JobError `not_found`; `invalid_argument` for a job that runs here
   */
  pingKeys(kind: string): Promise<PingKeysOfJob>;
  /** SHA-256 of all keys that pings can have, in hexadecimal. */
  pingKeyHashes(): Promise<ReadonlySet<string>>;
  /**
   * Record a run as {@link reportRun} does, of the job with this key, or with the shared key of the
   * job of this kind. Returns false if there is none.
   */
  ping(key: string, kind: string | null, reported: ReportedRun): Promise<boolean>;
  /** The hooks of the jobs of this node, by kind, with their secrets: for its listeners alone. */
  hooks(): ReadonlyMap<string, JobHook>;
  /**
   * Run a job for a delivery to its hook, which has been verified. One that was accepted before is
   * accepted once.
   * @throws JobError `not_found` if the job has no hook; like {@link scheduleJob}
   */
  deliver(kind: string, delivery: HookDelivery): Promise<HookRun>;
  /** The URL of the HTTP server, which ends with a slash; null if there is none. */
  siteUrl(): string | null;
  /** The instance of an id, or of a part of one that no other has. */
  getInstance(id: string, options?: FindOptions): Promise<Instance>;
  /** The limit that keeps a waiting instance from running on this node; null if there is none. */
  blockOf(instance: Instance): Promise<Block | null>;
  lookupInstances(query: InstanceQuery, page?: PageRequest): Promise<Page<Instance>>;
  /** What is due next, the earliest first: waiting instances, and next ticks of schedules. */
  upcoming(query: UpcomingQuery): Promise<UpcomingRuns>;
  /** Count instances that match, up to a number; with an action, those that it would change. */
  countUpTo(query: InstanceQuery, max: number, action?: BulkAction): Promise<LimitedCount>;
  /** How a job has fared in a span, from a bounded number of reads. */
  jobStats(query: JobStatsQuery): Promise<JobStats>;
  lookupInstanceHistory(query: HistoryQuery, page?: PageRequest): Promise<Page<HistoryEntry>>;
  lookupInstanceLogs(query: LogQuery, page?: PageRequest): Promise<Page<StoredLogEntry>>;
  /**
   * Cancel unfinished instances that match. Running ones are aborted, and get up to two seconds to
   * end. Returns the instances as they are then. Notices match only by their kind or id.
   *
   * @param options.mayCancelNotices false refuses them also then; true by default
   * @throws JobError `invalid_argument` for a query without a condition unless `all`; `not_found`
   * for an unknown id; `permission_denied` for notices
   */
  cancelInstances(
    query: InstanceQuery,
    options?: { readonly all?: boolean; readonly mayCancelNotices?: boolean },
  ): Promise<readonly Instance[]>;
  /**
   * Run a final instance again, as a new one with `retryOf`. A dead letter then counts as redriven.
   * @throws JobError `conflict` if it is unfinished; `invalid_argument` for wrong arguments
   */
  retryInstance(id: string, options?: RetryOptions): Promise<Instance>;
  /**
   * Run dead letters, which failed for good, again, each once. Returns the new instances. An id
   * that was redriven before returns the instance of that time, unless forced.
   *
   * @throws JobError `invalid_argument` for a query without a condition unless `all`; `conflict`
   * for an id that is not a dead letter
   */
  redriveInstances(
    query: InstanceQuery,
    options?: { readonly all?: boolean; readonly isForced?: boolean },
  ): Promise<readonly Instance[]>;
  /**
   * Delete final instances that match.
   *
   * @throws JobError `invalid_argument` for a query without a condition unless `all`
   */
  clearInstanceHistory(
    query: InstanceQuery & { readonly settledBefore?: number },
    options?: { readonly all?: boolean },
  ): Promise<number>;
  /**
   * Delete log lines that match.
   *
   * @throws JobError `invalid_argument` for a query without a condition unless `all`
   */
  clearInstanceLogs(query: LogQuery, options?: { readonly all?: boolean }): Promise<number>;

  /** The given kinds that no live node can run. */
  unservedKinds(kinds: Iterable<string>): Promise<ReadonlyMap<string, Block>>;
  /** The nodes on the store by id, including those that ended within the hour. */
  listNodes(): Promise<readonly NodeStatus[]>;
  /** Change the number of workers of a node. @throws JobError `not_found` if it is not live */
  resizeNode(id: string, count: number): Promise<NodeStatus>;
  workers(): WorkerStatus;
  /** @throws JobError `invalid_argument` below 0 or above 1,000 */
  resizeWorkers(count: number): Promise<WorkerStatus>;
  /** Start no more instances of a kind, or of any for null. @throws JobError `not_found` */
  pause(
    kind: string | null,
    options?: { readonly until?: number; readonly reason?: string },
  ): Promise<Pause>;
  /** End a pause. Returns false if there was none. @throws JobError `not_found` */
  resume(kind: string | null): Promise<boolean>;
  listPauses(): Promise<readonly Pause[]>;

  /** Incidents by subject: open ones, or also the last closed one of each subject. */
  listIncidents(query: IncidentQuery, page?: PageRequest): Promise<Page<Incident>>;
  /**
   * Acknowledge the open incident of a subject, which stops its reminders, or take that back, or
   * close it without a notice.
   *
   * @throws JobError `not_found` if it has none, `conflict` if another one than the given is open
   */
  acknowledgeIncident(subject: NoticeSubject, options: AcknowledgeOptions): Promise<Acknowledgment>;
  /**
   * Send no notices about a kind, or about anything for null, until a time.
   *
   * @throws JobError `not_found`; `invalid_argument` for a time that is past or over 31 days ahead
   */
  silence(kind: string | null, options: SilenceOptions): Promise<Silence>;
  /** End a silence. Returns false if there was none. @throws JobError `not_found` */
  removeSilence(kind: string | null): Promise<boolean>;
  /** The silences in force. */
  listSilences(): Promise<readonly Silence[]>;
  /** The configured channels. */
  listChannels(): readonly ChannelSummary[];
  /**
   * Send a test notice, or a sample of an event, through a channel; only return it for a dry run.
   *
   * @throws JobError `not_found`; `conflict` while another test is sent
   */
  testNotice(channel: string, options: TestOptions): Promise<NoticePreview>;

  status(): Promise<ManagerStatus>;
  /** Resolves with the instance once it is final, or null if `timeoutMs` passed first. */
  waitInstance(id: string, timeoutMs?: number): Promise<Instance | null>;
  /** Follow the log of one instance to its end, or of a kind or of all; see {@link FollowStep}. */
  follow(query: LogTailQuery, options?: FollowOptions): AsyncGenerator<FollowStep>;
  /**
   * Reload the configuration. Jobs with problems are disabled, and jobs of unreadable files stay.
   * Any other problem refuses the whole.
   *
   * @throws JobError `invalid_config` for problems; `conflict` if it would remove more than half of
   * the jobs and is not forced; `unimplemented` if there is no configuration
   */
  reloadConfig(options?: ReloadOptions): Promise<ReloadReport>;
  /** Stops the daemon around it, or lets that hand over to a newer version. */
  readonly daemon: DaemonCalls;
  /**
   * The values of the configuration that was loaded last, without secrets.
   *
   * @throws JobError `unimplemented` if there is no configuration
   */
  config(): ConfigInForce;
  /** What the store has, and its size: from counts, without reading instances. */
  storeContent(): Promise<StoreContent>;
  /**
   * Run store maintenance; the last step is a report.
   *
   * @throws JobError `conflict` while another one is running, `unimplemented` if there is none
   */
  workOnStore(
    work: StoreWork,
    options?: { readonly signal?: AbortSignal },
  ): AsyncIterable<StoreStep>;
  subscribe(listener: (event: ManagerEvent) => void): () => void;
}

/** The read-only methods of a manager, which may read much data. */
export type ReadApi = Pick<
  ManagerApi,
  | "lookupInstances"
  | "upcoming"
  | "countUpTo"
  | "jobStats"
  | "lookupInstanceHistory"
  | "lookupInstanceLogs"
  | "getInstance"
  | "getSchedule"
  | "listSchedules"
  | "listPauses"
  | "explain"
  | "blockOf"
  | "unservedKinds"
  | "follow"
  | keyof (TimelineApi & TagReads & ProcessReads)
>;

/** Facts that are not stored: what the manager currently knows about itself and its peers. */
export interface LiveFacts
  extends TagReads, ProcessReads, Pick<ManagerApi, "blockOf" | "unservedKinds" | "listPauses"> {
  /** The kinds of all jobs, and all kinds that have instances. */
  kinds(): Promise<readonly string[]>;
  /** The kinds of the jobs here whose instances can be run again. */
  ownKinds(): Promise<readonly string[]>;
  /** True if this node has a job, or another node seen within the last hour has it. */
  isKnown(kind: string): Promise<boolean>;
  /** @throws JobError `not_found` if no node seen within the last hour has the job */
  assertKnown(kind: string): Promise<void>;
  /** Why a job is configured but not loaded; null if it is loaded or not configured. */
  disabledBecause(kind: string): Promise<string | null>;
  /** The zone of a job's times; UTC if it has none, or is not loaded here. */
  timezoneOf(kind: string): Promise<string>;
}

import type { StepInfo } from "../../core/flow/step_info.ts";
import type {
  HistoryEntry,
  Instance,
  LogEntry,
  Progress,
  RunningProcess,
  StoredLogEntry,
} from "../../core/instance.ts";
import type { ScheduleOptions } from "../../core/job/gen/run_options.ts";
import type { RetryOptions } from "../../core/job/job_manager.ts";
import type { Block } from "../../core/job/limits.ts";
import type { DurationBand } from "../../core/notices/expectations.ts";
import type { FinalState, JobState } from "../../core/state.ts";
import type {
  HistoryQuery,
  InstanceQuery,
  LogQuery,
  LogTailQuery,
  Page,
  PageRequest,
  UpcomingQuery,
} from "../../store/store.ts";

/** The running instance whose attempt schedules others. */
export interface ParentInstance
  extends Pick<Instance, "id" | "kind" | "flowId" | "deadlineAt" | "slotKey"> {
  /** The step that waits for the outcome of each, in the order of requests; absent: none does. */
  readonly steps?: readonly string[];
  /** True if they begin only when their parent's store gives them their turn. */
  readonly takesTurns?: boolean;
}

/** The receiver of a signal: an instance, or the unfinished one of a kind with a unique key. */
export type SignalTarget =
  | string
  | { readonly id: string }
  | { readonly kind: string; readonly uniqueKey: string };

/** Options of a signal. */
export interface SignalOptions {
  /** The value that the wait returns, of at most 256 KiB as JSON; null by default. */
  readonly value?: unknown;
  /** The same id counts once for an instance. */
  readonly signalId?: string | undefined;
  /** Its sender. */
  readonly by?: string | undefined;
}

/** The fate of a signal. */
export interface SignalReport {
  /**
   * "woke": the instance waited for it; "stored": a later wait finds it; "duplicate": its id came
   * before; "ended": the instance had finished, and the signal was not kept.
   */
  readonly status: "woke" | "stored" | "duplicate" | "ended";
  readonly instance: Instance;
}

/** The result of a dry run: what would be queued. */
export type SchedulePreview = Pick<Instance, "kind" | "argumentsJson" | "priority" | "dueAt">;

/** The instances of a batch, in the order of its requests; none for a dry run. */
export interface BatchReport {
  readonly instances: readonly Instance[];
  /** Number of them that existed before, with the same id or unique key. */
  readonly existing: number;
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
  /** Lines of an instance's log; emitted only to listeners. */
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

/** Options of the search for an instance. */
export interface FindOptions {
  /** Only instances of these kinds; undefined for all. */
  readonly kinds?: readonly string[] | undefined;
  /** Stop comparing a long part with ids at a recent match: a second match is unlikely. */
  readonly isQuick?: boolean;
}

/** An action on every instance that matches. */
export type BulkAction = "cancel" | "redrive";

/** Number of instances that match. */
export interface LimitedCount {
  readonly count: number;
  /** True if there are more, or if the search was incomplete. */
  readonly hasMore: boolean;
}

/** A tick of a schedule, or a waiting instance. */
export interface UpcomingRun {
  readonly kind: string;
  /** Epoch ms; past if it was not checked since. */
  readonly dueAt: number;
  /** Null for an instance. */
  readonly scheduleId: string | null;
  /** Null for a tick. */
  readonly instanceId: string | null;
}

/** The next runs, earliest first. */
export interface UpcomingRuns {
  readonly runs: readonly UpcomingRun[];
  readonly hasMore: boolean;
}

/** The job, and the span by the creation of instances, epoch ms. */
export interface JobStatsQuery {
  readonly kind: string;
  readonly from: number;
  readonly to: number;
  /** Parts of the span, 1 to 100. */
  readonly buckets: number;
}

/** Durations of successful runs, in milliseconds. */
export interface RunDurations {
  readonly runs: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly maxMs: number;
}

/** Outcomes of instances in a part of the span. */
export interface JobStatsBucket {
  /** Epoch ms. */
  readonly from: number;
  readonly counts: Readonly<Record<FinalState | "unfinished", number>>;
  readonly durations: RunDurations | null;
}

/** Failures with the same error, apart from numbers and ids in it. */
export interface FailureGroup {
  /** Error of the newest one. */
  readonly error: string;
  readonly count: number;
  readonly lastAt: number;
  readonly lastId: string;
}

/** Statistics of a job's runs. */
export interface JobStats extends Pick<JobStatsQuery, "from" | "to"> {
  readonly buckets: readonly JobStatsBucket[];
  readonly totals: JobStatsBucket;
  /** True if large counts were estimated from samples. */
  readonly isEstimate: boolean;
  /** Share of all ended but not canceled ones, 0 to 1; null without any. */
  readonly successRate: number | null;
  /** Independent of the span; null if unknown. */
  readonly lastSuccessAt: number | null;
  readonly lastFailureAt: number | null;
  /** The last instances, newest first. */
  readonly last: readonly Instance[];
  readonly failures: readonly FailureGroup[];
  /** Usual duration of the last successes; null if too little is known. */
  readonly usual: DurationBand | null;
}

/** Start and early end of following. */
export interface FollowOptions {
  /** Continue after the step that returned it; null or absent for the oldest line. */
  readonly cursor?: string | null;
  /** Without a cursor: only lines written from now on. */
  readonly fromNow?: boolean;
  /** When following a kind or everything: omit changed instances. */
  readonly logsOnly?: boolean;
  readonly signal?: AbortSignal;
}

/** The news since the previous step; it may be empty. */
export interface FollowStep {
  readonly entries: readonly StoredLogEntry[];
  readonly cursor: string;
  /** The followed instance if its state or progress changed, after the earlier lines; else null. */
  readonly instance: Instance | null;
  /**
   * When following a kind or everything: instances with a changed state, attempt or progress since
   * the previous step, in their current state, without arguments and results.
   */
  readonly changed: readonly Instance[];
  /** True if more instances have changed than can be listed. */
  readonly hasMissed: boolean;
}

/** Reads of instances. */
export interface InstanceReads {
  /** The instance with an id or an unambiguous part of it. */
  getInstance(id: string, options?: FindOptions): Promise<Instance>;
  /** The limit that keeps a waiting instance from running on this node; null without one. */
  blockOf(instance: Instance): Promise<Block | null>;
  lookupInstances(query: InstanceQuery, page?: PageRequest): Promise<Page<Instance>>;
  /** The next runs, earliest first: waiting instances, and next ticks of schedules. */
  upcoming(query: UpcomingQuery): Promise<UpcomingRuns>;
  /** Count matching instances, up to a number; with an action, only instances it would change. */
  countUpTo(query: InstanceQuery, max: number, action?: BulkAction): Promise<LimitedCount>;
  /** Statistics of a job in a span, from a bounded number of reads. */
  jobStats(query: JobStatsQuery): Promise<JobStats>;
  lookupInstanceHistory(query: HistoryQuery, page?: PageRequest): Promise<Page<HistoryEntry>>;
  lookupInstanceLogs(query: LogQuery, page?: PageRequest): Promise<Page<StoredLogEntry>>;
  /** Follow the log of one instance to its end, or of a kind or of all; see {@link FollowStep}. */
  follow(query: LogTailQuery, options?: FollowOptions): AsyncGenerator<FollowStep>;
  /** The given kinds that no live node can run. */
  unservedKinds(kinds: Iterable<string>): Promise<ReadonlyMap<string, Block>>;
  /** The known processes of instances on this node, by the id of the instance. */
  processesOf(ids: Iterable<string>): Promise<ReadonlyMap<string, RunningProcess>>;
  /**
   * The kinds of the jobs here that need a tag.
   *
   * @param patterns of the kinds that count, by default all
   * @throws JobError `invalid_argument` if it cannot be a tag, `not_found` if no job needs it
   */
  kindsOfTag(tag: string, patterns?: readonly string[]): Promise<readonly string[]>;
}

/** Accepts, changes and follows instances. */
export interface InstanceApi extends InstanceReads {
  scheduleJob(kind: string, options?: ScheduleOptions, parent?: ParentInstance): Promise<Instance>;
  /** Schedule all or none; at most BATCH_MAX. */
  scheduleBatch(
    requests: readonly (ScheduleOptions & { readonly kind: string })[],
    options?: { readonly isDryRun?: boolean; readonly parent?: ParentInstance },
  ): Promise<BatchReport>;
  /** Convert and check like {@link scheduleJob}, but queue nothing. */
  previewJob(kind: string, options?: ScheduleOptions): SchedulePreview;
  /**
   * Cancel unfinished instances that match. Running ones are aborted, and get up to two seconds to
   * end. Returns the instances in their state after that. Notices match only by their kind or id.
   *
   * @param options.mayCancelNotices false refuses even those; true by default
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
   * Run dead letters again, each once. Returns the new instances. An id that was redriven before
   * returns the earlier new instance, unless forced.
   *
   * @throws JobError `invalid_argument` for a query without a condition unless `all`; `conflict`
   * for an id that is not a dead letter
   */
  redriveInstances(
    query: InstanceQuery,
    options?: { readonly all?: boolean; readonly isForced?: boolean },
  ): Promise<readonly Instance[]>;
  /**
   * Send a signal to an unfinished instance.
   *
   * @throws JobError `not_found` without one; `resource_exhausted` for too many; `invalid_argument`
   */
  signalInstance(
    target: SignalTarget,
    name: string,
    options?: SignalOptions,
  ): Promise<SignalReport>;
  /** The steps, waits, children and signals of an instance. */
  listSteps(id: string): Promise<readonly StepInfo[]>;
  /**
   * Freeze the running command of an instance, or let it continue with `thaw`. Its timeout pauses
   * meanwhile, but its lease does not.
   *
   * @returns `changed` false if nothing changed
   * @throws JobError `conflict` if it runs no command on this node; `unimplemented` without control
   * groups
   */
  freezeInstance(
    id: string,
    options?: { readonly thaw?: boolean; readonly reason?: string },
  ): Promise<{ readonly instance: Instance; readonly changed: boolean }>;
  /**
   * Delete final instances that match.
   *
   * @throws JobError `invalid_argument` for a query without a condition unless `all`
   */
  clearInstanceHistory(
    query: InstanceQuery & { readonly settledBefore?: number },
    options?: { readonly all?: boolean },
  ): Promise<number>;
  /** Delete log lines that match; errors as of {@link clearInstanceHistory}. */
  clearInstanceLogs(query: LogQuery, options?: { readonly all?: boolean }): Promise<number>;
  /** Resolves with the instance once it is final, or null if `timeoutMs` passed first. */
  waitInstance(id: string, timeoutMs?: number): Promise<Instance | null>;
  subscribe(listener: (event: ManagerEvent) => void): () => void;
}

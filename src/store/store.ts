import type { HistoryEntry, Instance, StoredLogEntry } from "../core/instance.ts";
import type { Block } from "../core/job/limits.ts";
import type { ScheduleRecord, TickFate } from "../core/time/schedule.ts";
import type { InstanceQuery, Page, PageRequest } from "../core/query.ts";
import type { JobState } from "../core/state.ts";
import type { Instant } from "../platform/clock.ts";
import type { RecordRuns, RunsResult } from "./external_runs.ts";
import type { NodeStore } from "./nodes.ts";
import type { RecordStore } from "./records.ts";
import type { SpanReads } from "./spans.ts";
import type {
  AddNews,
  Advance,
  AdvanceResult,
  Backfill,
  ChangeHint,
  ClaimKey,
  ClaimRequest,
  Committed,
  DueSchedulesRequest,
  EnqueueResult,
  FindIds,
  HistoryQuery,
  KeptSteps,
  LogAppend,
  LogQuery,
  LogTail,
  LogTailQuery,
  Memo,
  NewInstance,
  NextDue,
  NextDueRequest,
  Pause,
  PutMemo,
  PutSchedule,
  PutSteps,
  RedriveResult,
  RenewRequest,
  RenewResult,
  ScheduleQuery,
  Settlement,
  SettleResult,
  SignalRequest,
  SignalResult,
  Upcoming,
  UpcomingQuery,
  Write,
} from "./requests.ts";

export * from "./requests.ts";
export * from "./external_runs.ts";
export * from "./spans.ts";
export {
  NODE_ID_PATH,
  NODE_KEPT_MS,
  type NodeRecord,
  type NodeReport,
  type NodeStore,
} from "./nodes.ts";
export type { InstanceQuery, Page, PageRequest, RecordStore };

/** Format of stored data; a store refuses a newer one. */
export const STORE_FORMAT = 4;

/** Number of instances in each state. */
export type StateCounts = Readonly<Record<JobState, number>>;

/** The number of instances and schedules in the store. */
export interface StoreStats {
  /** By kind; kinds without instances are absent. */
  readonly kinds: ReadonlyMap<string, StateCounts>;
  readonly schedules: number;
}

/** An opened store's report about itself. */
export interface StoreInfo {
  readonly type: string;
  /** Location of the data, without secrets. */
  readonly location: string;
  /** UUID of this body of data. */
  readonly storeId: string;
  /** Rises with every opening. */
  readonly epoch: number;
  readonly format: number;
  readonly isDurable: boolean;
  /** True if it is in files whose loss {@link Store.problem} reports. */
  readonly hasFiles?: boolean;
  /** Processing instances taken from a dead owner by this opening: lost, and scheduled again. */
  readonly recovered: readonly Instance[];
  /** Revision of the opening itself, which recovered them. */
  readonly rev?: number;
}

/** The opener of the store, and the time. */
export interface OpenRequest {
  readonly at: Instant;
  readonly node: string;
  /** Opened to move, back up or repair it: its mark is ignored, and nothing is taken back. */
  readonly isMaintenance?: boolean;
  /** Claims of a dead owner whose job code still runs here; they are not taken back. */
  readonly keeps?: KeptClaims;
}

/** Claims that outlive their owner or session. */
export interface KeptClaims {
  readonly claims: readonly ClaimKey[];
  /** Their validity from the opening on, where it makes no other leases. */
  readonly leaseMs: number;
}

/**
 * The storage of the manager. Each operation is atomic, and durable to the store's guarantee when
 * its promise resolves. Requests of one turn of the event loop may share a transaction, in order.
 *
 * Every method throws JobError: `unavailable` when the store cannot be reached or is closed,
 * `resource_exhausted` when it is full, `invalid_argument` for requests beyond the limits. Nothing
 * is written then.
 */
export interface Store extends NodeStore, SpanReads {
  /**
   * Why the store does not respond, or takes nothing, as known without a call; null if it works,
   * absent if unknown.
   */
  readonly problem?: string | null | undefined;
  open(request: OpenRequest): Promise<StoreInfo>;
  close(): Promise<void>;
  /**
   * Accept instances, all or none. If an id or a unique key is taken, the existing instance is
   * returned, or replaced.
   *
   * @throws JobError `already_exists` if an instance of another kind or with other arguments has
   * the id or key, `conflict` if the replaced one is running, `resource_exhausted` if too many of a
   * kind are waiting
   */
  readonly enqueue: Write<{ readonly instances: readonly NewInstance[] }, readonly EnqueueResult[]>;
  /**
   * Claim due instances by priority, then due time, then order of acceptance, as pauses and limits
   * allow. Leases run from `at`, and slots with them; starts are counted in the same transaction.
   */
  claim(request: ClaimRequest): Promise<Committed<readonly Instance[]>>;
  renew(request: RenewRequest): Promise<Committed<readonly RenewResult[]>>;
  readonly settle: Write<
    { readonly node: string; readonly settlements: readonly Settlement[] },
    readonly SettleResult[]
  >;
  /**
   * Cancel unfinished instances that match. A waiting one becomes Canceled; a processing one is
   * marked, and its settlement will be Canceled. Instances marked before do not match again. One
   * with steps is due once more, for at most `CANCEL_GRACE_MS`, before it becomes Canceled; with
   * `isForced`, those that wait for that match again, and end at once.
   */
  readonly cancel: Write<
    { readonly query: InstanceQuery; readonly limit: number; readonly isForced?: boolean },
    readonly Instance[]
  >;
  /**
   * Take back instances whose lease has expired: scheduled again and counted as a crash, Terminated
   * past `crashesMax`, or Canceled if that was requested. End waiting instances past their
   * deadline: TimedOut with reason "deadline".
   */
  readonly reap: Write<{ readonly limit: number }, readonly Instance[]>;
  /**
   * Time for which {@link reap} will find nothing, in ms, unless something is claimed or a hint
   * `deadlines` arrives. A shared store, or a store without this method, is polled.
   */
  quietMs?(at: Instant): number;
  /**
   * Accept each instance in place of the final one named by its `retryOf`. A dead letter is run
   * again once: unless forced, a repeated request returns the first one's instance.
   */
  readonly redrive: Write<
    {
      readonly instances: readonly NewInstance[];
      readonly isForced: boolean;
      /** Step records for the only instance. */
      readonly steps?: KeptSteps;
    },
    readonly RedriveResult[]
  >;
  /**
   * Record runs that happen elsewhere, as reported: an instance that begins, ends or does both, at
   * the times given. It is never claimed, and only its end or a cancel ends it. A repeated report
   * changes nothing.
   *
   * @throws JobError `already_exists` if another instance has the id, `resource_exhausted` if too
   * many runs of a kind are unfinished
   */
  recordRuns(request: RecordRuns): Promise<Committed<RunsResult>>;
  /**
   * Record steps of claims. They are memos with keys of `stepMemoKey`, deleted with their instance.
   *
   * @returns the stale claims, whose steps were not written
   */
  readonly putSteps: Write<{ readonly puts: readonly PutSteps[] }, readonly ClaimKey[]>;
  /** Record signals to instances; those that wait for one become due. */
  readonly signal: Write<{ readonly signals: readonly SignalRequest[] }, readonly SignalResult[]>;
  /** Append log lines to claims. @returns the stale claims, whose lines were not written */
  readonly appendLogs: Write<{ readonly appends: readonly LogAppend[] }, readonly ClaimKey[]>;

  readonly advance: Write<{ readonly advances: readonly Advance[] }, readonly AdvanceResult[]>;
  /** Run past ticks that have no run. @throws JobError `not_found` for an unknown schedule */
  readonly backfill: Write<{ readonly backfill: Backfill }, readonly Instance[]>;
  /**
   * Write a schedule if its stored generation is `expectedGeneration` (null: if none is stored)
   * and, if given, its cursor is `expectedCursor`. @throws JobError `conflict` otherwise
   */
  putSchedule(request: PutSchedule): Promise<Committed<ScheduleRecord>>;
  /** Delete a schedule; its instances stay. @returns false if there was none */
  readonly deleteSchedule: Write<{ readonly id: string }, boolean>;
  getSchedule(id: string): Promise<ScheduleRecord | null>;
  listSchedules(
    query: ScheduleQuery,
    page: PageRequest,
  ): Promise<Page<ScheduleRecord>>;
  /** Schedules that are due, earliest first. */
  dueSchedules(request: DueSchedulesRequest): Promise<readonly ScheduleRecord[]>;
  listFates(
    query: { readonly scheduleId: string; readonly after?: number; readonly before?: number },
    page: PageRequest,
  ): Promise<Page<TickFate>>;

  /**
   * The next due items: waiting instances that are not offered to claims yet, and the next tick of
   * each schedule, both earliest first.
   */
  upcoming(query: UpcomingQuery): Promise<Upcoming>;

  get(id: string): Promise<Instance | null>;
  /**
   * Up to `limit` ids that contain a text, in any order. The greatest, which are the newest, are
   * compared first, and all unless `enough` ends the search, in slices between which other work
   * runs: an index of parts would not be worth its writes.
   */
  findIds(request: FindIds): Promise<readonly string[]>;
  list(query: InstanceQuery, page: PageRequest): Promise<Page<Instance>>;
  /** State history, oldest first: the timestamps of each row merged with its ended attempts. */
  history(query: HistoryQuery, page: PageRequest): Promise<Page<HistoryEntry>>;
  /** Logs, oldest first. */
  logs(query: LogQuery, page: PageRequest): Promise<Page<StoredLogEntry>>;
  /**
   * Lines in the order written, after a cursor or, with null, from the oldest. No line is missed or
   * repeated, even across a restart. @throws JobError `invalid_argument` for an unreadable cursor
   */
  tailLogs(
    query: LogTailQuery,
    request: { readonly cursor: string | null; readonly limit: number },
  ): Promise<LogTail>;
  /** The cursor after the last written line. */
  logEnd(): Promise<string>;
  stats(): Promise<StoreStats>;

  /**
   * Correct times of instances written by a clock that was hours ahead, see `correctInstance`.
   * @returns ids of the changed ones
   */
  readonly correctTimes: Write<{ readonly ids: readonly string[] }, readonly string[]>;
  /** Delete final instances past their retention, with history and logs. @returns their ids */
  readonly retain: Write<{ readonly limit: number }, readonly string[]>;
  /**
   * Delete final instances that match and settled before `settledBefore`, with history and logs.
   * @returns their ids
   */
  readonly clearInstances: Write<
    { readonly query: InstanceQuery; readonly settledBefore: number; readonly limit: number },
    readonly string[]
  >;
  /** Delete log lines that match. @returns the number deleted */
  readonly clearLogs: Write<{ readonly query: LogQuery; readonly limit: number }, number>;
  readonly setPause: Write<
    { readonly kind: string | null; readonly until: number | null; readonly reason: string },
    Pause
  >;
  /** @returns false if there was no pause */
  readonly removePause: Write<{ readonly kind: string | null }, boolean>;
  listPauses(): Promise<readonly Pause[]>;

  /** Memos whose keys begin with `prefix`, by key (by code point), after `after`. */
  listMemos(
    query: { readonly prefix: string; readonly after: string | null; readonly limit: number },
  ): Promise<readonly Memo[]>;
  /** Write or delete a memo. @throws JobError `conflict` if its version has changed */
  putMemo(request: PutMemo): Promise<Committed<Memo | null>>;
  /** Add news to a memo, and accept an instance that processes them. @returns number of new ones */
  addNews(request: AddNews): Promise<Committed<number>>;
  /** Delete memos whose keys begin with `prefix`, by key. @returns the number deleted */
  readonly removeMemos: Write<{ readonly prefix: string; readonly limit: number }, number>;

  /**
   * Time when a claim would next return something, or a schedule is due. Hints announce freed
   * slots.
   */
  nextDue(request: NextDueRequest): Promise<NextDue>;
  /** The limit that prevents the claim of a due instance; null without one. */
  blockOf(request: NextDueRequest & { readonly id: string }): Promise<Block | null>;
  /** The limits that prevent claims of due instances; at most 100. */
  blocks(request: NextDueRequest): Promise<readonly Block[]>;
  /** Everything in the store as records, to move, back up, restore and check it. */
  readonly records: RecordStore;
  /** Listen to changes by any node. @returns a function that ends it */
  subscribe(listener: (hint: ChangeHint) => void): () => void;
}

/** The read-only part of a store. */
export type StoreReads = Pick<
  Store,
  | "get"
  | "findIds"
  | "list"
  | "history"
  | "logs"
  | "tailLogs"
  | "logEnd"
  | "getSchedule"
  | "listSchedules"
  | "listFates"
  | "listMemos"
  | keyof SpanReads
  | "upcoming"
  | "stats"
>;

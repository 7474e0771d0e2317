import type {
  HistoryEntry,
  Instance,
  InstancePolicy,
  LogLevel,
  StoredLogEntry,
} from "../core/instance.ts";
import type { InstanceQuery, Page, PageRequest } from "../core/query.ts";
import type { Block, UniqueRule } from "../core/job/limits.ts";
import type { ScheduleRecord, TickFate } from "../core/job/schedule.ts";
import type { JobState } from "../core/state.ts";
import type { Instant } from "../platform/clock.ts";
import type { ChangeHint } from "./change_hint.ts";
import type {
  ClaimKey,
  ClaimRequest,
  LogAppend,
  RenewRequest,
  RenewResult,
  Settlement,
  SettleResult,
} from "./claims.ts";
import type { NodeStore } from "./nodes.ts";
import type { RecordStore } from "./records.ts";
import type {
  Advance,
  AdvanceResult,
  Backfill,
  DueSchedulesRequest,
  PutSchedule,
  ScheduleQuery,
} from "./schedule_steps.ts";

export type { ChangeHint } from "./change_hint.ts";
export type {
  ClaimKey,
  ClaimRequest,
  LogAppend,
  RenewRequest,
  RenewResult,
  Settlement,
  SettleResult,
} from "./claims.ts";
export type { RecordStore } from "./records.ts";
export { NODE_ID_PATH, type NodeRecord, type NodeReport, type NodeStore } from "./nodes.ts";
export { AHEAD_MS_MAX } from "./claims.ts";
export type {
  Advance,
  AdvanceResult,
  Backfill,
  DueSchedulesRequest,
  PutSchedule,
  ScheduleQuery,
} from "./schedule_steps.ts";

export type { InstanceQuery, Page, PageRequest };

/** Format of stored data; a store refuses a newer one. */
export const STORE_FORMAT = 3;
/** Most items of one request, page or batch. */
export const BATCH_MAX = 1_000;

/** A mutating operation's answer with its place in the store's history. */
export interface Committed<T> {
  /** Revision of the operation: strictly increasing within the store. */
  readonly rev: number;
  /** The store's time of it, epoch ms: never decreasing with `rev`. */
  readonly at: number;
  /** Monotonic ms of this process before which it cannot have happened; absent: the instant of the request. */
  readonly sentMs?: number;
  readonly value: T;
}

/** An instance to accept. */
export interface NewInstance extends InstancePolicy {
  /** UUID chosen by the caller: accepting the same id twice accepts it once. */
  readonly id: string;
  readonly kind: string;
  readonly priority: number;
  readonly queueKey: string;
  readonly uniqueKey: string | null;
  readonly argumentsJson: string;
  readonly dueAt: number;
  readonly scheduleId: string | null;
  readonly scheduledFor: number | null;
  readonly retryOf: string | null;
  /** How it holds its unique key; absent: while it is unfinished, and other arguments are refused. */
  readonly unique?: UniqueRule;
  /** Refused when as many of its kind wait; absent: never. */
  readonly waitingMax?: number;
  /** Epoch ms by which it must have ended; null for none. */
  readonly deadlineAt: number | null;
}

/** What became of one instance that was to be accepted. */
export interface EnqueueResult {
  readonly instance: Instance;
  /** Whether it is new, or already there by its id or by a unique key that is held. */
  readonly outcome: "accepted" | "sameId" | "sameKey";
  /** The waiting instance that it took the place of, as it was canceled. */
  readonly replaced?: Instance;
}

/** Which state transitions; all given conditions must hold, times as in {@link InstanceQuery}. */
export interface HistoryQuery {
  readonly instanceId?: string;
  readonly kind?: string;
  readonly after?: number;
  readonly before?: number;
}

/** Which log lines; all given conditions must hold. */
export interface LogQuery extends HistoryQuery {
  /** This level and above. */
  readonly level?: LogLevel;
}

/** Which log lines are followed; all given conditions must hold. */
export type LogTailQuery = Pick<LogQuery, "instanceId" | "kind" | "level">;

/** The lines that follow a cursor. */
export interface LogTail {
  /** In the order in which they were written; may be none although more follow. */
  readonly items: readonly StoredLogEntry[];
  /** Opaque; where the next request goes on. */
  readonly cursor: string;
  /** Whether there was nothing after them. */
  readonly isEnd: boolean;
}

/** What became of one instance that was to be run again. */
export interface RedriveResult {
  /** The final instance after the operation; null when there is none. */
  readonly past: Instance | null;
  /** "repeated": it was run again before; "unfinished" and "gone": nothing was written. */
  readonly outcome: "accepted" | "repeated" | "unfinished" | "gone";
  /** The new instance, or the one of the first time; null when that is deleted, and when there is none. */
  readonly instance: Instance | null;
}

/** A hold on claiming instances of a kind. */
export interface Pause {
  /** The kind, or null for all. */
  readonly kind: string | null;
  /** Epoch ms; null until resumed. */
  readonly until: number | null;
  readonly reason: string;
  readonly at: number;
}

/** Who asks when there is something to do: a node with what it claims by. */
export type NextDueRequest =
  & Pick<ClaimRequest, "at" | "kinds">
  & Partial<Pick<ClaimRequest, "node" | "limits">>;

/** When there will be something to do, epoch ms; a time in the past means now. */
export interface NextDue {
  /** The store's time of this answer: what the others are measured by. */
  readonly at: number;
  readonly instanceAt: number | null;
  readonly scheduleAt: number | null;
}

/** How many instances are in each state. */
export type StateCounts = Readonly<Record<JobState, number>>;

/** How much the store holds. */
export interface StoreStats {
  /** By kind; kinds without instances are absent. */
  readonly kinds: ReadonlyMap<string, StateCounts>;
  readonly schedules: number;
}

/** What an opened store says of itself. */
export interface StoreInfo {
  readonly type: string;
  /** Where the data is, without secrets. */
  readonly location: string;
  /** UUID of this body of data. */
  readonly storeId: string;
  /** Rises with every opening. */
  readonly epoch: number;
  readonly format: number;
  readonly isDurable: boolean;
  /** Processing instances that this opening took from a dead owner: reported as lost, scheduled again. */
  readonly recovered: readonly Instance[];
  /** Revision of the opening itself, which recovered them. */
  readonly rev?: number;
}

/** Who opens the store, and when. */
export interface OpenRequest {
  readonly at: Instant;
  readonly node: string;
  /** Opened to move, save or mend it: a mark over it refuses nothing, and nothing is taken back. */
  readonly isMaintenance?: boolean;
}

/**
 * Where the manager keeps everything: semantic operations, each atomic and durable to the store's guarantee when its
 * promise resolves. Requests of one turn of the event loop may share a transaction, in their order.
 *
 * Every method throws JobError: `unavailable` when the store cannot be reached or is closed, `resource_exhausted` when it is
 * full, `invalid_argument` for requests out of limits. Nothing is written then.
 */
export interface Store extends NodeStore {
  /** What keeps the store from answering, as far as it is known without asking; absent or null: nothing. */
  readonly problem?: string | null;
  open(request: OpenRequest): Promise<StoreInfo>;
  close(): Promise<void>;
  /**
   * Accept instances, all or none. An id or a unique key that is held answers the one that is there, or replaces it.
   * @throws JobError `already_exists` when id or key are taken by an instance of another kind or other arguments, `conflict`
   * when the one to replace runs, `resource_exhausted` when too many of a kind wait
   */
  enqueue(
    request: { readonly at: Instant; readonly instances: readonly NewInstance[] },
  ): Promise<Committed<readonly EnqueueResult[]>>;
  /**
   * Take due instances to execute, by priority, then due time, then acceptance, as far as pauses and limits let them. The lease
   * runs from `at`, and with it the slots; a start is counted in the same transaction.
   */
  claim(request: ClaimRequest): Promise<Committed<readonly Instance[]>>;
  renew(request: RenewRequest): Promise<Committed<readonly RenewResult[]>>;
  settle(
    request: {
      readonly at: Instant;
      readonly node: string;
      readonly settlements: readonly Settlement[];
    },
  ): Promise<Committed<readonly SettleResult[]>>;
  /**
   * Cancel what matches and is unfinished: a waiting instance becomes Canceled, a processing one is marked, so that its
   * settlement will be Canceled. Those marked before do not match again.
   */
  cancel(
    request: { readonly at: Instant; readonly query: InstanceQuery; readonly limit: number },
  ): Promise<Committed<readonly Instance[]>>;
  /**
   * Take back what lost its lease: scheduled again and counted as a crash, Terminated past `crashesMax`, Canceled if so
   * requested. End what waits past its deadline: TimedOut with reason "deadline".
   */
  reap(
    request: { readonly at: Instant; readonly limit: number },
  ): Promise<Committed<readonly Instance[]>>;
  /**
   * How long {@link reap} will find nothing, in ms, unless something is claimed or the hint `deadlines` comes meanwhile. A store
   * without it, and one that shares its data with other processes, is asked again and again.
   */
  quietMs?(at: Instant): number;
  /**
   * Accept each instance in place of the final one that its `retryOf` names. A dead letter is marked as run again, once: a
   * repeated request answers the instance of the first, unless it is forced.
   */
  redrive(
    request: {
      readonly at: Instant;
      readonly instances: readonly NewInstance[];
      readonly isForced: boolean;
    },
  ): Promise<Committed<readonly RedriveResult[]>>;
  /** Append to the log of a held claim; answers the keys whose claim is stale, whose lines were not written. */
  appendLogs(
    request: { readonly at: Instant; readonly appends: readonly LogAppend[] },
  ): Promise<Committed<readonly ClaimKey[]>>;

  advance(
    request: { readonly at: Instant; readonly advances: readonly Advance[] },
  ): Promise<Committed<readonly AdvanceResult[]>>;
  /** Run past ticks that have no run. @throws JobError `not_found` for an unknown schedule */
  backfill(
    request: { readonly at: Instant; readonly backfill: Backfill },
  ): Promise<Committed<readonly Instance[]>>;
  /**
   * Write a schedule if its stored generation is `expectedGeneration` (null: if there is none), and its cursor
   * `expectedCursor` when that is given. @throws JobError `conflict`
   */
  putSchedule(request: PutSchedule): Promise<Committed<ScheduleRecord>>;
  /** Whether there was one. Its instances stay. */
  deleteSchedule(
    request: { readonly at: Instant; readonly id: string },
  ): Promise<Committed<boolean>>;
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

  get(id: string): Promise<Instance | null>;
  list(query: InstanceQuery, page: PageRequest): Promise<Page<Instance>>;
  /** State history, oldest first: the four timestamps of the row merged with what departed from them. */
  history(query: HistoryQuery, page: PageRequest): Promise<Page<HistoryEntry>>;
  /** Logs, oldest first. */
  logs(query: LogQuery, page: PageRequest): Promise<Page<StoredLogEntry>>;
  /**
   * Lines in the order in which they were written, after a cursor or, with null, from the oldest; none is left out and none comes
   * twice, also over a restart. An unreadable cursor is `invalid_argument`.
   */
  tailLogs(
    query: LogTailQuery,
    request: { readonly cursor: string | null; readonly limit: number },
  ): Promise<LogTail>;
  /** The cursor after the line that was written last. */
  logEnd(): Promise<string>;
  stats(): Promise<StoreStats>;

  /**
   * Correct times of instances that were written by a clock that was hours ahead, see
   * `correctInstance`; returns the ids of those changed.
   */
  correctTimes(
    request: { readonly at: Instant; readonly ids: readonly string[] },
  ): Promise<Committed<readonly string[]>>;
  /** Delete final instances past their retention, with history and logs; answers how many. */
  retain(
    request: { readonly at: Instant; readonly limit: number },
  ): Promise<Committed<readonly string[]>>;
  /** Delete final instances that match and settled before `before`, with history and logs; answers their ids. */
  clearInstances(
    request: {
      readonly at: Instant;
      readonly query: InstanceQuery;
      readonly settledBefore: number;
      readonly limit: number;
    },
  ): Promise<Committed<readonly string[]>>;
  /** Delete log lines that match and are older than `before`; answers how many. */
  clearLogs(
    request: { readonly at: Instant; readonly query: LogQuery; readonly limit: number },
  ): Promise<Committed<number>>;
  setPause(
    request: {
      readonly at: Instant;
      readonly kind: string | null;
      readonly until: number | null;
      readonly reason: string;
    },
  ): Promise<Committed<Pause>>;
  /** Whether there was one. */
  removePause(
    request: { readonly at: Instant; readonly kind: string | null },
  ): Promise<Committed<boolean>>;
  listPauses(): Promise<readonly Pause[]>;

  /** When a claim would next give something, and when a schedule is due. A slot that others free is told by a hint. */
  nextDue(request: NextDueRequest): Promise<NextDue>;
  /** Which limit keeps an instance that is due from being claimed so; null for none. */
  blockOf(request: NextDueRequest & { readonly id: string }): Promise<Block | null>;
  /** Limits that keep due instances from being claimed so; at most 100. */
  blocks(request: NextDueRequest): Promise<readonly Block[]>;
  /** Everything in the store as records: how it is moved, saved, put back and checked. */
  readonly records: RecordStore;
  /** Listen to changes by any node; answers how to stop. */
  subscribe(listener: (hint: ChangeHint) => void): () => void;
}

/** The read-only part of a store, whoever writes to it. */
export type StoreReads = Pick<
  Store,
  | "get"
  | "list"
  | "history"
  | "logs"
  | "tailLogs"
  | "logEnd"
  | "getSchedule"
  | "listSchedules"
  | "listFates"
>;

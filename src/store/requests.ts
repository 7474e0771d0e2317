import type {
  AttemptUsage,
  ErrorInfo,
  Instance,
  LogEntry,
  LogLevel,
  Progress,
  Reason,
  StoredLogEntry,
} from "../core/instance.ts";
import type { StepPut, Wait } from "../core/wait.ts";
import type { ClaimLimits, UniqueRule } from "../core/job/limits.ts";
import type { Overlap, ScheduleRecord, TickFate } from "../core/time/schedule.ts";
import type { FinalState } from "../core/state.ts";
import type { Instant } from "../platform/clock.ts";
import type { GivenFields } from "./instance_fields.ts";

/** Most items of one request, page or batch. */
export const BATCH_MAX = 1_000;
export { AHEAD_MS_MAX } from "../core/time/ahead.ts";

/** The result of a mutating operation, with its place in the store's history. */
export interface Committed<T> {
  /** Revision of the operation: strictly increasing within the store. */
  readonly rev: number;
  /** The store's time of the operation, epoch ms: never decreasing with `rev`. */
  readonly at: number;
  /** Monotonic ms of this process, the earliest time of the event; absent: time of the request. */
  readonly sentMs?: number;
  readonly value: T;
}

/** An operation that writes: its request has the time. */
export type Write<Request, Result> = (
  request: Request & { readonly at: Instant },
) => Promise<Committed<Result>>;

/** A change, announced after the commit. Hints may be merged; losing one costs only time. */
export type ChangeHint =
  | { readonly type: "instances"; readonly dueAt: number }
  | { readonly type: "schedules" }
  | { readonly type: "cancel"; readonly claims: readonly ClaimKey[] }
  | { readonly type: "pauses" }
  /** A node joined, left, can run other kinds, or should change its number of workers. */
  | { readonly type: "nodes" }
  /** A store that only one process uses had no claim, and has one now. */
  | { readonly type: "claims" }
  /** A claim returned nothing because waiting instances are past their deadline: reap first. */
  | { readonly type: "deadlines" };

/** An instance to accept: the fields that it is given, and rules for accepting it. */
export interface NewInstance extends GivenFields {
  /** Epoch ms; null: on acceptance, by the clock that decides due times. */
  readonly dueAt: number | null;
  /**
   * The form that its unique key had in earlier versions, without the kind. An instance of its kind
   * that was accepted with it owns the key.
   */
  readonly formerKey?: string;
  /** Rule for its unique key. Absent: kept until it is final, and other arguments are refused. */
  readonly unique?: UniqueRule;
  /** Refused if this many of its kind are waiting; absent: never. */
  readonly waitingMax?: number;
}

/** Step records that a repeated instance begins with. */
export interface KeptSteps {
  /** Keys of the records that are copied: at most `STEPS_MAX`. Those that are gone are left out. */
  readonly keys: readonly string[];
  /** Further ones, after them. */
  readonly puts: readonly StepPut[];
}

/** The result of accepting one instance. */
export interface EnqueueResult {
  readonly instance: Instance;
  /** New, or an existing instance with the same id or the same unique key. */
  readonly outcome: "accepted" | "sameId" | "sameKey";
  /** The waiting instance that it replaced, now canceled. */
  readonly replaced?: Instance;
}

/** Selects the ids to find. */
export interface FindIds {
  /** A text that the ids contain, in lower case. */
  readonly part: string;
  readonly limit: number;
  /** Once one is found, compare at most this many; absent: all. */
  readonly enough?: number;
  /** Ends the search, which then returns the results so far. */
  readonly signal?: AbortSignal;
}

/** State transitions to return. All given conditions must match; times as in `InstanceQuery`. */
export interface HistoryQuery {
  readonly instanceId?: string;
  readonly kind?: string;
  readonly after?: number;
  readonly before?: number;
}

/** Log lines to return. All given conditions must match. */
export interface LogQuery extends HistoryQuery {
  /** This level and above. */
  readonly level?: LogLevel;
  /** Of one instance: the last line first. */
  readonly newestFirst?: true;
  /** For one instance: begin with the line of this number, in that direction. */
  readonly fromLine?: number;
}

/** Log lines to follow. All given conditions must match. */
export type LogTailQuery = Pick<LogQuery, "instanceId" | "kind" | "level">;

/** The lines after a cursor. */
export interface LogTail {
  /** In the order written; may be empty although more lines follow. */
  readonly items: readonly StoredLogEntry[];
  /** Opaque; pass it to the next request. */
  readonly cursor: string;
  /** True if no line followed these. */
  readonly isEnd: boolean;
}

/** Claims to make. */
export interface ClaimRequest {
  readonly at: Instant;
  readonly node: string;
  /** The kinds that the node can run; keep the same set object while it does not change. */
  readonly kinds: ReadonlySet<string>;
  /** Limits of the kinds; keep the same object while it does not change. */
  readonly limits?: ClaimLimits;
  readonly limit: number;
  readonly leaseMs: number;
  /**
   * Epoch ms, at most {@link AHEAD_MS_MAX} after `at`: instances due until then are claimed too,
   * and their node starts them when they are due. A store with its own clock ignores it.
   */
  readonly dueBy?: number;
}

/** Identifies one claim. */
export interface ClaimKey {
  readonly id: string;
  readonly fence: number;
}

/** Leases to renew: for `leaseMs` from `at`. */
export interface RenewRequest {
  readonly at: Instant;
  readonly node: string;
  readonly claims: readonly ClaimKey[];
  readonly leaseMs: number;
}

/** The result of renewing one claim. */
export interface RenewResult extends ClaimKey {
  /** "canceling": renewed, and a cancel was requested; "stale": the claim is no longer valid. */
  readonly status: "renewed" | "canceling" | "stale";
}

/** Steps to record under a claim. */
export interface PutSteps extends ClaimKey {
  readonly steps: readonly StepPut[];
}

/** A signal to an unfinished instance. */
export interface SignalRequest {
  /** The instance, or the unique key that it has. */
  readonly to: { readonly id: string } | { readonly uniqueKey: string };
  readonly name: string;
  /** JSON text with its value. */
  readonly data: string;
  /** The same id counts once; null for none. */
  readonly signalId: string | null;
}

/** The fate of a signal. */
export interface SignalResult {
  /**
   * "woke": the instance waited for it; "stored": it will find it; "duplicate": its id came before;
   * "full": it was sent `SIGNALS_MAX` already; "ended": the instance is final; "gone": none exists.
   */
  readonly status: "woke" | "stored" | "duplicate" | "full" | "ended" | "gone";
  readonly instance: Instance | null;
}

/** The outcome of an attempt. If a cancel was requested, every outcome becomes Canceled. */
export type Settlement = ClaimKey & {
  /** Written in the same transaction. */
  readonly logs: readonly LogEntry[];
  /** Version of the code that ran; absent if none ran or unknown. */
  readonly version?: string;
  /** Absent if unchanged. */
  readonly progress?: Progress;
  /** Absent if unknown. */
  readonly usage?: AttemptUsage;
  /** Milliseconds since the attempt ended; absent: now. Never before the recorded start. */
  readonly endedAgoMs?: number;
  /** Steps recorded in the same transaction, before the outcome. */
  readonly steps?: readonly StepPut[];
  /** News for the memo of the job if this ends the instance, even if the memo does not watch it. */
  readonly news?: "output";
  readonly outcome:
    | {
      readonly type: "final";
      readonly state: FinalState;
      readonly reason: Reason;
      readonly resultsJson: string | null;
      readonly error: ErrorInfo | null;
      /** True if the attempt counts as failed. */
      readonly isFailure: boolean;
    }
    /** The attempt failed and another follows. */
    | {
      readonly type: "retry";
      readonly dueAt: number;
      readonly reason: Reason;
      readonly error: ErrorInfo;
    }
    /** The worker was lost: due again at `dueAt`, or Terminated ("lost") past `crashesMax`. */
    | { readonly type: "crash"; readonly dueAt: number; readonly error: ErrorInfo }
    /** Due again at `dueAt`: neither a failure nor a crash. */
    | { readonly type: "snooze"; readonly dueAt: number }
    /**
     * It waits: due when one of its waits is satisfied or has passed, at once if one is already.
     * Neither an attempt's end nor a failure; the next claim continues it.
     */
    | { readonly type: "park"; readonly waits: readonly Wait[] }
    /**
     * Released unfinished, for example by a drain: neither a failure nor a crash. With
     * `isUnstarted` it never ran: the claim does not count as an attempt, and not in the history.
     */
    | { readonly type: "release"; readonly dueAt: number; readonly isUnstarted?: boolean };
};

/** The result of one settlement. */
export interface SettleResult extends ClaimKey {
  /** "repeated": this settlement was recorded before; "stale": invalid claim, nothing written. */
  readonly status: "settled" | "repeated" | "stale";
  /** The instance after the operation; null if it does not exist. */
  readonly instance: Instance | null;
}

/** Log lines of one claim. Fence 0 is for code that runs after a commit, without a claim. */
export interface LogAppend extends ClaimKey {
  readonly logs: readonly LogEntry[];
  /** Absent if unchanged. */
  readonly progress?: Progress;
}

/** The result of running one instance again. */
export interface RedriveResult {
  /** The final instance after the operation; null without one. */
  readonly past: Instance | null;
  /** "repeated": an earlier request ran it again; "unfinished" and "gone": nothing was written. */
  readonly outcome: "accepted" | "repeated" | "unfinished" | "gone";
  /** The new instance, or the earlier new one; null if it does not exist or was deleted. */
  readonly instance: Instance | null;
}

/** One step of a recurring schedule: a compare-and-set on (generation, cursor). */
export interface Advance {
  readonly scheduleId: string;
  readonly generation: number;
  readonly expectedCursor: number;
  readonly cursor: number;
  readonly nextAt: number | null;
  /**
   * Ticks to fire, oldest first, each with `scheduleId` and `scheduledFor`. `skipReason` decides
   * each one at that point of the transaction; a skipped tick is recorded with its reason. While an
   * instance of the schedule is unfinished, overlap "queue" and "replace" accept another and hold
   * it until earlier ones are final; "replace" cancels the earlier ones, reason "replaced".
   */
  readonly fires: readonly NewInstance[];
  /** Fates decided by the scheduler itself: missed, coalesced, skipped. */
  readonly fates: readonly Omit<TickFate, "at" | "scheduleId">[];
  readonly overlap: Overlap;
  /** True for catch-up ticks: overlap "skip" too holds each one until earlier ones are final. */
  readonly isCatchUp?: boolean;
  /**
   * True if the tick is in the future, to let its instance be claimed early. The step must fire
   * exactly one unblocked tick: a block may be gone by then. A store with a clock makes no early
   * steps.
   */
  readonly isAhead?: boolean;
  /**
   * True if its job runs elsewhere: its ticks become "expected" instead of instances. The run is
   * reported, see `recordRuns`.
   */
  readonly isExpected?: boolean;
  /** Version of the time zone database that `nextAt` was computed with. */
  readonly tzVersion?: string;
}

/** Past ticks of a schedule to run after all. Its cursor does not move. */
export interface Backfill {
  readonly scheduleId: string;
  /**
   * Oldest first, each with `scheduleId` and `scheduledFor`. Ticks with a run, or with a taken
   * unique key, are skipped. Unless overlap is "allow", each is held until earlier ones are final.
   */
  readonly fires: readonly NewInstance[];
  readonly overlap: Overlap;
}

/** The result of one step of a schedule. */
export interface AdvanceResult {
  readonly scheduleId: string;
  /**
   * "conflict": another node was first, or the spec changed; "gone": no such schedule; "early": it
   * is ahead, and must be repeated at its time. Only "advanced" has written anything.
   */
  readonly status: "advanced" | "conflict" | "gone" | "early";
  readonly accepted: readonly Instance[];
  /** Due times of skipped ticks; their fates give the reason. */
  readonly skipped: readonly number[];
  /** Instances that a tick replaced: canceled, or marked for it if running. */
  readonly replaced: readonly Instance[];
}

/** Schedules to return. All given conditions must match. */
export interface ScheduleQuery {
  readonly kind?: string;
  readonly origin?: "config" | "runtime";
  /** Include schedules removed from the configuration whose cursor is kept. */
  readonly withRemoved?: boolean;
}

/** A schedule to write, and the expected stored state. */
export interface PutSchedule {
  readonly at: Instant;
  readonly record: ScheduleRecord;
  readonly expectedGeneration: number | null;
  readonly expectedCursor?: number;
  /** True if it uses the node's clock, as steps do: `unavailable` if too far from its peers'. */
  readonly isByClock?: boolean;
}

/** Request for due schedules: `nextAt` ≤ `at`. */
export interface DueSchedulesRequest {
  readonly at: Instant;
  readonly limit: number;
  /** Leave out this many, the earliest. */
  readonly skip?: number;
  /** Epoch ms, just after `at`: includes schedules due until then. A store's clock overrides it. */
  readonly dueBy?: number;
}

/** A pause of claims. */
export interface Pause {
  /** The kind, or null for all. */
  readonly kind: string | null;
  /** Epoch ms; null until resumed. */
  readonly until: number | null;
  readonly reason: string;
  readonly at: number;
}

/** Request for the time of the next work, with the claim that the node would make. */
export type NextDueRequest =
  & Pick<ClaimRequest, "at" | "kinds">
  & Partial<Pick<ClaimRequest, "node" | "limits">>;

/** When there will be something to do, epoch ms; a time in the past means now. */
export interface NextDue {
  /** The store's time of this result, to measure the others against. */
  readonly at: number;
  readonly instanceAt: number | null;
  readonly scheduleAt: number | null;
}

/** Most waiting news of one memo; further ones are only counted. */
export const NEWS_MAX = 200;
/** Most characters of a memo's data. */
export const MEMO_CHARS_MAX = 65_536;
/** Start of the key of a job's memo; the kind follows. */
export const JOB_MEMO = "job:";
/** Start of the keys of memos by which a node requests news of jobs; the node's id follows. */
export const WATCHER_MEMO = "watcher:";
/** Start of the keys of the sessions of browsers; the hash of the secret follows. */
export const SESSION_MEMO = "session:";
/** Start of the keys of codes that open sessions; the hash of the code follows. */
export const LOGIN_CODE_MEMO = "login-code:";
/** Kind of the instances that process news; its own ends are not news. */
export const NEWS_KIND = "system.notices";

/** The policy of instances that process news: repeated until success, as nothing else would. */
export const NEWS_POLICY = {
  priority: 0,
  retryMax: -1,
  crashesMax: 1_000_000_000,
  timeoutMs: 0,
  keepSuccessMs: 0,
  keepFailureMs: 7 * 86_400_000,
} as const;

/** An instance that processes the news of a memo. @param args the memo's key first */
export function newsInstance(
  id: string,
  dueAt: number | null,
  args: readonly [key: string, ...more: unknown[]],
): NewInstance {
  return {
    ...NEWS_POLICY,
    id,
    kind: NEWS_KIND,
    queueKey: NEWS_KIND,
    uniqueKey: null,
    retryOf: null,
    argumentsJson: JSON.stringify(args),
    dueAt,
    scheduleId: null,
    scheduledFor: null,
    deadlineAt: null,
  };
}

/** An unprocessed event of a memo's subject. */
export interface News {
  /** The same id is not added twice while it waits. */
  readonly id: string;
  /** The final state of an instance, or another word. */
  readonly event: string;
  readonly at: number;
  readonly instanceId: string | null;
  /** The reason of a final state, or other text; at most 2,000 characters. */
  readonly detail: string | null;
}

/**
 * Ends of a job's instances that are news, if any node requests news of jobs. "failures":
 * Terminated and TimedOut, as for jobs without a memo; "ends": Completed too; "never": no ends.
 * News turn "failures" into "ends": they may be of a failure, and a success ends it.
 */
export type MemoWatch = "failures" | "ends" | "never";

/** A small document with a version, and the news to be processed into it. */
export interface Memo {
  /** At most 512 characters. */
  readonly key: string;
  /** Rises with every change, news included except dropped ones; 1 at first. */
  readonly version: number;
  readonly watch: MemoWatch;
  /** JSON text that the store does not read; "" in a memo that only has news. */
  readonly data: string;
  /** In the order of arrival. */
  readonly news: readonly News[];
  /** Number of news that came while {@link NEWS_MAX} waited. */
  readonly droppedNews: number;
}

/** A memo to write, and its effects. */
export interface PutMemo {
  readonly at: Instant;
  readonly key: string;
  /** The stored version that it was computed from; null without a memo. */
  readonly expectedVersion: number | null;
  /** Null deletes it, with all its news. */
  readonly value: { readonly watch: MemoWatch; readonly data: string } | null;
  /** True if all its news have been processed. */
  readonly isProcessed: boolean;
  /** Number of dropped news that were processed too; later drops stay counted. 0 if absent. */
  readonly droppedNews?: number;
  /** Accepted in the same transaction. Existing ids are skipped. */
  readonly instances: readonly NewInstance[];
}

/** News to add to a memo, which is created if missing. */
export interface AddNews {
  readonly at: Instant;
  readonly key: string;
  readonly news: readonly News[];
  /** UUID of the instance that processes them, accepted if no other news wait. */
  readonly noticeId: string;
}

/** Selects the next due items. */
export interface UpcomingQuery {
  /** Only of these kinds. */
  readonly kinds?: readonly string[];
  /** Most instances, and most schedules. */
  readonly limit: number;
}

/** A waiting instance and when it is due. */
export type UpcomingInstance = Pick<Instance, "id" | "kind" | "dueAt">;

/** The next due items, each list earliest first. */
export interface Upcoming {
  readonly instances: readonly UpcomingInstance[];
  /** Schedules with a next tick. */
  readonly schedules: readonly ScheduleRecord[];
}

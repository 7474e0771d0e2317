import type { ArgumentInput } from "../arguments/signature.ts";
import type { DurationInput } from "../time/duration.ts";
import type { Instance } from "../instance.ts";
import type { BulkFilter, BulkOptions, InstanceFilter } from "./instance_filter.ts";
import type { Exact } from "../text/object_keys.ts";
import type { Page, PageRequest } from "../query.ts";

/**
 * If the key of a new instance is taken: refuse other arguments, keep the holder, or replace it
 * while it waits.
 */
export const CONFLICTS = ["refuse", "keep", "replace"] as const;

/** What a retry changes. */
export interface RetryOptions {
  /**
   * Instead of the arguments of the instance that runs again. By name, those that are not named
   * stay.
   */
  readonly arguments?: ArgumentInput;
}

/** Options of one instance. Without a time it is due at once. */
export interface ScheduleOptions {
  /** Converted to the types of the job's signature; checked before anything is queued. */
  readonly arguments?: ArgumentInput;
  /** UUID for the instance, so that a repeated request is accepted once. */
  readonly id?: string;
  /** Lower runs first; overrides the job's. */
  readonly priority?: number;
  /** Due at this time (Date or epoch ms). Excludes `after`. */
  readonly at?: Date | number;
  /** Due this long from now: milliseconds or text such as "2h". */
  readonly after?: DurationInput;
  /** As `after`, in milliseconds only. */
  readonly afterMs?: number;
  /** Moves the due time later by a random amount, at most this long. */
  readonly jitter?: DurationInput;
  /** As `jitter`, in milliseconds only. */
  readonly jitterMs?: number;
  /** Limit of one attempt, such as "5m", 0 for none; overrides the job's. */
  readonly timeout?: DurationInput;
  /** As `timeout`, in milliseconds only. */
  readonly timeoutMs?: number;
  /**
   * Limit of the whole instance from its due time, with all waits and retries; 0 for none.
   * Overrides the job's.
   */
  readonly deadline?: DurationInput;
  /** As `deadline`, in milliseconds only. */
  readonly deadlineMs?: number;
  /** Retries after a failed attempt, −1 forever; overrides the job's. */
  readonly retries?: number;
  /**
   * If another instance has this key, return it instead of creating one. With other arguments the
   * call is refused.
   */
  readonly uniqueKey?: string;
  /**
   * How long the key stays taken after acceptance, even once the instance has finished:
   * milliseconds or text such as "1h".
   */
  readonly uniqueFor?: DurationInput;
  /** As `uniqueFor`, in milliseconds only. */
  readonly uniqueForMs?: number;
  /**
   * If the key is taken: return the holder whatever its arguments, or replace it while it waits.
   */
  readonly onConflict?: (typeof CONFLICTS)[number];
}

/**
 * The manager as a running job sees it. Calls succeed while the attempt has its claim. If an
 * attempt runs again, after a failure or a crash, and schedules the same (kind and arguments, for
 * the n-th time), it gets the instance that the attempt before it scheduled.
 */
export interface JobManager {
  scheduleJob(kind: string, options?: ScheduleOptions): Promise<Instance>;
  /** All or none; at most 1,000. */
  scheduleJobs(
    requests: readonly (ScheduleOptions & { readonly kind: string })[],
  ): Promise<readonly Instance[]>;
  getInstance(id: string): Promise<Instance>;
  lookupInstances<Filter extends InstanceFilter>(
    filter?: Exact<Filter, InstanceFilter>,
    page?: Partial<PageRequest>,
  ): Promise<Page<Instance>>;
  /** Without a condition it requires `all: true`. */
  cancelInstances<Filter extends BulkFilter>(
    filter: Exact<Filter, BulkFilter>,
    options?: BulkOptions,
  ): Promise<readonly Instance[]>;
  /**
   * Resolves with the instance once it is final, or with null after `timeoutMs`. The waiting job
   * keeps its worker, so jobs that wait for each other need as many workers.
   */
  waitInstance(id: string, timeoutMs?: number): Promise<Instance | null>;
}

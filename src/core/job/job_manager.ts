import type { ArgumentInput } from "../arguments/signature.ts";
import type { Instance } from "../instance.ts";
import type { ScheduleOptions } from "./gen/run_options.ts";
import type { BulkFilter, BulkOptions, InstanceFilter } from "./instance_filter.ts";
import type { Exact } from "../text/object_keys.ts";
import type { RetryFrom } from "../flow/retry_from.ts";
import type { Page, PageRequest } from "../query.ts";

/** Changes that a retry makes. */
export interface RetryOptions extends RetryFrom {
  /** Replaces the arguments of the original instance. By name, unnamed ones stay. */
  readonly arguments?: ArgumentInput;
}

/**
 * The manager as a running job sees it. Calls succeed while the attempt has its claim. If an
 * attempt runs again, after a failure or a crash, and schedules the same (kind and arguments, for
 * the n-th time), it gets the earlier attempt's instance.
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
   * keeps its worker, so jobs that wait for each other need a worker each.
   */
  waitInstance(id: string, timeoutMs?: number): Promise<Instance | null>;
}

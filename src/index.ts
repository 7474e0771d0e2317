import { hostname } from "node:os";
import type { JobInput } from "./core/define.ts";
import { parseDuration } from "./core/duration.ts";
import { isJobError, JobError } from "./core/errors.ts";
import type { Instance } from "./core/instance.ts";
import { JOB_DEFAULTS, type JobDefinition, type JobFunction, type JobOptions } from "./core/job.ts";
import {
  checkOptions,
  isDuration,
  isListOf,
  isObject,
  isText,
  isWhole,
  isWithin,
  type KeysOf,
} from "./core/object_keys.ts";
import { openZone } from "./core/zone.ts";
import { SCHEDULE_DEFAULTS, type ScheduleRecord } from "./core/schedule.ts";
import { checkScheduleOptions, kindOfReference } from "./core/schedule_options.ts";
import { decodeResults } from "./core/decode_results.ts";
import type { Signature } from "./core/signature.ts";
import { maskUrl, parseStoreUrl } from "./core/store_address.ts";
import { STORE_DEFAULTS, type StoreConfig } from "./core/store_config.ts";
import { readSignature, UNTYPED_SIGNATURE } from "./jobs/read_signature.ts";
import { resolveFunctionJob } from "./jobs/function_job.ts";
import type { RecurringOptions, ScheduleOptions } from "./manager/api.ts";
import { Manager as CoreManager } from "./manager/manager.ts";
import { WORKERS_MAX } from "./manager/manager_options.ts";
import { systemClock } from "./platform/clock.ts";
import { createIdSource } from "./platform/ids.ts";
import { type Logger, silentLogger } from "./platform/logger.ts";
import { systemRandom } from "./platform/random.ts";
import { VERSION } from "./platform/version.ts";
import { storeOf } from "./store/module/module_store.ts";
import { createStore } from "./store/open_store.ts";
import type { ReplicaMedium } from "./store/replica/medium.ts";
import type { Store } from "./store/store.ts";
import { createInlineExecutor } from "./worker/inline_executor.ts";
import { createProcessExecutor } from "./worker/process_executor.ts";
import { createExecutor } from "./worker/routing_executor.ts";

export { convertArguments } from "./core/convert.ts";
export { defineJob, type JobInput } from "./core/define.ts";
export { JobError } from "./core/errors.ts";
export type { ErrorCode } from "./core/errors.ts";
export type {
  HistoryEntry,
  Instance,
  LogEntry,
  Progress,
  StoredLogEntry,
} from "./core/instance.ts";
export type {
  ArgumentInput,
  Context,
  InstanceHandle,
  InstanceLog,
  JobDefinition,
  JobFunction,
} from "./core/job.ts";
export type {
  BulkFilter,
  BulkOptions,
  ClearFilter,
  HistoryFilter,
  InstanceFilter,
  LogClearFilter,
  LogFilter,
  LogTailFilter,
  TimeInput,
} from "./core/instance_filter.ts";
export type { JobManager } from "./core/job_manager.ts";
export type { ScheduleRecord } from "./core/schedule.ts";
export type { Duration, Int, Signature, SignatureWarning, TypeShape } from "./core/signature.ts";
export { signatureSchema } from "./core/json_schema.ts";
export type { JobState, StateName } from "./core/state.ts";
export { nextTicks } from "./core/ticks.ts";
export { readSignature };
export type {
  ManagerEvent,
  ManagerStatus,
  RecurringOptions,
  ScheduleChange,
  ScheduleOptions,
  WorkerStatus,
} from "./manager/api.ts";
export type { InstanceQuery, Page, PageRequest, Store } from "./store/store.ts";
export type {
  MediumChange,
  MediumChanges,
  MediumCommit,
  MediumImage,
  MediumListener,
  MediumPair,
  ReplicaMedium,
} from "./store/replica/medium.ts";
export type { StoreContext, StoreModule } from "./store/module/module_store.ts";

/** Options of jobs that say nothing else: their functions run in this process. */
const OPTIONS: JobOptions = { ...JOB_DEFAULTS, isolation: "inline" };

/** How a manager of the library is set up; everything has a default. */
export interface ManagerSetup {
  /** "memory:" (the default), "sqlite:PATH", the path of a module, or a store of your own, which may be a medium for one. */
  readonly store?: string | Store | ReplicaMedium;
  /** Attempts at once; 4 by default. */
  readonly workers?: number;
  /** Most attempts at once of the jobs of each pool. */
  readonly pools?: Readonly<Record<string, number>>;
  /** Zone of schedules that name none; UTC by default. */
  readonly timezone?: string;
  /** Length of a claim's lease, in milliseconds or as a duration; 15 s by default. */
  readonly lease?: number | string;
  /** How long `stop` lets running attempts finish; 30 s by default. */
  readonly drain?: number | string;
  /** Where the manager reports; nowhere by default. */
  readonly logger?: Logger;
  /** Name of this node among those on the store, where no two may have the same; host and process number by default. */
  readonly node?: string;
  /** What this node has that jobs need. */
  readonly tags?: readonly string[];
}

const isWord = (value: unknown) => isText(value) && value !== "";
const SETUP_KEYS: KeysOf<ManagerSetup> = {
  store: ["a store, or the URL of one", (value) => isWord(value) || isObject(value)],
  workers: [`a whole number from 0 to ${WORKERS_MAX}`, isWithin(0, WORKERS_MAX)],
  pools: [
    "an object of whole numbers by the names of pools",
    (value) => isObject(value) && Object.values(value as object).every(isWhole(1)),
  ],
  timezone: ["the name of a zone", isWord],
  lease: ["milliseconds or duration text", isDuration],
  drain: ["milliseconds or duration text", isDuration],
  logger: ["an object with debug, info, warn and error", isLogger],
  node: ["text that is not empty", isWord],
  tags: ["a list of texts", isListOf(isWord)],
};

function isLogger(value: unknown): boolean {
  return isObject(value) && ["debug", "info", "warn", "error"].every((name) => {
    return typeof Reflect.get(value as object, name) === "function";
  });
}

/** How `scheduleJob` may be asked, by the job's kind or by the job itself. */
export type JobReference = string | { readonly kind: string };

/**
 * Schedules, runs and accounts for jobs in this process.
 *
 * ```ts
 * const manager = new Manager({ store: "sqlite:jobs.db", workers: 4 });
 * manager.registerJob({ kind: "sum", params: "x: number, y: number", run: (x, y) => x + y });
 * await manager.start();
 * const instance = await manager.scheduleJob("sum", { arguments: ["42", "58"] });
 * console.log(resultsOf(await manager.wait(instance))); // [100]
 * await manager.stop();
 * ```
 */
export class Manager extends CoreManager {
  readonly #timezone: string;

  constructor(setup: ManagerSetup = {}) {
    checkOptions(setup, SETUP_KEYS, { failure: "Cannot make a manager" });
    const timezone = openZone(setup.timezone ?? "UTC").name;
    const clock = systemClock;
    const logger = setup.logger ?? silentLogger;
    const workers = setup.workers ?? 4;
    const parts = { clock, random: systemRandom, logger };
    const store = typeof setup.store === "object"
      ? storeOf(setup.store, parts, "of this manager")
      : createStore(storeConfig(setup.store ?? "memory:"), parts);
    super({
      store,
      executor: createExecutor({
        process: createProcessExecutor({ clock, logger, count: workers, idleMs: 30_000 }),
        inline: createInlineExecutor({ clock }),
      }),
      clock,
      random: systemRandom,
      ids: createIdSource(clock, systemRandom),
      logger,
      node: setup.node ?? `${hostname()}-${process.pid}`,
      tags: setup.tags ?? [],
      version: VERSION,
      workers,
      pools: setup.pools ?? {},
      leaseMs: milliseconds(setup.lease ?? "15s"),
      drainMs: milliseconds(setup.drain ?? "30s"),
      jobDefaults: OPTIONS,
      scheduleDefaults: { ...SCHEDULE_DEFAULTS, timezone },
      jobs: [],
      disabled: new Map(),
      keepsUnknown: true,
    });
    this.#timezone = timezone;
  }

  /**
   * Register a function as a job, under its own name, or a definition with `kind` and `run`.
   *
   * @throws JobError `invalid_argument` for a bad definition, `already_exists` for a kind that is taken
   */
  registerJob(input: JobInput | JobFunction): JobDefinition {
    const given = typeof input === "function" ? { kind: input.name, run: input } : input;
    const job = resolveFunctionJob(given, {
      options: OPTIONS,
      schedules: SCHEDULE_DEFAULTS,
      timezone: this.#timezone,
      now: systemClock.now().wallMs,
    });
    if (this.registry.find(job.kind)) {
      throw new JobError("already_exists", `Cannot register job "${job.kind}": the kind is taken`, {
        hint: "Give each job its own kind",
      });
    }
    this.addJob(job);
    return job;
  }

  /** Schedule now, at a time, or after a delay; with `cron`, make a recurring schedule. */
  override scheduleJob(job: JobReference, options: RecurringOptions): Promise<ScheduleRecord>;
  override scheduleJob(job: JobReference, options?: ScheduleOptions): Promise<Instance>;
  override scheduleJob(
    job: JobReference,
    options: ScheduleOptions | RecurringOptions = {},
  ): Promise<Instance | ScheduleRecord> {
    try {
      const kind = kindOfReference(job);
      if (isObject(options) && "cron" in options && options.cron !== undefined) {
        return super.scheduleRecurring(kind, options);
      }
      checkScheduleOptions(kind, options, true);
      return super.scheduleJob(kind, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Schedule several at once, all or none; at most 1,000. */
  override async scheduleJobs(
    requests: readonly (ScheduleOptions & { readonly kind: string })[],
  ): Promise<readonly Instance[]> {
    for (const { kind, ...options } of requests) {
      checkScheduleOptions(kindOfReference(kind), options);
    }
    return await super.scheduleJobs(requests);
  }

  /** Attempts at once. */
  numWorkers(): number {
    return this.workers().count;
  }

  /**
   * Wait until an instance is final.
   *
   * @throws JobError `timeout` when `timeoutMs` passed first
   */
  async wait(instance: Instance | string, timeoutMs?: number): Promise<Instance> {
    const id = typeof instance === "string" ? instance : instance.id;
    const final = await this.waitInstance(id, timeoutMs);
    if (final) return final;
    throw new JobError("timeout", `Cannot wait for instance "${id}" longer than ${timeoutMs} ms`, {
      hint: "It goes on; look it up later",
    });
  }
}

/** The arguments of an instance, as JSON values. */
export function argumentsOf(instance: Instance): readonly unknown[] {
  return JSON.parse(instance.argumentsJson);
}

/**
 * The results of a completed instance; empty for any other.
 *
 * @param signature the job's: with it they are values of the declared types, else JSON values
 */
export function resultsOf(instance: Instance, signature?: Signature): readonly unknown[] {
  return instance.resultsJson === null
    ? []
    : decodeResults(instance.resultsJson, signature ?? UNTYPED_SIGNATURE);
}

/** The store over a medium: for whoever checks one with `ts-job/conformance`. */
export function replicaStore(medium: ReplicaMedium): Store {
  return storeOf(medium, { clock: systemClock, random: systemRandom }, "of this medium");
}

function milliseconds(value: number | string): number {
  return typeof value === "number" ? value : parseDuration(value);
}

function storeConfig(url: string): StoreConfig {
  try {
    return { ...STORE_DEFAULTS, address: parseStoreUrl(url), url: maskUrl(url) };
  } catch (error) {
    if (!isJobError(error)) throw error;
    throw new JobError("invalid_argument", `Cannot open the store: ${error.message}`, {
      path: "store",
      hint: error.hint ?? "Or pass an object that implements Store",
    });
  }
}

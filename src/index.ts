import { SCHEDULE_DEFAULTS } from "./core/job/option_table.ts";
import { hostname } from "node:os";
import { readDuration } from "./core/time/duration.ts";
import { atPath } from "./core/errors.ts";
import type { Instance } from "./core/instance.ts";
import type { LogTailFilter } from "./core/job/instance_filter.ts";
import { checkOptions, type Exact } from "./core/text/object_keys.ts";
import { openZone } from "./core/time/zone.ts";
import { type ManagerSetup, SETUP_KEYS } from "./library/manager_setup.ts";
import { isStoreOptions, readStoreOptions } from "./library/store_options.ts";
import { LIBRARY_JOB_OPTIONS, TypedManager } from "./library/manager.ts";
import { systemClock } from "./platform/clock.ts";
import { createIdSource } from "./platform/ids.ts";
import { silentLogger } from "./platform/logger.ts";
import { ProcessHold } from "./platform/process/process_hold.ts";
import { systemRandom } from "./platform/random.ts";
import { VERSION } from "./platform/version.ts";
import { storeOver } from "./store/module/create.ts";
import { createStore } from "./store/opening/open_store.ts";
import type { ReplicaMedium } from "./store/replica/medium.ts";
import type { Store } from "./store/store.ts";
import { createCommandExecutor } from "./supervisor/command_executor.ts";
import { createInlineExecutor } from "./worker/isolation/inline_executor.ts";
import { createProcessExecutor } from "./worker/process/process_executor.ts";
import { createExecutor } from "./worker/isolation/routing_executor.ts";
import type { FollowOptions, FollowStep } from "./manager/api/instances.ts";

export { argumentsOf, convertArguments, resultsOf } from "./library/library_job.ts";
export { defineJob, type JobInput } from "./core/job/define.ts";
export { JobError } from "./core/errors.ts";
export type { ErrorCode } from "./core/errors.ts";
export type {
  AttemptUsage,
  HistoryEntry,
  Instance,
  LogEntry,
  Progress,
  StoredLogEntry,
} from "./core/instance.ts";
export type {
  Context,
  InstanceHandle,
  InstanceLog,
  JobDefinition,
  JobFunction,
} from "./core/job/job.ts";
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
} from "./core/job/instance_filter.ts";
export type { JobManager } from "./core/job/job_manager.ts";
export type { ScheduleRecord } from "./core/time/schedule.ts";
export type {
  InstanceHandlers,
  JobHandle,
  JobInstance,
  LibraryScheduleOptions,
  Stored,
} from "./library/typed_job.ts";
export type { StandardSchema } from "./library/standard_schema.ts";
export type { ManagerSetup } from "./library/manager_setup.ts";
export type { StoreOptions, StoreTlsOptions } from "./library/store_options.ts";
export type { JobReference, LibraryJob, RegisterOptions } from "./library/manager.ts";
export type { LibraryJobInput } from "./library/library_job.ts";
export type {
  ArgumentInput,
  Duration,
  Int,
  Signature,
  SignatureWarning,
  TypeShape,
} from "./core/arguments/signature.ts";
export { signatureSchema } from "./core/arguments/json_schema.ts";
export type { JobState, StateName } from "./core/state.ts";
export { nextTicks } from "./core/time/ticks.ts";
export { readSignature } from "./jobs/types/read_signature.ts";
export type {
  ManagerEvent,
  ManagerStatus,
  RecurringOptions,
  RetryOptions,
  ScheduleChange,
  ScheduleOptions,
  WorkerStatus,
} from "./manager/api.ts";
export type { InstanceQuery, Page, PageRequest } from "./store/store.ts";
export type {
  MediumChange,
  MediumChanges,
  MediumCommit,
  MediumImage,
  MediumListener,
  MediumPair,
  ReplicaMedium,
} from "./store/replica/medium.ts";
export type { StoreContext, StoreModule } from "./store/module/create.ts";

/**
 * Schedules, runs and records jobs in this process.
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
export class Manager extends TypedManager {
  readonly #keepAlive: boolean;
  readonly #process = new ProcessHold();
  #release: (() => void) | null = null;

  constructor(setup: ManagerSetup = {}) {
    checkOptions(setup, SETUP_KEYS, { failure: "Cannot make a manager" });
    const timezone = atPath("timezone", () => openZone(setup.timezone ?? "UTC").name);
    const clock = systemClock;
    const logger = setup.logger ?? silentLogger;
    const workers = setup.workers ?? 4;
    const parts = { clock, random: systemRandom, logger };
    const store = typeof setup.store === "object" && !isStoreOptions(setup.store)
      ? storeOver(setup.store, parts, "of this manager")
      : createStore(readStoreOptions(setup.store ?? "memory:"), parts);
    super({
      store,
      executor: createExecutor({
        process: createProcessExecutor({ clock, logger, count: workers, idleMs: 30_000 }),
        command: createCommandExecutor({ clock, logger, idleMs: 30_000 }),
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
      leaseMs: readDuration("lease", setup.lease ?? "15s"),
      drainMs: readDuration("drain", setup.drain ?? "30s"),
      jobDefaults: LIBRARY_JOB_OPTIONS,
      scheduleDefaults: { ...SCHEDULE_DEFAULTS, timezone },
      jobs: [],
      disabled: new Map(),
      keepsUnknown: true,
    });
    this.#keepAlive = setup.keepAlive ?? true;
  }

  /**
   * Open the store and start to work. Keeps the process alive until {@link stop}, unless
   * `keepAlive` is false. A stopped manager can be started again.
   *
   * @throws JobError `conflict` if it is running
   */
  override async start(): Promise<void> {
    await this.#process.during(() => super.start());
    if (this.#keepAlive) this.#release ??= this.#process.hold();
  }

  override async stop(options: { readonly drainMs?: number } = {}): Promise<void> {
    try {
      await this.#process.during(() => super.stop(options));
    } finally {
      this.#release?.();
      this.#release = null;
    }
  }

  override waitInstance(id: string, timeoutMs?: number): Promise<Instance | null> {
    return this.#process.during(() => super.waitInstance(id, timeoutMs));
  }

  protected override waitIdle(timeoutMs?: number): Promise<void> {
    return this.#process.during(() => super.waitIdle(timeoutMs));
  }

  override async *follow<Filter extends LogTailFilter>(
    filter: Exact<Filter, LogTailFilter>,
    options?: FollowOptions,
  ): AsyncGenerator<FollowStep> {
    const release = this.#process.hold();
    try {
      yield* super.follow(filter, options);
    } finally {
      release();
    }
  }
}

/** The store over a medium, to check the medium with `ts-job/conformance`. */
export function replicaStore(medium: ReplicaMedium): Store {
  return storeOver(medium, { clock: systemClock, random: systemRandom }, "of this medium");
}

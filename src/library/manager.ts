import { SCHEDULE_DEFAULTS } from "../core/job/option_table.ts";
import type { ArgumentInput } from "../core/arguments/signature.ts";
import { type DurationInput, readDuration } from "../core/time/duration.ts";
import { JobError } from "../core/errors.ts";
import type { Instance } from "../core/instance.ts";
import type {
  BulkFilter,
  BulkOptions,
  InstanceFilter,
  LogTailFilter,
} from "../core/job/instance_filter.ts";
import type { JobDefinition } from "../core/job/job.ts";
import type { JobFunction } from "../core/stored_types.ts";
import {
  checkOptions,
  type Exact,
  FLAG,
  isDuration,
  isObject,
  isOneOf,
  type KeysOf,
} from "../core/text/object_keys.ts";
import type { ScheduleRecord } from "../core/time/schedule.ts";
import { checkScheduleOptions, kindOfReference } from "../core/job/schedule_options.ts";
import { pagesOf } from "../core/query.ts";
import { createOptions } from "./manager_setup.ts";
import {
  failureOf,
  LIBRARY_JOB_OPTIONS,
  type LibraryJobInput,
  resolveLibraryJob,
  resultsOf,
  withValues,
} from "./library_job.ts";
import type { ManagerSetup } from "./manager_setup.ts";
import { type StandardSchema, validateAll } from "./standard_schema.ts";
import type {
  JobHandle,
  JobInstance,
  LibraryScheduleOptions,
  PlainArguments,
  PlainJobInput,
  PlainResults,
  ResultsOf,
  SchemaArguments,
  SchemaJobInput,
  SchemaParams,
  TextJobInput,
} from "./typed_job.ts";
import type { TextArguments } from "../core/stored_types.ts";
import type {
  FindOptions,
  FollowOptions,
  FollowStep,
  ParentInstance,
  RecurringOptions,
  RetryOptions,
  ScheduleOptions,
  ScheduleTarget,
} from "../manager/api.ts";
import { checkTimeout, inRequest, type PageInput } from "../manager/context/call_options.ts";
import { checkRequests } from "../manager/instances/new_instance.ts";
import { Manager as CoreManager } from "../manager/manager.ts";
import { ProcessHold } from "../platform/process/process_hold.ts";
import type { Page } from "../store/store.ts";

/** Instances that {@link Manager.instances} reads at a time. */
const PAGE_SIZE = 200;

/** A registered job, by its kind or as an object with it. */
export type JobReference = string | { readonly kind: string };

/** The job for `scheduleJob`: a registered one, or a function or definition to register. */
export type LibraryJob = JobReference | LibraryJobInput | JobFunction;

/** Options of registering a job. */
export interface RegisterOptions {
  /** Replace a job of the same kind; by default a kind that is taken is refused. */
  readonly replace?: boolean;
}

const REGISTER_KEYS: KeysOf<RegisterOptions> = { replace: FLAG };
const IDLE_KEYS = { timeout: ["milliseconds or duration text", isDuration] } as const;
const ORDER_KEYS = {
  order: ['"newest" or "oldest"', isOneOf(["newest", "oldest"])],
} as const;

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
export class Manager extends CoreManager {
  /** Registered jobs, by kind. */
  readonly #given = new Map<
    string,
    { readonly run: unknown; readonly schemas: readonly StandardSchema[] | null }
  >();
  readonly #keepAlive: boolean;
  readonly #process = new ProcessHold();
  #release: (() => void) | null = null;

  constructor(setup: ManagerSetup = {}) {
    super(createOptions(setup));
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

  /**
   * Register a function as a job, under its own name, or a definition with `kind` and `run`. The
   * compiler checks the arguments of the returned handle.
   *
   * @param options.replace true to replace a job of the same kind
   * @throws JobError `invalid_argument` for an invalid definition, `already_exists` if the kind is
   * taken
   */
  registerJob<Args extends readonly any[], Result>(
    run: (...args: Args) => Result,
    options?: RegisterOptions,
  ): JobHandle<PlainArguments<Args>, PlainResults<Result>>;
  registerJob<
    Args extends readonly any[],
    Result,
    const Returns extends string | undefined = undefined,
  >(
    input: TextJobInput<Args, Result, Returns>,
    options?: RegisterOptions,
  ): JobHandle<TextArguments<Args>, ResultsOf<Result, Returns>>;
  registerJob<
    const Params extends SchemaParams,
    Result,
    const Returns extends string | undefined = undefined,
  >(
    input: SchemaJobInput<Params, Result, Returns>,
    options?: RegisterOptions,
  ): JobHandle<SchemaArguments<Params>, ResultsOf<Result, Returns>>;
  registerJob<
    Args extends readonly any[],
    Result,
    const Returns extends string | undefined = undefined,
  >(
    input: PlainJobInput<Args, Result, Returns>,
    options?: RegisterOptions,
  ): JobHandle<PlainArguments<Args>, ResultsOf<Result, Returns>>;
  registerJob(input: LibraryJobInput | JobFunction, options?: RegisterOptions): JobHandle;
  registerJob(input: LibraryJobInput | JobFunction, options?: RegisterOptions): JobHandle {
    const { replace = false } = checkOptions(options, REGISTER_KEYS, {
      failure: "Cannot register a job",
    });
    const { job, schemas } = resolveLibraryJob(input, {
      options: LIBRARY_JOB_OPTIONS,
      schedules: SCHEDULE_DEFAULTS,
      timezone: this.parts.options.scheduleDefaults.timezone,
      now: this.parts.options.clock.now().wallMs,
    });
    if (!replace && this.parts.registry.find(job.kind)) throw kindTaken(job.kind);
    this.#given.set(job.kind, { run: runOf(input), schemas });
    this.addJob(job);
    return this.#handleOf(job);
  }

  /**
   * Schedule now, at a time, or after a delay; with `cron`, make a recurring schedule. A function
   * or definition is registered if its kind is free. Before the start, opens the store.
   */
  override scheduleJob(job: LibraryJob, options: RecurringOptions): Promise<ScheduleRecord>;
  override scheduleJob<Args extends readonly any[], Results extends readonly unknown[]>(
    job: JobHandle<Args, Results>,
    options?: LibraryScheduleOptions,
  ): Promise<JobInstance<Results>>;
  override scheduleJob(job: LibraryJob, options?: LibraryScheduleOptions): Promise<JobInstance>;
  override async scheduleJob(
    job: LibraryJob,
    options: LibraryScheduleOptions | RecurringOptions = {},
    parent?: ParentInstance,
  ): Promise<JobInstance | ScheduleRecord> {
    const kind = this.#kindOf(job);
    if ((options as Partial<RecurringOptions> | null)?.cron !== undefined) {
      return await this.scheduleRecurring(kind, options as RecurringOptions);
    }
    checkScheduleOptions(kind, options, "library");
    // No await if the store is open: jobs scheduled in one event loop turn share a transaction.
    if (!this.life.storeInfo) await this.#ready();
    if (this.#given.get(kind)?.schemas) await this.#checkArguments(kind, options.arguments);
    return this.#withValues(await super.scheduleJob(kind, options, parent));
  }

  /** Schedule several at once, all or none; at most 1,000. */
  override async scheduleJobs(
    requests: readonly (ScheduleOptions & { readonly kind: JobReference })[],
  ): Promise<readonly JobInstance[]> {
    checkRequests(requests);
    const checked = [];
    for (const [index, request] of requests.entries()) {
      const kind = checkRequest(request, index);
      if (this.#given.get(kind)?.schemas) await this.#checkArguments(kind, request.arguments);
      checked.push({ ...request, kind });
    }
    if (!this.life.storeInfo) await this.#ready();
    return (await super.scheduleJobs(checked)).map(this.#withValues);
  }

  override async scheduleRecurring(
    kind: string,
    options: RecurringOptions,
  ): Promise<ScheduleRecord> {
    if (!this.life.storeInfo) await this.#ready();
    if (this.#given.get(kind)?.schemas) await this.#checkArguments(kind, options.arguments);
    return await super.scheduleRecurring(kind, options);
  }

  /** Most concurrent attempts. */
  numWorkers(): number {
    return this.workers().count;
  }

  /**
   * Wait until an instance is final.
   *
   * @param timeout milliseconds, or text such as "5s"
   * @throws JobError `timeout` if that passed first
   */
  async wait<Results extends readonly unknown[]>(
    instance: JobInstance<Results>,
    timeout?: DurationInput,
  ): Promise<JobInstance<Results>>;
  async wait(instance: Instance | string, timeout?: DurationInput): Promise<JobInstance>;
  async wait(instance: Instance | string, timeout?: DurationInput): Promise<JobInstance> {
    const id = isObject(instance) ? (instance as Instance).id : instance as string;
    const timeoutMs = timeoutOf(timeout);
    const final = await this.waitInstance(id, timeoutMs);
    if (final) return this.#withValues(final);
    throw new JobError("timeout", `Cannot wait for instance "${id}" longer than ${timeoutMs} ms`, {
      hint: "It is still running; look it up later",
    });
  }

  /**
   * Wait until this manager runs nothing, and nothing is due that it could run. Does not wait for
   * instances that are due later, paused or blocked by a limit.
   *
   * @throws JobError `timeout` if that passed first, `unavailable` if the manager is not running or
   * stops
   */
  async idle(options?: { readonly timeout?: DurationInput }): Promise<void> {
    const { timeout } = checkOptions(options, IDLE_KEYS, { failure: "Cannot wait" });
    await this.#process.during(() => this.life.waitIdle(timeoutOf(timeout)));
  }

  /** Every instance that matches, newest first; read on demand, a few hundred at a time. */
  async *instances<Filter extends InstanceFilter>(
    filter?: Exact<Filter, InstanceFilter>,
    options: { readonly order?: "newest" | "oldest" } = {},
  ): AsyncGenerator<JobInstance> {
    const { order } = checkOptions(options, ORDER_KEYS, { failure: "Cannot look up instances" });
    const pages = pagesOf((token) =>
      this.lookupInstances(filter, { limit: PAGE_SIZE, order, token })
    );
    for await (const items of pages) yield* items;
  }

  override async count<Filter extends InstanceFilter>(
    filter?: Exact<Filter, InstanceFilter>,
  ): Promise<number> {
    if (!this.life.storeInfo) await this.#ready();
    return await super.count(filter);
  }

  override async getInstance(id: string, options?: FindOptions): Promise<JobInstance> {
    return this.#withValues(await super.getInstance(id, options));
  }

  override async lookupInstances<Filter extends InstanceFilter>(
    filter?: Exact<Filter, InstanceFilter>,
    page?: PageInput,
  ): Promise<Page<JobInstance>> {
    if (!this.life.storeInfo) await this.#ready();
    const { items, nextToken } = await super.lookupInstances(filter, page);
    return { items: items.map(this.#withValues), nextToken };
  }

  override async cancelInstances<Filter extends BulkFilter>(
    filter: Exact<Filter, BulkFilter>,
    options?: BulkOptions,
  ): Promise<readonly JobInstance[]> {
    return (await super.cancelInstances(filter, options)).map(this.#withValues);
  }

  override async retryInstance(id: string, options?: RetryOptions): Promise<JobInstance> {
    if (!this.life.storeInfo) await this.#ready();
    return this.#withValues(await super.retryInstance(id, options));
  }

  override async redriveInstances<Filter extends BulkFilter>(
    filter: Exact<Filter, BulkFilter>,
    options?: BulkOptions & { readonly isForced?: boolean },
  ): Promise<readonly JobInstance[]> {
    if (!this.life.storeInfo) await this.#ready();
    return (await super.redriveInstances(filter, options)).map(this.#withValues);
  }

  override async runSchedule(target: ScheduleTarget): Promise<JobInstance> {
    if (!this.life.storeInfo) await this.#ready();
    return this.#withValues(await super.runSchedule(target));
  }

  /** The kind of a job for `scheduleJob`. Registers a function or definition of a free kind. */
  #kindOf(job: LibraryJob): string {
    const run = isDefinition(job) ? runOf(job) : null;
    if (run === null) return kindOfReference(job);
    const input = job as LibraryJobInput | JobFunction;
    const kind = typeof input === "function" ? input.name : input.kind ?? "";
    const registered = this.#given.get(kind);
    if (kind === "" || !this.parts.registry.find(kind)) return this.registerJob(input).kind;
    if (registered?.run !== run) throw kindTaken(kind);
    return kind;
  }

  /** Open the store unless it is open: before the start, the first caller does so. */
  async #ready(): Promise<void> {
    if (this.life.storeInfo) return;
    // Not after a stop: nobody would close the store again.
    if (this.life.isDraining) {
      throw new JobError("unavailable", "Cannot reach the store: the manager has stopped", {
        hint: "Start it again: await manager.start()",
      });
    }
    await this.open();
  }

  // Check the arguments as the store will return them, so that every accepted instance can run.
  async #checkArguments(kind: string, given: ArgumentInput = []): Promise<void> {
    const { schemas } = this.#given.get(kind)!;
    const { argumentsJson } = this.previewJob(kind, { arguments: given });
    const args = (JSON.parse(argumentsJson) as unknown[]).slice(0, schemas!.length);
    await validateAll(kind, schemas!, Array.isArray(given) ? args.slice(0, given.length) : args);
  }

  #handleOf(job: JobDefinition): JobHandle {
    const { kind } = job;
    const handle: Omit<JobHandle, keyof JobDefinition> = {
      schedule: (...args) => this.scheduleJob(kind, { arguments: givenOf(args) }),
      scheduleWith: async (options, ...args) => {
        if (isObject(options) && "arguments" in options) throw twoArguments(kind);
        return await this.scheduleJob(kind, { ...options, arguments: givenOf(args) });
      },
      result: async (instance, options) => {
        const { timeout } = checkOptions(options, IDLE_KEYS, { failure: "Cannot wait" });
        if (isObject(instance)) assertKind(kind, instance as Instance);
        const final = await this.wait(instance, timeout);
        assertKind(kind, final);
        if (final.state !== "completed") throw failureOf(final);
        return final.results[0];
      },
    };
    return { ...job, ...handle };
  }

  readonly #withValues = (instance: Instance): JobInstance =>
    withValues(
      instance,
      (final) => resultsOf(final, this.parts.registry.find(final.kind)?.signature),
    );
}

function kindTaken(kind: string): JobError {
  return new JobError("already_exists", `Cannot register job "${kind}": the kind is taken`, {
    hint: "Give each job its own kind, or replace it with registerJob(job, { replace: true })",
  });
}

/** Arguments without trailing undefined ones, which JSON would turn into null. */
function givenOf(args: readonly unknown[]): readonly unknown[] {
  return args.slice(0, args.findLastIndex((argument) => argument !== undefined) + 1);
}

function isDefinition(job: unknown): boolean {
  return typeof job === "function" || (isObject(job) && Reflect.has(job as object, "run"));
}

/** The function of a job. */
function runOf(input: unknown): unknown {
  return typeof input === "function" ? input : Reflect.get(input as object, "run");
}

function timeoutOf(value: DurationInput | undefined): number | undefined {
  if (value === undefined) return undefined;
  checkTimeout(typeof value === "string" ? 0 : value);
  return readDuration("timeout", value);
}

/** The kind of one of several requests. @throws JobError `invalid_argument` with its index */
function checkRequest(
  request: ScheduleOptions & { readonly kind: JobReference },
  index: number,
): string {
  return inRequest(index, () => {
    const { kind: job, ...options } = Object(request) as typeof request;
    const kind = kindOfReference(job);
    checkScheduleOptions(kind, options);
    return kind;
  });
}

function twoArguments(kind: string): JobError {
  return new JobError(
    "invalid_argument",
    `Cannot schedule job "${kind}": "arguments" is an option`,
    {
      path: "arguments",
      hint: 'Give them after the options: scheduleWith({ after: "2h" }, 1, 2)',
    },
  );
}

function assertKind(kind: string, instance: Instance): void {
  if (instance.kind === kind || instance.kind === undefined) return;
  const found = `instance "${instance.id}" is of job "${instance.kind}"`;
  throw new JobError("invalid_argument", `Cannot take the result of job "${kind}": ${found}`, {
    path: "instance",
    hint: "Use the handle of that job, or manager.wait()",
  });
}

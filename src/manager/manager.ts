import { JobError, toJobError } from "../core/errors.ts";
import type { HistoryEntry, Instance, StoredLogEntry } from "../core/instance.ts";
import type { JobDefinition } from "../core/job.ts";
import type { ScheduleRecord } from "../core/schedule.ts";
import { isFinal } from "../core/state.ts";
import type { Clock } from "../platform/clock.ts";
import type { Service } from "../platform/service.ts";
import {
  BATCH_MAX,
  type ChangeHint,
  type HistoryQuery,
  type InstanceQuery,
  type LogQuery,
  type NewInstance,
  type Page,
  type PageRequest,
  type Pause,
  type Store,
  type StoreInfo,
} from "../store/store.ts";
import type {
  ManagerApi,
  ManagerEvent,
  ManagerStatus,
  RecurringOptions,
  ScheduleOptions,
  SchedulePreview,
  WorkerStatus,
} from "./api.ts";
import { cancelInstances } from "./cancel.ts";
import { clearInstances, clearLogs } from "./clear.ts";
import { Dispatcher } from "./dispatcher.ts";
import { Events } from "./events.ts";
import { findInstance } from "./find_instance.ts";
import { Janitor } from "./janitor.ts";
import { JobCalls } from "./job_calls.ts";
import { checkWorkers, type ManagerOptions } from "./manager_options.ts";
import { checkBatchSize, newInstance, previewInstance, repeatInstance } from "./new_instance.ts";
import { Registry } from "./registry.ts";
import { Schedules } from "./schedules.ts";
import { Scheduler } from "./scheduler.ts";
import { StoreAnswers } from "./store_answers.ts";
import { SystemJobs } from "./system_jobs.ts";
import { waitInstance } from "./wait.ts";

/** How long state handlers have at a stop, in milliseconds. */
const HANDLERS_MS = 10_000;

/** The facade: one object that schedules, runs and accounts for jobs on a store. */
export class Manager implements ManagerApi, Service {
  readonly name = "manager";
  readonly version: string;
  protected readonly registry = new Registry();
  readonly #options: ManagerOptions;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #events: Events;
  readonly #answers: StoreAnswers;
  readonly #dispatcher: Dispatcher;
  readonly #scheduler: Scheduler;
  readonly #schedules: Schedules;
  readonly #janitor: Janitor;
  #storeInfo: StoreInfo | null = null;
  #startedAt = 0;
  #isDraining = false;
  #unsubscribe: (() => void) | null = null;
  #isStarted = false;
  #stopping: Promise<void> | null = null;
  readonly #stopListeners = new Set<() => void>();

  constructor(options: ManagerOptions) {
    this.#options = options;
    this.version = options.version;
    this.#store = options.store;
    this.#clock = options.clock;
    const registry = this.registry;
    const systemJobs = new SystemJobs(options);
    const { wallMs } = options.clock.now();
    for (const job of systemJobs.definitions(options.jobDefaults, wallMs)) registry.set(job);
    for (const job of options.jobs) registry.set(job);
    this.#events = new Events({ ...options, registry });
    const answers = this.#answers = new StoreAnswers(options.logger);
    const calls = new JobCalls(this, (instance) => this.#dispatcher.holds(instance));
    this.#dispatcher = new Dispatcher({
      ...options,
      registry,
      events: this.#events,
      systemJobs,
      count: checkWorkers(options.workers),
      handleCall: (running, method, args) => calls.handle(running, method, args),
      answers,
    });
    const poke = () => this.#dispatcher.poke();
    const shared = { ...options, registry, events: this.#events, answers };
    this.#scheduler = new Scheduler({ ...shared, fired: poke });
    this.#schedules = new Schedules({ ...shared, defaults: options.scheduleDefaults });
    this.#janitor = new Janitor({ ...shared, reaped: poke });
  }

  /**
   * Open the store and take back what a dead daemon left; nothing is claimed yet.
   *
   * @throws JobError when the store refuses
   */
  async open(): Promise<StoreInfo> {
    const { node, logger } = this.#options;
    const at = this.#clock.now();
    this.#startedAt = at.wallMs;
    this.#storeInfo = await this.#store.open({ at, node });
    this.#isDraining = false;
    const { recovered } = this.#storeInfo;
    if (recovered.length > 0) {
      logger.warn("Instances of a daemon that ended without settling them were taken back", {
        count: recovered.length,
      });
    }
    return this.#storeInfo;
  }

  /**
   * Start to work; opens the store unless {@link open} did. May follow a {@link stop}.
   *
   * @throws JobError `conflict` while it runs
   */
  async start(): Promise<void> {
    if (this.#isStarted) {
      throw new JobError("conflict", "Cannot start the manager: it runs already");
    }
    this.#isStarted = true;
    try {
      await this.#begin();
    } catch (error) {
      this.#unsubscribe?.();
      this.#isStarted = false;
      throw error;
    }
  }

  async #begin(): Promise<void> {
    const { recovered } = this.#storeInfo ?? await this.open();
    this.#unsubscribe = this.#store.subscribe((hint) => this.#hinted(hint));
    await this.#options.executor.start();
    await this.#schedules.sync(this.#options.disabledKinds);
    for (const instance of recovered) this.#events.changed(instance, this.#startedAt);
    this.#dispatcher.start();
    this.#scheduler.start();
    this.#janitor.start();
  }

  /**
   * Drain: claim nothing more, let running attempts finish for the drain time, then abort the rest and give them back with
   * their attempts kept. Outcomes that the store does not take for 10 s are given up; state handlers have 10 s to end.
   */
  stop(options: { readonly drainMs?: number } = {}): Promise<void> {
    if (!this.#storeInfo) {
      this.#isStarted = false;
      return Promise.resolve();
    }
    return this.#stopping ??= this.#stop(options.drainMs ?? this.#options.drainMs)
      .finally(() => this.#stopping = null);
  }

  async #stop(drainMs: number): Promise<void> {
    this.#isDraining = true;
    this.#scheduler.stop();
    this.#janitor.stop();
    this.#dispatcher.pauseClaims();
    const timer = this.#clock.timer(drainMs, () => this.#dispatcher.abort("drain"));
    await this.#dispatcher.drained();
    timer.cancel();
    this.#dispatcher.stop();
    await this.#events.settled(this.#clock, HANDLERS_MS);
    try {
      await this.#options.executor.stop();
    } finally {
      this.#unsubscribe?.();
      this.#storeInfo = null;
      this.#isStarted = false;
      for (const listener of [...this.#stopListeners]) listener();
      await this.#store.close();
    }
  }

  /** Abort what runs at once, during {@link stop}: the second signal of an impatient operator. */
  abortRunning(): void {
    this.#dispatcher.abort("drain");
  }

  listJobs(): readonly JobDefinition[] {
    return this.registry.list();
  }

  getJob(kind: string): JobDefinition {
    return this.registry.get(kind);
  }

  /** Add a job with its schedules, or replace the one of its kind. */
  addJob(job: JobDefinition): void {
    this.registry.set(job);
    if (!this.#isStarted) return;
    this.#dispatcher.poke();
    this.#schedules.syncJob(job).catch((error: unknown) => {
      const { message } = toJobError(error, "Cannot write");
      this.#options.logger.error(`Cannot keep the schedules of job "${job.kind}"`, {
        error: message,
      });
    });
  }

  async scheduleJob(kind: string, options: ScheduleOptions = {}): Promise<Instance> {
    const job = this.registry.get(kind);
    const [instance] = await this.#enqueue([newInstance(job, options, this.#seed())]);
    return instance!;
  }

  async scheduleJobs(
    requests: readonly (ScheduleOptions & { readonly kind: string })[],
  ): Promise<readonly Instance[]> {
    checkBatchSize(requests.length);
    const instances = requests.map((request) =>
      newInstance(this.registry.get(request.kind), request, this.#seed())
    );
    return await this.#enqueue(instances);
  }

  previewJob(kind: string, options: ScheduleOptions = {}): SchedulePreview {
    return previewInstance(this.registry.get(kind), options, this.#seed());
  }

  async scheduleRecurring(kind: string, options: RecurringOptions): Promise<ScheduleRecord> {
    const record = await this.#schedules.create(this.registry.get(kind), options);
    this.#scheduler.poke();
    return record;
  }

  listSchedules(
    query: { readonly kind?: string },
    page: PageRequest = { limit: BATCH_MAX },
  ): Promise<Page<ScheduleRecord>> {
    return this.#store.listSchedules(query, page);
  }

  async deleteSchedule(id: string): Promise<void> {
    await this.#schedules.remove(id);
    this.#scheduler.poke();
  }

  getInstance(id: string): Promise<Instance> {
    return findInstance(id, this.#store);
  }

  lookupInstances(
    query: InstanceQuery,
    page: PageRequest = { limit: BATCH_MAX },
  ): Promise<Page<Instance>> {
    return this.#store.list(query, page);
  }

  lookupInstanceHistory(
    query: HistoryQuery,
    page: PageRequest = { limit: BATCH_MAX },
  ): Promise<Page<HistoryEntry>> {
    return this.#store.history(query, page);
  }

  lookupInstanceLogs(
    query: LogQuery,
    page: PageRequest = { limit: BATCH_MAX },
  ): Promise<Page<StoredLogEntry>> {
    return this.#store.logs(query, page);
  }

  cancelInstances(
    query: InstanceQuery,
    options: { readonly all?: boolean } = {},
  ): Promise<readonly Instance[]> {
    return cancelInstances(query, options, {
      store: this.#store,
      clock: this.#clock,
      changed: (instance, at) => this.#events.changed(instance, at),
      abort: (claims) => this.#dispatcher.abort("canceled", claims),
      wait: (id, timeoutMs) => this.waitInstance(id, timeoutMs),
    });
  }

  async retryInstance(id: string): Promise<Instance> {
    const past = await this.getInstance(id);
    if (!isFinal(past.state)) {
      throw new JobError("conflict", `Cannot retry instance "${past.id}": it is ${past.state}`, {
        hint: "Wait until it has ended, or cancel it first",
      });
    }
    const job = this.registry.get(past.kind);
    const [instance] = await this.#enqueue([repeatInstance(job, past, this.#seed())]);
    return instance!;
  }

  clearInstanceHistory(
    query: InstanceQuery & { readonly settledBefore?: number } = {},
  ): Promise<number> {
    return clearInstances(this.#store, this.#clock, query);
  }

  clearInstanceLogs(query: LogQuery = {}): Promise<number> {
    return clearLogs(this.#store, this.#clock, query);
  }

  workers(): WorkerStatus {
    const { alive } = this.#options.executor.stats();
    return { count: this.#dispatcher.count, busy: this.#dispatcher.busy, alive };
  }

  async resizeWorkers(count: number): Promise<WorkerStatus> {
    this.#dispatcher.resize(checkWorkers(count));
    return this.workers();
  }

  async pause(
    kind: string | null,
    options: { readonly until?: number; readonly reason?: string } = {},
  ): Promise<Pause> {
    if (kind !== null) this.registry.get(kind);
    const { until = null, reason = "" } = options;
    return (await this.#store.setPause({ at: this.#clock.now(), kind, until, reason })).value;
  }

  async resume(kind: string | null): Promise<boolean> {
    const { value } = await this.#store.removePause({ at: this.#clock.now(), kind });
    this.#dispatcher.poke();
    return value;
  }

  async status(): Promise<ManagerStatus> {
    if (!this.#storeInfo) {
      throw new JobError("unavailable", "Cannot tell the status: the manager does not run");
    }
    return {
      node: this.#options.node,
      version: this.version,
      startedAt: this.#startedAt,
      isDraining: this.#isDraining,
      storeProblem: this.#answers.problem,
      store: this.#storeInfo,
      workers: this.workers(),
      stats: await this.#store.stats(),
      pauses: await this.#store.listPauses(),
      nextScheduleAt: this.#scheduler.nextAt,
    };
  }

  waitInstance(id: string, timeoutMs?: number): Promise<Instance | null> {
    return waitInstance(id, timeoutMs, {
      clock: this.#clock,
      get: (wanted) => this.getInstance(wanted),
      subscribe: (listener) => this.subscribe(listener),
      onStop: (listener) => {
        this.#stopListeners.add(listener);
        return () => void this.#stopListeners.delete(listener);
      },
    });
  }

  subscribe(listener: (event: ManagerEvent) => void): () => void {
    return this.#events.subscribe(listener);
  }

  async #enqueue(instances: readonly NewInstance[]): Promise<readonly Instance[]> {
    if (this.#isDraining) {
      throw new JobError("unavailable", "Cannot schedule: the daemon is stopping", {
        hint: "Try again when it has restarted",
      });
    }
    const enqueued = this.#store.enqueue({ at: this.#clock.now(), instances });
    // In the same turn, so that a free worker's claim shares the transaction.
    this.#dispatcher.poke();
    const { value, at } = await enqueued;
    for (const { instance, outcome } of value) {
      if (outcome === "accepted") this.#events.changed(instance, at);
    }
    return value.map(({ instance }) => instance);
  }

  #seed() {
    const { ids, random } = this.#options;
    return { id: ids(), nowMs: this.#clock.now().wallMs, random: random.next() };
  }

  #hinted(hint: ChangeHint): void {
    switch (hint.type) {
      case "instances":
        return this.#dispatcher.pokeAt(hint.dueAt);
      case "schedules":
        return this.#scheduler.poke();
      case "cancel":
        return this.#dispatcher.abort("canceled", hint.claims);
      case "pauses":
        return this.#dispatcher.poke();
    }
  }
}

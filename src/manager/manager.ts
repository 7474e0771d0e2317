import type { ConfigInForce } from "../core/settings/config_settings.ts";
import { isJobError, JobError } from "../core/errors.ts";
import type { Instance } from "../core/instance.ts";
import type { HookDelivery, HookRun, JobHook } from "../core/hooks/hook.ts";
import type { JobDefinition } from "../core/job/job.ts";
import type { Block } from "../core/job/limits.ts";
import type { Exact } from "../core/text/object_keys.ts";
import { checkScheduleOptions, inMilliseconds } from "../core/job/schedule_options.ts";
import {
  type BulkFilter,
  type BulkOptions,
  type ClearFilter,
  type LogClearFilter,
  type LogTailFilter,
  matchesNothing,
  readBulkFilter,
  readClearFilter,
  readLogClearFilter,
  readLogTailFilter,
} from "../core/job/instance_filter.ts";
import type { ScheduleRecord } from "../core/time/schedule.ts";
import type { StoreContent } from "../maintenance/step.ts";
import type { EnqueueResult, NewInstance, Pause, StoreInfo } from "../store/store.ts";
import type {
  BackfillRequest,
  BackfillResult,
  LiveFacts,
  ManagerApi,
  ManagerEvent,
  ManagerStatus,
  NodeStatus,
  RecurringOptions,
  RetryOptions,
  ScheduleChange,
  ScheduleOptions,
  SchedulePreview,
  ScheduleTarget,
  WorkerStatus,
} from "./api.ts";
import { checkTimeout, readOptions } from "./context/call_options.ts";
import { cancelInstances } from "./instances/cancel.ts";
import { assertNoNotice } from "./instances/notice_rules.ts";
import { clearInstances, clearLogs } from "./instances/bulk.ts";
import { follow } from "./instances/follow.ts";
import { Followers } from "./instances/followers.ts";
import type { HandledScheduleOptions } from "./context/instance_handlers.ts";
import { checkWorkers, type ManagerOptions } from "./context/manager_options.ts";
import { Lifecycle, type Project, type StopControl, type StopOptions } from "./lifecycle.ts";
import { buildParts, claimerOf, type ManagerParts } from "./manager_parts.ts";
import { ManagerReads } from "./manager_reads.ts";
import { acceptBatch } from "./instances/batch.ts";
import { freezer } from "./dispatch/freeze.ts";
import { redriveInstances, retryInstance } from "./instances/redrive.ts";
import { checkRequests, newInstance, seedOf } from "./instances/new_instance.ts";
import { nodeStatus, workerStatus } from "./node_status.ts";
import { daemonCalls } from "./nodes/daemon_calls.ts";
import { type ServiceFacts, serviceFacts } from "./service_facts.ts";
import { pause, resume } from "./schedules/pauses.ts";
import { lateSessions } from "./sessions/late_sessions.ts";
import { StoreMaintenance } from "./store/store_maintenance.ts";
import { waitInstance } from "./instances/wait.ts";
import type { ReloadOptions, ReloadReport } from "./api/daemon.ts";
import type { FollowOptions, FollowStep } from "./api/instances.ts";

type BatchCall = Parameters<ManagerApi["scheduleBatch"]>;

/** Schedules and runs jobs on a store, and records what they did. The facade of this folder. */
export class Manager extends ManagerReads implements ManagerApi, LiveFacts {
  readonly version: string;
  protected override readonly parts: ManagerParts;
  protected readonly life = new Lifecycle(() => this.parts);
  readonly sessions = lateSessions(() => this.parts.options);
  readonly daemon = daemonCalls(() => this.parts);
  readonly #storeMaintenance: StoreMaintenance;
  readonly #followers = new Followers();

  constructor(options: ManagerOptions) {
    super();
    this.version = options.version;
    this.parts = buildParts(options, this, this.life);
    this.#storeMaintenance = new StoreMaintenance(this.parts);
  }

  /** Open the store and take back the instances of a dead daemon. @throws JobError */
  open(): Promise<StoreInfo> {
    return this.life.open();
  }

  /**
   * Start, and open the store unless {@link open} did. May follow a {@link stop}.
   *
   * @throws JobError `conflict` if it is running
   */
  start(): Promise<void> {
    return this.life.start();
  }

  /**
   * Claim nothing more, let running attempts finish within the drain time, then abort the rest.
   * Aborted attempts are released and not counted, unless their jobs say otherwise. Gives up on
   * outcomes that the store has not taken for 10 s, and on state handlers after 10 s.
   *
   * @param options.keepsCommands lets commands run on, unless a later call does not
   * @param options.drainMs replaces every drain time, including those of jobs
   */
  async stop(options: StopOptions = {}): Promise<void> {
    await this.life.stop(readOptions("stop", options, "stop the manager"));
  }

  /**
   * Resolves when this node runs nothing and nothing is due that it could run.
   *
   * @throws JobError `timeout` if `timeoutMs` passed first; `unavailable` if it is not running or
   * stops first
   */
  protected async waitIdle(timeoutMs?: number): Promise<void> {
    await this.life.waitIdle(timeoutMs);
  }

  /** Cuts {@link stop} short. */
  get stopControl(): StopControl {
    return this.life.stopControl;
  }

  /** For the service manager that started this process. */
  serviceFacts(): ServiceFacts {
    return serviceFacts(this.parts);
  }

  /**
   * Replace the jobs. Running attempts continue, and unchanged schedules keep their cursor.
   *
   * @throws JobError if the store refuses; the jobs before it stay
   */
  reload(project: Project): Promise<void> {
    return this.life.reload(project);
  }

  /** Add a job with its schedules, or replace the one of its kind. */
  addJob(job: JobDefinition): void {
    this.life.addJob(job);
  }

  listJobs(): readonly JobDefinition[] {
    return this.parts.registry.list();
  }

  protected override get facts(): LiveFacts {
    return this;
  }

  getJob(kind: string): JobDefinition {
    return this.parts.registry.get(kind);
  }

  async scheduleJob(kind: string, options: HandledScheduleOptions = {}): Promise<Instance> {
    const wanted = this.#newInstance(kind, options);
    const { handlers } = this.parts.events;
    // Before it is accepted, because a free worker may claim it in the same transaction.
    const hasOwn = handlers.add(wanted.id, options);
    try {
      const [instance] = await this.#enqueue([wanted]);
      // Another instance has its unique key, or it ran before: drop these handlers.
      if (hasOwn && instance!.id !== wanted.id) handlers.delete(wanted.id);
      return instance!;
    } catch (error) {
      if (hasOwn) handlers.delete(wanted.id);
      throw error;
    }
  }

  async scheduleJobs(requests: BatchCall[0]): Promise<readonly Instance[]> {
    return (await this.scheduleBatch(requests)).instances;
  }

  async scheduleBatch(...[requests, { isDryRun = false } = {}]: BatchCall) {
    checkRequests(requests);
    return await this.parts.bulk.run(requests.length, async () => {
      const nowMs = this.parts.options.clock.now().wallMs;
      const make = (one: BatchCall[0][number]) => this.#newInstance(one.kind, one, nowMs);
      const accept = (all: readonly NewInstance[]) => this.#accept(all);
      return await acceptBatch(requests, { make, accept, isDryRun, store: this.parts.store });
    });
  }

  previewJob(kind: string, options: ScheduleOptions = {}): SchedulePreview {
    checkScheduleOptions(kind, options);
    const { argumentsJson, priority, dueAt } = this.#newInstance(kind, options);
    const { wallMs } = this.parts.options.clock.now();
    return { kind, argumentsJson, priority, dueAt: dueAt ?? wallMs };
  }

  async scheduleRecurring(kind: string, options: RecurringOptions): Promise<ScheduleRecord> {
    const checked = readOptions("recurring schedule", options, `schedule job "${kind}"`);
    assertNoNotice(kind, "schedule");
    const job = this.parts.registry.get(kind);
    const record = await this.parts.schedules.create(job, inMilliseconds(checked));
    this.parts.scheduler.poke();
    return record;
  }

  async getSchedule(id: string): Promise<ScheduleRecord> {
    return await this.parts.schedules.get(id);
  }

  async updateSchedule(id: string, change: ScheduleChange): Promise<ScheduleRecord> {
    const checked = readOptions("change", change, `change schedule "${id}"`);
    const record = await this.parts.schedules.update(id, inMilliseconds(checked));
    this.parts.scheduler.poke();
    return record;
  }

  async deleteSchedule(id: string): Promise<void> {
    await this.parts.schedules.remove(id);
    this.parts.scheduler.poke();
  }

  async runSchedule(target: ScheduleTarget): Promise<Instance> {
    const checked = readOptions("target", target, "run a schedule");
    const [instance] = await this.#enqueue([await this.parts.recurring.runNow(checked)]);
    return instance!;
  }

  async skipTicks(
    target: ScheduleTarget,
    what: { readonly until?: number; readonly count?: number },
  ): Promise<readonly ScheduleRecord[]> {
    return await this.parts.recurring.skip(
      readOptions("target", target, "skip ticks"),
      readOptions("skip", what, "skip ticks"),
    );
  }

  async backfill(request: BackfillRequest): Promise<BackfillResult> {
    this.life.assertOpen();
    return await this.parts.recurring.backfill(readOptions("backfill", request, "backfill"));
  }

  readonly reportRun: ManagerApi["reportRun"] = async (...args) =>
    (await this.parts.external.get()).runs.report(...args);
  readonly pingKeys: ManagerApi["pingKeys"] = async (kind) =>
    (await this.parts.external.get()).pings.keysOf(kind);
  readonly pingKeyHashes = async () => (await this.parts.external.get()).pings.keyHashes();
  readonly ping: ManagerApi["ping"] = async (...args) =>
    (await this.parts.external.get()).pings.take(...args);

  hooks(): ReadonlyMap<string, JobHook> {
    return this.parts.registry.hooks;
  }

  async deliver(kind: string, delivery: HookDelivery): Promise<HookRun> {
    const { registry, options } = this.parts;
    const job = registry.get(kind);
    if (!job.hook) throw new JobError("not_found", `Cannot deliver to job "${kind}": no hook`);
    const seed = seedOf(options);
    const id = delivery.id ?? seed.id;
    const wanted = newInstance(job, { arguments: delivery.arguments }, { ...seed, id });
    try {
      const [result] = await this.#accept([wanted]);
      return { id: result!.instance.id, isNew: result!.outcome === "accepted" };
    } catch (error) {
      // It was accepted before, and what is not signed, or the configuration, was another then.
      if (isJobError(error, "already_exists") && error.path === "id") return { id, isNew: false };
      throw error;
    }
  }

  siteUrl(): string | null {
    return this.parts.options.siteUrl?.() ?? null;
  }

  async blockOf(instance: Instance): Promise<Block | null> {
    if (instance.state !== "scheduled") return null;
    const unserved = await this.unservedKinds([instance.kind]);
    return unserved.get(instance.kind) ??
      await this.parts.store.blockOf({ ...claimerOf(this.parts), id: instance.id });
  }

  unservedKinds(kinds: Iterable<string>): Promise<ReadonlyMap<string, Block>> {
    return this.parts.peers.unservedKinds(kinds);
  }

  readonly kindsOfTag: ManagerApi["kindsOfTag"] = async (...args) =>
    this.parts.registry.kindsOfTag(...args);

  async kinds(): Promise<readonly string[]> {
    const { kinds } = await this.parts.store.stats();
    return [...kinds.keys(), ...this.listJobs().map(({ kind }) => kind)];
  }

  readonly ownKinds: LiveFacts["ownKinds"] = async () => this.parts.registry.repeatable;

  isKnown(kind: string): Promise<boolean> {
    return this.parts.peers.isKnown(kind);
  }

  assertKnown(kind: string): Promise<void> {
    return this.parts.peers.assertKnown(kind);
  }

  async disabledBecause(kind: string): Promise<string | null> {
    return this.parts.registry.disabledBecause(kind) ?? null;
  }

  async timezoneOf(kind: string): Promise<string> {
    return this.parts.registry.timezoneOf(kind);
  }

  async listNodes(): Promise<readonly NodeStatus[]> {
    const { membership, peers } = this.parts;
    await membership.refreshed();
    return await peers.list();
  }

  async resizeNode(id: string, count: number): Promise<NodeStatus> {
    await this.parts.membership.resize(id, checkWorkers(count));
    const nodes = await this.parts.peers.refresh();
    return nodes.find((node) => node.id === id)!;
  }

  async cancelInstances<Filter extends BulkFilter>(
    filter: Exact<Filter, BulkFilter>,
    options?: BulkOptions & { readonly mayCancelNotices?: boolean },
  ): Promise<readonly Instance[]> {
    const { all, mayCancelNotices = true } = readOptions("cancel", options, "cancel");
    const query = readBulkFilter(filter, { all }, "cancel");
    if (matchesNothing(query)) return [];
    const wait = (id: string, timeoutMs: number) => this.waitInstance(id, timeoutMs);
    return await cancelInstances(query, mayCancelNotices, { ...this.parts, wait });
  }

  async retryInstance(id: string, options?: RetryOptions): Promise<Instance> {
    const changed = readOptions("retry", options, "retry");
    const past = await this.getInstance(id);
    this.life.assertOpen();
    return await retryInstance(past, changed, this.parts);
  }

  async redriveInstances<Filter extends BulkFilter>(
    filter: Exact<Filter, BulkFilter>,
    options?: BulkOptions & { readonly isForced?: boolean },
  ): Promise<readonly Instance[]> {
    const { all, isForced = false } = readOptions("redrive", options, "redrive");
    const query = readBulkFilter(filter, { all }, "redrive");
    if (matchesNothing(query)) return [];
    this.life.assertOpen();
    return await redriveInstances(query, isForced, this.parts);
  }

  async clearInstanceHistory<Filter extends ClearFilter>(
    filter: Exact<Filter, ClearFilter>,
    options?: BulkOptions,
  ): Promise<number> {
    const bulk = readOptions("bulk", options, "clear the instance history");
    const cleared = readClearFilter(filter, bulk);
    if (matchesNothing(cleared.query)) return 0;
    return await clearInstances(this.parts.store, this.parts.options.clock, cleared);
  }

  async clearInstanceLogs<Filter extends LogClearFilter>(
    filter: Exact<Filter, LogClearFilter>,
    options?: BulkOptions,
  ): Promise<number> {
    const query = readLogClearFilter(filter, readOptions("bulk", options, "clear the logs"));
    return await clearLogs(this.parts.store, this.parts.options.clock, query);
  }

  workers(): WorkerStatus {
    return workerStatus(this.parts);
  }

  async resizeWorkers(count: number): Promise<WorkerStatus> {
    const { dispatcher, membership, options } = this.parts;
    dispatcher.resize(checkWorkers(count));
    // An earlier request must not undo it. It applies here even if the store cannot be written.
    if (membership.isJoined) await membership.resize(options.node, count).catch(() => {});
    return this.workers();
  }

  readonly freezeInstance: ManagerApi["freezeInstance"] = freezer(() => this.parts);
  readonly pause: ManagerApi["pause"] = (...args) => pause(this.parts, ...args);

  resume(kind: string | null): Promise<boolean> {
    return resume(this.parts, kind);
  }

  listPauses(): Promise<readonly Pause[]> {
    return this.parts.store.listPauses();
  }

  readonly listIncidents: ManagerApi["listIncidents"] = async (...args) =>
    (await noticeCalls()).listIncidents(this.parts, ...args);
  readonly acknowledgeIncident: ManagerApi["acknowledgeIncident"] = async (...args) =>
    (await noticeCalls()).acknowledge(this.parts, ...args);
  readonly silence: ManagerApi["silence"] = async (...args) =>
    (await noticeCalls()).silence(this.parts, ...args);
  readonly removeSilence: ManagerApi["removeSilence"] = async (kind) =>
    (await noticeCalls()).removeSilence(this.parts, kind);
  readonly listSilences: ManagerApi["listSilences"] = async () =>
    (await noticeCalls()).listSilences(this.parts);

  listChannels() {
    return this.parts.notices.channels.map(({ settings: { name, target, rules } }) => {
      return { name, to: target.to, ...rules };
    });
  }

  async testNotice(...[channel, options]: Parameters<ManagerApi["testNotice"]>) {
    return (await noticeCalls()).testNotice(this.parts, channel, options);
  }

  async status(): Promise<ManagerStatus> {
    return await nodeStatus(this, this.parts, {
      life: this.life,
      storeProblem: this.#storeMaintenance.problem ?? this.parts.storeHealth.problem,
    });
  }

  async waitInstance(id: string, timeoutMs?: number): Promise<Instance | null> {
    checkTimeout(timeoutMs);
    return await waitInstance(id, timeoutMs, this.#followContext());
  }

  async *follow<Filter extends LogTailFilter>(
    filter: Exact<Filter, LogTailFilter>,
    options?: FollowOptions,
  ): AsyncGenerator<FollowStep> {
    const read = readOptions("follow", options, "follow logs");
    yield* follow(readLogTailFilter(filter), read, this.#followContext());
  }

  #followContext() {
    return {
      store: this.parts.store,
      clock: this.parts.options.clock,
      get: (id: string) => this.getInstance(id),
      subscribe: (listener: (event: ManagerEvent) => void) => this.subscribe(listener),
      onStop: (listener: () => void) => this.life.onStop(listener),
      hasOthers: () => this.parts.peers.hasOthers,
      followers: this.#followers,
    };
  }

  async reloadConfig(options: ReloadOptions = {}): Promise<ReloadReport> {
    const { configuration } = this.parts.options;
    if (configuration) return await configuration.reload(options);
    throw new JobError("unimplemented", "Cannot reload the configuration: this manager has none");
  }

  config(): ConfigInForce {
    const { configuration } = this.parts.options;
    if (configuration) return configuration.settings();
    throw new JobError("unimplemented", "Cannot list the configuration: this manager has none");
  }

  storeContent(): Promise<StoreContent> {
    return this.#storeMaintenance.content(this.life.storeInfo);
  }

  workOnStore(...[work, options]: Parameters<ManagerApi["workOnStore"]>) {
    return this.#storeMaintenance.run(work, this.life.storeInfo, options?.signal);
  }

  subscribe(listener: (event: ManagerEvent) => void): () => void {
    return this.parts.events.subscribe(listener);
  }

  #newInstance(kind: string, options: ScheduleOptions, nowMs?: number): NewInstance {
    assertNoNotice(kind, "schedule");
    const { registry, options: own } = this.parts;
    return newInstance(registry.get(kind), options, seedOf(own, nowMs));
  }

  async #enqueue(instances: readonly NewInstance[]): Promise<readonly Instance[]> {
    return (await this.#accept(instances)).map(({ instance }) => instance);
  }

  async #accept(instances: readonly NewInstance[]): Promise<readonly EnqueueResult[]> {
    this.life.assertOpen();
    const enqueued = this.parts.store.enqueue({ at: this.parts.options.clock.now(), instances });
    // In the same turn of the event loop, so that a free worker's claim shares the transaction.
    this.parts.dispatcher.poke();
    const { value, at } = await enqueued;
    for (const { instance, outcome, replaced } of value) {
      if (replaced) this.parts.events.changed(replaced, at);
      if (outcome === "accepted") this.parts.events.changed(instance, at);
    }
    return value;
  }
}

/** Loaded for the first call about notices. */
function noticeCalls() {
  return import("./notices/notice_calls.ts");
}

import type { HistoryEntry, Instance, RunningProcess, StoredLogEntry } from "../core/instance.ts";
import {
  type BulkFilter,
  type BulkOptions,
  type ClearFilter,
  type HistoryFilter,
  type InstanceFilter,
  type LogClearFilter,
  type LogFilter,
  type LogTailFilter,
  matchesNothing,
  readBulkFilter,
  readClearFilter,
  readHistoryFilter,
  readInstanceFilter,
  readLogClearFilter,
  readLogFilter,
  readLogTailFilter,
} from "../core/job/instance_filter.ts";
import { JobError } from "../core/errors.ts";
import type { JobDefinition } from "../core/job/job.ts";
import type { Block } from "../core/job/limits.ts";
import { inMilliseconds } from "../core/job/schedule_options.ts";
import type { ConfigInForce } from "../core/settings/config_settings.ts";
import type { Exact } from "../core/text/object_keys.ts";
import type { ScheduleRecord } from "../core/time/schedule.ts";
import { lazyMethods } from "../platform/lazy.ts";
import type { Page, StoreInfo } from "../store/store.ts";
import type {
  BackfillRequest,
  BackfillResult,
  BulkAction,
  FindOptions,
  FollowOptions,
  FollowStep,
  LimitedCount,
  LiveFacts,
  ManagerApi,
  ManagerEvent,
  ManagerStatus,
  NodeStatus,
  ParentInstance,
  RecurringOptions,
  ReloadOptions,
  ReloadReport,
  RetryOptions,
  ScheduleChange,
  ScheduleOptions,
  SchedulePreview,
  ScheduleTarget,
  WorkerStatus,
} from "./api.ts";
import { checkTimeout, type PageInput, readOptions, readPage } from "./context/call_options.ts";
import type { HandledScheduleOptions } from "./context/instance_handlers.ts";
import { checkWorkers, type ManagerOptions } from "./context/manager_options.ts";
import { freezer } from "./dispatch/freeze.ts";
import { clearInstances, clearLogs, countInstances } from "./instances/bulk.ts";
import { cancelInstances } from "./instances/cancel.ts";
import { Followers } from "./instances/followers.ts";
import { assertNoNotice } from "./instances/notice_rules.ts";
import { redriveInstances, retryInstance } from "./instances/redrive.ts";
import { waitInstance } from "./instances/wait.ts";
import { Intake } from "./intake.ts";
import { Lifecycle, type Project, type StopControl, type StopOptions } from "./lifecycle.ts";
import { buildParts, claimerOf, type ManagerParts } from "./manager_parts.ts";
import { nodeStatus, workerStatus } from "./node_status.ts";
import { daemonCalls } from "./nodes/daemon_calls.ts";
import type { DaemonNotices } from "./notices/daemon_notices.ts";
import { createReads } from "./reads.ts";
import { pause, resume } from "./schedules/pauses.ts";
import { type ServiceFacts, serviceFacts } from "./service_facts.ts";
import type { SessionApi } from "./sessions/session.ts";
import { StoreMaintenance } from "./store/store_maintenance.ts";

/** Schedules and runs jobs on a store, and records the results. The facade of this folder. */
export class Manager implements ManagerApi, LiveFacts {
  readonly version: string;
  protected readonly parts: ManagerParts;
  protected readonly life = new Lifecycle(() => this.parts);
  readonly daemon = daemonCalls(() => this.parts);
  readonly #intake: Intake;
  readonly #storeMaintenance: StoreMaintenance;
  readonly #followers = new Followers();
  readonly #reads = createReads(() => this.#readParts());
  readonly #notices = lazyMethods(async () => {
    const { NoticeCalls } = await import("./notices/notice_calls.ts");
    return new NoticeCalls(this.parts);
  });
  readonly sessions: SessionApi = lazyMethods<SessionApi>(async () => {
    const { Sessions } = await import("./sessions/sessions.ts");
    return new Sessions(this.parts.options);
  });

  constructor(options: ManagerOptions) {
    this.version = options.version;
    this.parts = buildParts(options, this, this.life);
    this.#intake = new Intake(this.parts, () => this.life.assertOpen());
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
   * Aborted attempts are released and not counted, unless their jobs say otherwise. Gives up after
   * 10 s on outcomes that the store does not take, and on state handlers.
   *
   * @param options.keepsCommands lets commands run on, unless a later call does not
   * @param options.drainMs replaces every drain time, including the jobs'
   */
  async stop(options: StopOptions = {}): Promise<void> {
    await this.life.stop(readOptions("stop", options, "stop the manager"));
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
   * @throws JobError if the store refuses; the old jobs stay
   */
  reload(project: Project): Promise<void> {
    return this.life.reload(project);
  }

  /** Add a job with its schedules, or replace the one of its kind. */
  addJob(job: JobDefinition): void {
    this.life.addJob(job);
  }

  readonly listJobs: ManagerApi["listJobs"] = () => this.parts.registry.list();
  readonly getJob: ManagerApi["getJob"] = (kind) => this.parts.registry.get(kind);

  scheduleJob(
    kind: string,
    options: HandledScheduleOptions = {},
    parent?: ParentInstance,
  ): Promise<Instance> {
    return this.#intake.schedule(kind, options, parent);
  }

  async scheduleJobs(
    requests: Parameters<ManagerApi["scheduleBatch"]>[0],
  ): Promise<readonly Instance[]> {
    return (await this.scheduleBatch(requests)).instances;
  }

  readonly scheduleBatch: ManagerApi["scheduleBatch"] = (...args) =>
    this.#intake.scheduleBatch(...args);

  previewJob(kind: string, options: ScheduleOptions = {}): SchedulePreview {
    return this.#intake.preview(kind, options);
  }

  async scheduleRecurring(kind: string, options: RecurringOptions): Promise<ScheduleRecord> {
    const checked = readOptions("recurring schedule", options, `schedule job "${kind}"`);
    assertNoNotice(kind, "schedule");
    const job = this.parts.registry.get(kind);
    const record = await this.parts.schedules.create(job, inMilliseconds(checked));
    this.parts.scheduler.poke();
    return record;
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
    return await this.#intake.enqueue(await this.parts.recurring.runNow(checked));
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

  readonly reportRun: ManagerApi["reportRun"] = (...args) => this.parts.external.reportRun(...args);
  readonly pingKeys: ManagerApi["pingKeys"] = (kind) => this.parts.external.pingKeys(kind);
  readonly pingKeyHashes = () => this.parts.external.pingKeyHashes();
  readonly ping: ManagerApi["ping"] = (...args) => this.parts.external.ping(...args);

  readonly hooks: ManagerApi["hooks"] = () => this.parts.registry.hooks;
  readonly deliver: ManagerApi["deliver"] = (...args) => this.#intake.deliver(...args);

  readonly siteUrl = () => this.parts.options.siteUrl?.() ?? null;

  readonly explain = this.#reads.explain;
  readonly forecast = this.#reads.forecast;
  readonly calendar = this.#reads.calendar;
  readonly lookupTimeline = this.#reads.lookupTimeline;
  readonly jobStats = this.#reads.jobStats;
  readonly upcoming = this.#reads.upcoming;
  readonly getSchedule = this.#reads.getSchedule;

  async listSchedules(
    query: { readonly kind?: string } = {},
    page?: PageInput,
  ): Promise<Page<ScheduleRecord>> {
    const conditions = readOptions("schedules", query, "list schedules");
    return await this.#reads.listSchedules(conditions, readPage(page, "list schedules"));
  }

  getInstance(id: string, options?: FindOptions): Promise<Instance> {
    return this.#reads.getInstance(id, options);
  }

  async lookupInstances<Filter extends InstanceFilter>(
    filter?: Exact<Filter, InstanceFilter>,
    page?: PageInput,
  ): Promise<Page<Instance>> {
    const query = readInstanceFilter(filter);
    const wanted = readPage(page, "look up instances");
    if (matchesNothing(query)) return { items: [], nextToken: null };
    return await this.#reads.lookupInstances(query, wanted);
  }

  /** Count the instances that match. */
  async count<Filter extends InstanceFilter>(
    filter?: Exact<Filter, InstanceFilter>,
  ): Promise<number> {
    const query = readInstanceFilter(filter);
    return matchesNothing(query) ? 0 : await countInstances(this.parts.store, query);
  }

  async countUpTo<Filter extends InstanceFilter>(
    filter: Exact<Filter, InstanceFilter>,
    max: number,
    action?: BulkAction,
  ): Promise<LimitedCount> {
    const query = readInstanceFilter(filter);
    if (matchesNothing(query)) return { count: 0, hasMore: false };
    return await this.#reads.countUpTo(query, max, action);
  }

  async lookupInstanceHistory<Filter extends HistoryFilter>(
    filter?: Exact<Filter, HistoryFilter>,
    page?: PageInput,
  ): Promise<Page<HistoryEntry>> {
    const query = readHistoryFilter(filter);
    return await this.#reads.lookupInstanceHistory(query, readPage(page, "look up the history"));
  }

  async lookupInstanceLogs<Filter extends LogFilter>(
    filter?: Exact<Filter, LogFilter>,
    page?: PageInput,
  ): Promise<Page<StoredLogEntry>> {
    const query = readLogFilter(filter);
    return await this.#reads.lookupInstanceLogs(query, readPage(page, "look up logs"));
  }

  async processesOf(ids: Iterable<string>): Promise<ReadonlyMap<string, RunningProcess>> {
    return this.parts.dispatcher.processesOf(ids);
  }

  async blockOf(instance: Instance): Promise<Block | null> {
    if (instance.state !== "scheduled") return null;
    const unserved = await this.unservedKinds([instance.kind]);
    return unserved.get(instance.kind) ??
      await this.parts.store.blockOf({ ...claimerOf(this.parts), id: instance.id }) ??
      await this.parts.peers.workersBlockOf(instance.kind);
  }

  readonly unservedKinds: ManagerApi["unservedKinds"] = (kinds) =>
    this.parts.peers.unservedKinds(kinds);
  readonly kindsOfTag: ManagerApi["kindsOfTag"] = async (...args) =>
    this.parts.registry.kindsOfTag(...args);

  async kinds(): Promise<readonly string[]> {
    const { kinds } = await this.parts.store.stats();
    return [...kinds.keys(), ...this.listJobs().map(({ kind }) => kind)];
  }

  readonly ownKinds: LiveFacts["ownKinds"] = async () => this.parts.registry.repeatable;

  readonly isKnown = (kind: string) => this.parts.peers.isKnown(kind);
  readonly assertKnown = (kind: string) => this.parts.peers.assertKnown(kind);
  readonly disabledBecause = async (kind: string) =>
    this.parts.registry.disabledBecause(kind) ?? null;
  readonly timezoneOf = async (kind: string) => this.parts.registry.timezoneOf(kind);

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

  readonly workers = () => workerStatus(this.parts);

  async resizeWorkers(count: number): Promise<WorkerStatus> {
    const { dispatcher, membership, options } = this.parts;
    dispatcher.resize(checkWorkers(count));
    // An earlier request must not undo it. It applies here even if the store refuses the write.
    if (membership.isJoined) await membership.resize(options.node, count).catch(() => {});
    return this.workers();
  }

  async signalInstance(...[target, name, given]: Parameters<ManagerApi["signalInstance"]>) {
    const { readTarget, signalInstance } = await import("./instances/steps.ts");
    const options = readOptions("signal", given, "send a signal");
    const to = readTarget(target);
    const found = "id" in to ? { id: (await this.getInstance(to.id)).id } : to;
    const { store, options: { clock } } = this.parts;
    return await signalInstance(found, name, options, { store, clock });
  }

  async listSteps(id: string) {
    const { listSteps } = await import("./instances/steps.ts");
    const { store, options: { clock } } = this.parts;
    return await listSteps(id, { store, clock });
  }

  readonly freezeInstance: ManagerApi["freezeInstance"] = freezer(() => this.parts);
  readonly pause: ManagerApi["pause"] = (...args) => pause(this.parts, ...args);

  readonly resume: ManagerApi["resume"] = (kind) => resume(this.parts, kind);
  readonly listPauses = () => this.parts.store.listPauses();

  readonly listIncidents: ManagerApi["listIncidents"] = this.#notices.listIncidents;
  readonly acknowledgeIncident: ManagerApi["acknowledgeIncident"] =
    this.#notices.acknowledgeIncident;
  readonly silence = this.#notices.silence;
  readonly removeSilence = this.#notices.removeSilence;
  readonly listSilences = this.#notices.listSilences;
  readonly testNotice = this.#notices.testNotice;

  /** Notifies people of the daemon's events; null if unwanted. */
  get daemonNotices(): DaemonNotices | null {
    return this.parts.notices.parts?.daemon ?? null;
  }

  listChannels() {
    return this.parts.notices.channels.map(({ settings: { name, target, rules } }) => {
      return { name, to: target.to, ...rules };
    });
  }

  async status(): Promise<ManagerStatus> {
    return await nodeStatus(this, this.parts, {
      life: this.life,
      storeProblem: this.#storeMaintenance.problem ?? this.parts.storeHealth.problem,
    });
  }

  async waitInstance(id: string, timeoutMs?: number): Promise<Instance | null> {
    checkTimeout(timeoutMs);
    return await waitInstance(id, timeoutMs, this.#readParts());
  }

  async *follow<Filter extends LogTailFilter>(
    filter: Exact<Filter, LogTailFilter>,
    options?: FollowOptions,
  ): AsyncGenerator<FollowStep> {
    const read = readOptions("follow", options, "follow logs");
    yield* this.#reads.follow(readLogTailFilter(filter), read);
  }

  #readParts() {
    const { store, options: { clock }, peers } = this.parts;
    return {
      store,
      clock,
      facts: this,
      get: (id: string) => this.getInstance(id),
      subscribe: (listener: (event: ManagerEvent) => void) => this.subscribe(listener),
      onStop: (listener: () => void) => this.life.onStop(listener),
      hasOthers: () => peers.hasOthers,
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

  readonly storeContent = () => this.#storeMaintenance.content(this.life.storeInfo);

  workOnStore(...[work, options]: Parameters<ManagerApi["workOnStore"]>) {
    return this.#storeMaintenance.run(work, this.life.storeInfo, options?.signal);
  }

  readonly subscribe: ManagerApi["subscribe"] = (listener) => this.parts.events.subscribe(listener);
}

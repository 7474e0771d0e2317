import { JobError } from "../core/errors.ts";
import type { HistoryEntry, Instance, StoredLogEntry } from "../core/instance.ts";
import type { JobDefinition } from "../core/job/job.ts";
import { checkText, TEXT_LENGTH_MAX } from "../core/text/text_limits.ts";
import { type Block, unservedBlock } from "../core/job/limits.ts";
import type { Exact } from "../core/object_keys.ts";
import {
  checkScheduleOptions,
  inMilliseconds,
  kindOfReference,
} from "../core/job/schedule_options.ts";
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
} from "../core/instance_filter.ts";
import type { ScheduleRecord } from "../core/job/schedule.ts";
import type { NewInstance, Page, Pause } from "../store/store.ts";
import type {
  BackfillRequest,
  BackfillResult,
  ExplainQuery,
  ManagerApi,
  ManagerEvent,
  ManagerStatus,
  RecurringOptions,
  ReloadReport,
  ScheduleChange,
  ScheduleOptions,
  SchedulePreview,
  ScheduleTarget,
  TickReport,
  WorkerStatus,
} from "./api.ts";
import { BulkGate } from "./instances/bulk_gate.ts";
import { checkTimeout, inRequest, type PageInput, readOptions, readPage } from "./call_options.ts";
import { cancelInstances } from "./instances/cancel.ts";
import { countInstances } from "./instances/count.ts";
import { clearInstances, clearLogs } from "./instances/clear.ts";
import { explain } from "./instances/explain.ts";
import { follow, type FollowOptions, type FollowStep } from "./instances/follow.ts";
import { Followers } from "./instances/followers.ts";
import type { HandledScheduleOptions } from "./instances/instance_handlers.ts";
import { findInstance } from "./instances/find_instance.ts";
import { checkWorkers, type ManagerOptions } from "./manager_options.ts";
import { buildParts, type ManagerLife, type ManagerParts } from "./manager_parts.ts";
import { type RedriveContext, redriveInstances, retryInstance } from "./instances/redrive.ts";
import {
  checkBatchSize,
  newInstance,
  previewInstance,
  repeatInstance,
} from "./instances/new_instance.ts";
import { assertAhead } from "./schedules/recurring.ts";
import type { LiveFacts } from "./instances/live_facts.ts";
import type { Registry } from "./registry.ts";
import type { NodeStatus } from "./nodes/peers.ts";
import { StoreCare } from "./store/store_care.ts";
import { waitInstance } from "./instances/wait.ts";

/** What can be asked of a manager; starting and stopping it is its subclass's matter. */
export abstract class Operations implements ManagerApi, LiveFacts {
  readonly version: string;
  protected readonly parts: ManagerParts;
  protected readonly registry: Registry;
  protected readonly life: ManagerLife = {
    storeInfo: null,
    startedAt: 0,
    isDraining: false,
    stopListeners: new Set(),
  };

  constructor(options: ManagerOptions) {
    this.version = options.version;
    this.parts = buildParts(options, this, {
      life: () => this.life,
      lost: (error) => this.lostNode(error),
    });
    this.registry = this.parts.registry;
  }

  /** Another daemon took this node's id. */
  protected abstract lostNode(error: JobError): void;

  listJobs(): readonly JobDefinition[] {
    return this.registry.list();
  }

  getJob(kind: string): JobDefinition {
    return this.registry.get(kind);
  }

  async scheduleJob(kind: string, options: HandledScheduleOptions = {}): Promise<Instance> {
    const wanted = newInstance(this.registry.get(kind), options, this.#seed());
    const { handlers } = this.parts;
    // Before it is accepted, as a free worker may take it in the same transaction.
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

  async scheduleJobs(
    requests: readonly (ScheduleOptions & { readonly kind: string })[],
  ): Promise<readonly Instance[]> {
    checkBatchSize(requests.length);
    return await this.#bulk.run(requests.length, () => {
      const nowMs = this.parts.options.clock.now().wallMs;
      const instances = requests.map((request, index) =>
        inRequest(
          index,
          () => newInstance(this.registry.get(request.kind), request, this.#seed(nowMs)),
        )
      );
      return this.#enqueue(instances);
    });
  }

  previewJob(kind: string, options: ScheduleOptions = {}): SchedulePreview {
    checkScheduleOptions(kind, options);
    return previewInstance(this.registry.get(kind), options, this.#seed());
  }

  async scheduleRecurring(kind: string, options: RecurringOptions): Promise<ScheduleRecord> {
    const checked = readOptions("recurring schedule", options, `schedule job "${kind}"`);
    const job = this.registry.get(kind);
    const record = await this.parts.schedules.create(job, inMilliseconds(checked));
    this.parts.scheduler.poke();
    return record;
  }

  async listSchedules(
    query: { readonly kind?: string } = {},
    page?: PageInput,
  ): Promise<Page<ScheduleRecord>> {
    const conditions = readOptions("schedules", query, "list schedules");
    return await this.parts.store.listSchedules(conditions, readPage(page, "list schedules"));
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
    this.#assertOpen();
    return await this.parts.recurring.backfill(readOptions("backfill", request, "backfill"));
  }

  async explain(query: ExplainQuery): Promise<readonly TickReport[]> {
    return await explain(readOptions("explain", query, "explain"), {
      store: this.parts.store,
      clock: this.parts.options.clock,
      facts: this,
    });
  }

  getInstance(id: string): Promise<Instance> {
    return findInstance(id, this.parts.store);
  }

  async blockOf(instance: Instance): Promise<Block | null> {
    if (instance.state !== "scheduled") return null;
    if ((await this.unservedKinds([instance.kind])).size > 0) {
      return unservedBlock(instance.kind);
    }
    return await this.parts.store.blockOf({ ...this.#claimer(), id: instance.id });
  }

  unservedKinds(kinds: Iterable<string>): Promise<ReadonlySet<string>> {
    return this.parts.served.unserved(kinds);
  }

  async kinds(): Promise<readonly string[]> {
    const { kinds } = await this.parts.store.stats();
    return [...kinds.keys(), ...this.listJobs().map(({ kind }) => kind)];
  }

  isKnown(kind: string): Promise<boolean> {
    return this.parts.served.isKnown(kind);
  }

  assertKnown(kind: string): Promise<void> {
    return this.parts.served.assertKnown(kind);
  }

  async disabledBecause(kind: string): Promise<string | null> {
    return this.registry.disabledBecause(kind) ?? null;
  }

  async listNodes(): Promise<readonly NodeStatus[]> {
    const { membership } = this.parts;
    await membership.refreshed();
    return await membership.peers.list();
  }

  async resizeNode(id: string, count: number): Promise<NodeStatus> {
    await this.parts.membership.resize(id, checkWorkers(count));
    const nodes = await this.parts.membership.peers.refresh();
    return nodes.find((node) => node.id === id)!;
  }

  #claimer() {
    const { clock, node } = this.parts.options;
    const { kinds, limits } = this.registry;
    return { at: clock.now(), node, kinds, limits };
  }

  async lookupInstances<Filter extends InstanceFilter>(
    filter?: Exact<Filter, InstanceFilter>,
    page?: PageInput,
  ): Promise<Page<Instance>> {
    const query = readInstanceFilter(filter);
    const wanted = readPage(page, "look up instances");
    if (matchesNothing(query)) return { items: [], nextToken: null };
    return await this.parts.store.list(query, wanted);
  }

  /** How many instances match. */
  async count<Filter extends InstanceFilter>(
    filter?: Exact<Filter, InstanceFilter>,
  ): Promise<number> {
    const query = readInstanceFilter(filter);
    return matchesNothing(query) ? 0 : await countInstances(this.parts.store, query);
  }

  async lookupInstanceHistory<Filter extends HistoryFilter>(
    filter?: Exact<Filter, HistoryFilter>,
    page?: PageInput,
  ): Promise<Page<HistoryEntry>> {
    const query = readHistoryFilter(filter);
    return await this.parts.store.history(query, readPage(page, "look up the history"));
  }

  async lookupInstanceLogs<Filter extends LogFilter>(
    filter?: Exact<Filter, LogFilter>,
    page?: PageInput,
  ): Promise<Page<StoredLogEntry>> {
    const query = readLogFilter(filter);
    return await this.parts.store.logs(query, readPage(page, "look up logs"));
  }

  async cancelInstances<Filter extends BulkFilter>(
    filter: Exact<Filter, BulkFilter>,
    options?: BulkOptions,
  ): Promise<readonly Instance[]> {
    const query = readBulkFilter(filter, readOptions("bulk", options, "cancel"), "cancel");
    if (matchesNothing(query)) return [];
    return await cancelInstances(query, {
      store: this.parts.store,
      clock: this.parts.options.clock,
      bulk: this.#bulk,
      changed: (instance, at) => this.parts.events.changed(instance, at),
      abort: (claims) => this.parts.dispatcher.abort("canceled", claims),
      wait: (id, timeoutMs) => this.waitInstance(id, timeoutMs),
    });
  }

  async retryInstance(id: string): Promise<Instance> {
    return await retryInstance(await this.getInstance(id), this.#redriveContext());
  }

  async redriveInstances<Filter extends BulkFilter>(
    filter: Exact<Filter, BulkFilter>,
    options?: BulkOptions & { readonly isForced?: boolean },
  ): Promise<readonly Instance[]> {
    const { all, isForced = false } = readOptions("redrive", options, "redrive");
    const query = readBulkFilter(filter, { all }, "redrive");
    if (matchesNothing(query)) return [];
    return await redriveInstances(query, isForced, this.#redriveContext());
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
    const { alive } = this.parts.options.executor.stats();
    const { dispatcher: { count, busy }, fullWorkers: { fullMs } } = this.parts;
    return { count, busy, alive, ...(fullMs === null ? {} : { fullMs }) };
  }

  async resizeWorkers(count: number): Promise<WorkerStatus> {
    const { dispatcher, membership, options } = this.parts;
    dispatcher.resize(checkWorkers(count));
    // A wish of before must not undo it; here it holds whether or not the store can be told.
    if (membership.isJoined) await membership.resize(options.node, count).catch(() => {});
    return this.workers();
  }

  async pause(
    kind: string | null,
    options: { readonly until?: number; readonly reason?: string } = {},
  ): Promise<Pause> {
    if (kind !== null) await this.parts.served.assertKnown(kindOfReference(kind, "pause a job"));
    const { until = null, reason = "" } = readOptions("pause", options, "pause");
    const lengthMax = TEXT_LENGTH_MAX.pauseReason;
    checkText(reason, { what: "pause reason", path: "reason", lengthMax });
    if (until !== null) assertAhead(until, this.parts.options.clock.now().wallMs, "pause");
    return (await this.parts.store.setPause({
      at: this.parts.options.clock.now(),
      kind,
      until,
      reason,
    })).value;
  }

  async resume(kind: string | null): Promise<boolean> {
    if (kind !== null) kindOfReference(kind, "resume a job");
    const { value } = await this.parts.store.removePause({
      at: this.parts.options.clock.now(),
      kind,
    });
    // A pause outlives its job: only what is neither paused nor known is a mistake.
    if (!value && kind !== null) await this.parts.served.assertKnown(kind);
    this.parts.dispatcher.poke();
    return value;
  }

  listPauses(): Promise<readonly Pause[]> {
    return this.parts.store.listPauses();
  }

  async status(): Promise<ManagerStatus> {
    if (!this.life.storeInfo) {
      throw new JobError("unavailable", "Cannot tell the status: the manager does not run");
    }
    const { problem } = this.parts.store;
    if (problem) throw new JobError("unavailable", problem);
    const held = await this.parts.store.stats();
    const { removed } = this.parts.schedules;
    const stats = { ...held, schedules: Math.max(0, held.schedules - removed.count) };
    const waiting = [...stats.kinds].filter(([, counts]) => counts.scheduled > 0);
    const unserved = await this.unservedKinds(waiting.map(([kind]) => kind));
    return {
      node: this.parts.options.node,
      version: this.version,
      startedAt: this.life.startedAt,
      isDraining: this.life.isDraining,
      storeProblem: this.#care.problem ?? this.parts.answers.problem,
      reloadProblem: this.parts.options.configuration?.problem ?? null,
      store: this.life.storeInfo,
      workers: this.workers(),
      stats,
      nodes: (await this.listNodes()).filter(({ state }) => state !== "left" && state !== "lost"),
      blocks: [
        ...[...unserved].map(unservedBlock),
        ...await this.parts.store.blocks(this.#claimer()),
      ],
      pauses: await this.parts.store.listPauses(),
      disabled: this.registry.disabled,
      nextScheduleAt: this.parts.scheduler.nextAt,
    };
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
      onStop: (listener: () => void) => this.#onStop(listener),
      hasOthers: () => this.parts.membership.peers.hasOthers,
      followers: this.#followers,
    };
  }

  readonly #followers = new Followers();
  readonly #bulk = new BulkGate();

  #onStop(listener: () => void): () => void {
    this.life.stopListeners.add(listener);
    return () => void this.life.stopListeners.delete(listener);
  }

  async reloadConfig(options: { readonly force?: boolean } = {}): Promise<ReloadReport> {
    const { configuration } = this.parts.options;
    if (configuration) return await configuration.reload(options);
    throw new JobError("unimplemented", "Cannot reload the configuration: this manager has none");
  }

  workOnStore(...[work, options]: Parameters<ManagerApi["workOnStore"]>) {
    return this.#care.run(work, this.life.storeInfo, options?.signal);
  }
  readonly #care = new StoreCare(() => this.parts);

  subscribe(listener: (event: ManagerEvent) => void): () => void {
    return this.parts.events.subscribe(listener);
  }

  async #enqueue(instances: readonly NewInstance[]): Promise<readonly Instance[]> {
    this.#assertOpen();
    const enqueued = this.parts.store.enqueue({ at: this.parts.options.clock.now(), instances });
    // In the same turn, so that a free worker's claim shares the transaction.
    this.parts.dispatcher.poke();
    const { value, at } = await enqueued;
    for (const { instance, outcome, replaced } of value) {
      if (replaced) this.parts.events.changed(replaced, at);
      if (outcome === "accepted") this.parts.events.changed(instance, at);
    }
    return value.map(({ instance }) => instance);
  }

  #assertOpen(): void {
    if (!this.life.isDraining) return;
    throw new JobError("unavailable", "Cannot schedule: the daemon is stopping", {
      hint: "Try again when it has restarted",
    });
  }

  #redriveContext(): RedriveContext {
    this.#assertOpen();
    const { store, options, registry, events, dispatcher } = this.parts;
    return {
      store,
      clock: options.clock,
      bulk: this.#bulk,
      registry,
      repeat: (past) => repeatInstance(registry.get(past.kind), past, this.#seed()),
      accepted: (instance, at) => {
        events.changed(instance, at);
        dispatcher.poke();
      },
    };
  }

  #seed(nowMs = this.parts.options.clock.now().wallMs) {
    const { ids, random } = this.parts.options;
    return { id: ids(), nowMs, random: random.next() };
  }
}

import { isJobError, JobError } from "../core/errors.ts";
import type { Instance } from "../core/instance.ts";
import { assertCondition } from "../core/instance_filter.ts";
import type { JobDefinition } from "../core/job/job.ts";
import type { ScheduleOptions } from "../core/job/job_manager.ts";
import type { ScheduleRecord } from "../core/job/schedule.ts";
import { BATCH_MAX, type InstanceQuery, type Pause } from "../store/store.ts";
import type { StoreStep } from "../maintenance/step.ts";
import type {
  BackfillRequest,
  BackfillResult,
  ManagerApi,
  ManagerStatus,
  NodeStatus,
  RecurringOptions,
  ScheduleChange,
  SchedulePreview,
  ScheduleTarget,
  WorkerStatus,
} from "./api.ts";
import { ScopedReads } from "./scoped_reads.ts";

/** Most pages of schedules searched for one schedule. */
const PAGES_MAX = 1_000;

/**
 * The manager as seen by a caller limited to certain jobs: those whose kind matches one of
 * `patterns`.
 *
 * Other jobs are refused by name. Their instances and schedules are invisible: they are in no list,
 * count or report, and their ids are unknown. Actions that affect other jobs are refused: workers,
 * the store, pausing everything, and the logs of all jobs at once.
 */
export class ScopedManager extends ScopedReads implements ManagerApi {
  readonly #manager: ManagerApi;

  constructor(manager: ManagerApi, patterns: readonly string[]) {
    const kinds = async () => {
      const { stats } = await manager.status();
      return [...stats.kinds.keys(), ...manager.listJobs().map(({ kind }) => kind)];
    };
    super({ reads: manager, kinds }, patterns);
    this.#manager = manager;
  }

  get version(): string {
    return this.#manager.version;
  }

  listJobs(): readonly JobDefinition[] {
    return this.#manager.listJobs().filter(this.scope.has);
  }

  getJob(kind: string): JobDefinition {
    this.scope.check(kind);
    return this.#manager.getJob(kind);
  }

  async scheduleJob(kind: string, options?: ScheduleOptions): Promise<Instance> {
    this.scope.check(kind);
    this.scope.checkUniqueKey(options?.uniqueKey);
    return await this.#withoutHolder(kind, this.#manager.scheduleJob(kind, options));
  }

  async scheduleJobs(
    requests: readonly (ScheduleOptions & { readonly kind: string })[],
  ): Promise<readonly Instance[]> {
    for (const { kind, uniqueKey } of requests) {
      this.scope.check(kind);
      this.scope.checkUniqueKey(uniqueKey);
    }
    return await this.#withoutHolder("of a batch", this.#manager.scheduleJobs(requests));
  }

  previewJob(kind: string, options?: ScheduleOptions): SchedulePreview {
    this.scope.check(kind);
    return this.#manager.previewJob(kind, options);
  }

  async scheduleRecurring(kind: string, options: RecurringOptions): Promise<ScheduleRecord> {
    this.scope.check(kind);
    return await this.#manager.scheduleRecurring(kind, options);
  }

  async updateSchedule(id: string, change: ScheduleChange): Promise<ScheduleRecord> {
    await this.#assertSchedule(id, "update");
    return await this.#manager.updateSchedule(id, change);
  }

  async deleteSchedule(id: string): Promise<void> {
    await this.#assertSchedule(id, "delete");
    await this.#manager.deleteSchedule(id);
  }

  async runSchedule(target: ScheduleTarget): Promise<Instance> {
    this.scope.check(target.kind);
    return await this.#withoutHolder(target.kind, this.#manager.runSchedule(target));
  }

  async skipTicks(
    target: ScheduleTarget,
    what: { readonly until?: number; readonly count?: number },
  ): Promise<readonly ScheduleRecord[]> {
    this.scope.check(target.kind);
    return (await this.#manager.skipTicks(target, what)).filter(this.scope.has);
  }

  async backfill(request: BackfillRequest): Promise<BackfillResult> {
    this.scope.check(request.kind);
    return await this.#manager.backfill(request);
  }

  async cancelInstances(
    query: InstanceQuery,
    options?: { readonly all?: boolean },
  ): Promise<readonly Instance[]> {
    const narrowed = await this.#narrowMany(query, options?.all === true, "cancel");
    return narrowed === null ? [] : await this.#manager.cancelInstances(narrowed);
  }

  async retryInstance(id: string): Promise<Instance> {
    return await this.#manager.retryInstance((await this.getInstance(id)).id);
  }

  async redriveInstances(
    query: InstanceQuery,
    options?: { readonly all?: boolean; readonly isForced?: boolean },
  ): Promise<readonly Instance[]> {
    const narrowed = await this.#narrowMany(query, options?.all === true, "redrive");
    if (narrowed === null) return [];
    return await this.#manager.redriveInstances(narrowed, { isForced: options?.isForced });
  }

  clearInstanceHistory(): Promise<number> {
    return Promise.reject(this.scope.tooWide("clear the history"));
  }

  clearInstanceLogs(): Promise<number> {
    return Promise.reject(this.scope.tooWide("clear the logs"));
  }

  async listNodes(): Promise<readonly NodeStatus[]> {
    return (await this.#manager.listNodes()).map((node) => this.#nodeOf(node));
  }

  resizeNode(): Promise<NodeStatus> {
    return Promise.reject(this.scope.tooWide("change the workers of a node"));
  }

  workers(): WorkerStatus {
    return this.#manager.workers();
  }

  reloadConfig(): Promise<never> {
    return Promise.reject(this.scope.tooWide("reload the configuration"));
  }

  resizeWorkers(): Promise<WorkerStatus> {
    return Promise.reject(this.scope.tooWide("change the workers"));
  }

  async pause(
    kind: string | null,
    options?: { readonly until?: number; readonly reason?: string },
  ): Promise<Pause> {
    if (kind === null) throw this.scope.tooWide("pause everything");
    this.scope.check(kind);
    return await this.#manager.pause(kind, options);
  }

  async resume(kind: string | null): Promise<boolean> {
    if (kind === null) throw this.scope.tooWide("resume everything");
    this.scope.check(kind);
    return await this.#manager.resume(kind);
  }

  async status(): Promise<ManagerStatus> {
    const { scope } = this;
    const status = await this.#manager.status();
    const { node, version, startedAt, isDraining, storeProblem, store, workers } = status;
    // Field by field, so that a new field is not exposed before someone has considered it.
    return {
      ...{ node, version, startedAt, isDraining, storeProblem, workers },
      store: { ...store, recovered: [] },
      // It may name any job, so it is omitted.
      reloadProblem: null,
      stats: {
        kinds: new Map([...status.stats.kinds].filter(([kind]) => scope.allows(kind))),
        // These exist only as totals over all jobs.
        schedules: 0,
      },
      nextScheduleAt: null,
      nodes: status.nodes.map((each) => this.#nodeOf(each)),
      blocks: status.blocks.filter(scope.hasBlock),
      pauses: status.pauses.filter(({ kind }) => kind === null || scope.allows(kind)),
      disabled: new Map([...status.disabled].filter(([kind]) => scope.allows(kind))),
    };
  }

  async waitInstance(id: string, timeoutMs?: number): Promise<Instance | null> {
    return await this.#manager.waitInstance((await this.getInstance(id)).id, timeoutMs);
  }

  // deno-lint-ignore require-yield
  async *workOnStore(): AsyncGenerator<StoreStep> {
    throw this.scope.tooWide("work on the store");
  }

  subscribe(): () => void {
    throw this.scope.tooWide("listen to all events");
  }

  #nodeOf(node: NodeStatus): NodeStatus {
    return { ...node, kinds: node.kinds.filter((kind) => this.scope.allows(kind)) };
  }

  /** The same query restricted to the caller's instances; null if there can be none. */
  async #narrowMany(
    query: InstanceQuery,
    isAll: boolean,
    action: string,
  ): Promise<InstanceQuery | null> {
    assertCondition(query, isAll, action);
    if (query.ids !== undefined) await this.assertInstances(query.ids, action);
    const kinds = await this.kindsOf(query);
    return kinds.length === 0 ? null : { ...query, kinds };
  }

  async #assertSchedule(id: string, action: string): Promise<void> {
    let token: string | undefined;
    for (let page = 0; page < PAGES_MAX; page++) {
      const request = { limit: BATCH_MAX, token };
      const { items, nextToken } = await this.#manager.listSchedules({}, request);
      const found = items.find((record) => record.id === id);
      if (found && this.scope.has(found)) return;
      if (found || nextToken === null) break;
      token = nextToken;
    }
    throw new JobError("not_found", `Cannot ${action} schedule "${id}": no such schedule`, {
      path: "id",
      hint: "List them with: jobctl list schedules",
    });
  }

  /**
   * The error for an id or unique key in use names its holder, which may be an instance of another
   * job.
   */
  async #withoutHolder<T>(kind: string, scheduled: Promise<T>): Promise<T> {
    try {
      return await scheduled;
    } catch (error) {
      if (!isJobError(error, "already_exists")) throw error;
      throw new JobError(
        "already_exists",
        `Cannot schedule job "${kind}": the id or the unique key is already in use`,
        { path: error.path, hint: "Choose another one" },
      );
    }
  }
}

import type { HistoryEntry, Instance, RunningProcess, StoredLogEntry } from "../core/instance.ts";
import {
  type HistoryFilter,
  type InstanceFilter,
  type LogFilter,
  matchesNothing,
  readHistoryFilter,
  readInstanceFilter,
  readLogFilter,
} from "../core/job/instance_filter.ts";
import type { ScheduleRecord } from "../core/time/schedule.ts";
import type { Exact } from "../core/text/object_keys.ts";
import type { Page, UpcomingQuery } from "../store/store.ts";
import type { LiveFacts, ManagerApi } from "./api.ts";
import { type PageInput, readOptions, readPage } from "./context/call_options.ts";
import { countInstances } from "./instances/bulk.ts";
import { countUpTo } from "./instances/count_up_to.ts";
import { findInstance } from "./instances/find_instance.ts";
import { upcoming } from "./instances/upcoming.ts";
import { lateReads } from "./late_reads.ts";
import type { ManagerParts } from "./manager_parts.ts";
import type { DaemonNotices } from "./notices/daemon_notices.ts";
import type {
  BulkAction,
  FindOptions,
  JobStats,
  JobStatsQuery,
  LimitedCount,
  UpcomingRuns,
} from "./api/instances.ts";

/** The part of a manager that only reads the store. */
export abstract class ManagerReads {
  protected abstract readonly parts: ManagerParts;
  protected abstract readonly facts: LiveFacts;
  readonly #late = lateReads(() => ({
    ...{ store: this.parts.store, clock: this.parts.options.clock, facts: this.facts },
  }));
  readonly explain: ManagerApi["explain"] = this.#late.explain;
  readonly forecast: ManagerApi["forecast"] = this.#late.forecast;
  readonly calendar: ManagerApi["calendar"] = this.#late.calendar;
  readonly lookupTimeline: ManagerApi["lookupTimeline"] = this.#late.lookupTimeline;

  /** Notifies people of what happens to the daemon; null if nobody wants to know. */
  get daemonNotices(): DaemonNotices | null {
    return this.parts.notices.parts?.daemon ?? null;
  }

  async listSchedules(
    query: { readonly kind?: string } = {},
    page?: PageInput,
  ): Promise<Page<ScheduleRecord>> {
    const conditions = readOptions("schedules", query, "list schedules");
    return await this.parts.store.listSchedules(conditions, readPage(page, "list schedules"));
  }

  getInstance(id: string, options?: FindOptions): Promise<Instance> {
    const { store, options: { clock } } = this.parts;
    return findInstance(id, { ...options, store, clock });
  }

  processesOf(ids: Iterable<string>): Promise<ReadonlyMap<string, RunningProcess>> {
    return Promise.resolve(this.parts.dispatcher.processesOf(ids));
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

  /** Count the instances that match. */
  async count<Filter extends InstanceFilter>(
    filter?: Exact<Filter, InstanceFilter>,
  ): Promise<number> {
    const query = readInstanceFilter(filter);
    return matchesNothing(query) ? 0 : await countInstances(this.parts.store, query);
  }

  /** Count the instances that match, up to a number; with an action, those that it would change. */
  async countUpTo<Filter extends InstanceFilter>(
    filter: Exact<Filter, InstanceFilter>,
    max: number,
    action?: BulkAction,
  ): Promise<LimitedCount> {
    const query = readInstanceFilter(filter);
    if (matchesNothing(query)) return { count: 0, hasMore: false };
    const { store } = this.parts;
    if (action === undefined) return await countUpTo(store, query, max);
    const { countAffected } = await import("./instances/count_affected.ts");
    return await countAffected(store, query, { action, max, ownKinds: this.facts.ownKinds });
  }

  async jobStats(query: JobStatsQuery): Promise<JobStats> {
    const { jobStats } = await import("./instances/job_stats.ts");
    return await jobStats(this.parts.store, query);
  }

  async upcoming(query: UpcomingQuery): Promise<UpcomingRuns> {
    return await upcoming(this.parts.store, query, await this.facts.listPauses());
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
}

import { isJobError, JobError } from "../core/errors.ts";
import { type Instance, isUuid } from "../core/instance.ts";
import type { ScheduleRecord } from "../core/time/schedule.ts";
import { pagesOf } from "../core/query.ts";
import { BATCH_MAX, type InstanceQuery, type Page, type PageRequest } from "../store/store.ts";
import type { ReadApi } from "./api.ts";
import { noSuchInstance } from "./instances/find_instance.ts";
import { noSuchSchedule } from "./schedules/stored_schedules.ts";
import { Scope } from "./scope.ts";
import type { SpanQuery } from "./api/timeline.ts";
import type { FindOptions } from "./api/instances.ts";

/** Most pages of schedules read to fill one page of some jobs. */
const PAGES_MAX = 1_000;
const WHOLE_PAGE: PageRequest = { limit: BATCH_MAX };
const NOTHING = { items: [], nextToken: null } as const;

/** Restricts the queries of a caller limited to certain jobs. */
export class ScopedQueries {
  readonly scope: Scope;
  readonly reads: ReadApi;
  readonly #kinds: () => Promise<readonly string[]>;

  /** @param kinds returns the kinds of all jobs, and all kinds that have instances */
  constructor(
    reads: ReadApi,
    kinds: () => Promise<readonly string[]>,
    patterns: readonly string[],
  ) {
    this.scope = new Scope(patterns);
    this.reads = reads;
    this.#kinds = kinds;
  }

  /** The kinds that a query covers: those it names, or all existing kinds of the caller. */
  async kindsOf(query: Pick<InstanceQuery, "kinds">): Promise<readonly string[]> {
    if (query.kinds !== undefined) {
      for (const kind of query.kinds) this.scope.check(kind);
      return query.kinds;
    }
    const kinds = [...new Set(await this.#kinds())].filter((kind) => this.scope.allows(kind));
    if (kinds.length <= BATCH_MAX) return kinds;
    throw new JobError(
      "resource_exhausted",
      `Cannot search ${kinds.length} jobs at once: wanted at most ${BATCH_MAX}`,
      { options: ["kinds"], hint: "Name the kinds" },
    );
  }

  /** The same query for one instance or kind of the caller; null for an instance of another job. */
  async narrow<Q extends { readonly instanceId?: string; readonly kind?: string }>(
    query: Q,
    action: string,
  ): Promise<Q | null> {
    if (query.kind !== undefined) this.scope.check(query.kind);
    if (query.instanceId !== undefined) {
      const ids = [query.instanceId];
      const { items } = await this.reads.lookupInstances({ ids }, { limit: 1 });
      return items.some(this.scope.has) ? query : null;
    }
    if (query.kind !== undefined) return query;
    const { only } = this.scope;
    if (only !== null) return { ...query, kind: only };
    return this.scope.refuse(`${action} of all jobs`);
  }

  async lookupInstances(query: InstanceQuery, page = WHOLE_PAGE): Promise<Page<Instance>> {
    const kinds = await this.kindsOf(query);
    if (kinds.length === 0) return NOTHING;
    return this.scope.pageOf(await this.reads.lookupInstances({ ...query, kinds }, page));
  }

  /** A part of an id finds the caller's instances only, so that others stay invisible. */
  async getInstance(id: string, options?: FindOptions): Promise<Instance> {
    const uuid = id.toLowerCase();
    if (!isUuid(uuid)) {
      const kinds = await this.kindsOf({});
      if (kinds.length > 0) return await this.reads.getInstance(id, { ...options, kinds });
      throw noSuchInstance(id, "find");
    }
    const { items } = await this.reads.lookupInstances({ ids: [uuid] }, { limit: 1 });
    const found = items.find(this.scope.has);
    if (found) return found;
    throw noSuchInstance(id, "find");
  }

  /** @throws JobError `not_found` for the first id that is not an instance of the caller */
  async assertInstances(ids: readonly string[], action: string): Promise<void> {
    for (let from = 0; from < ids.length; from += BATCH_MAX) {
      const some = ids.slice(from, from + BATCH_MAX);
      const mine = new Set<string>();
      const read = (token: string | undefined) =>
        this.reads.lookupInstances({ ids: some }, { ...WHOLE_PAGE, token });
      for await (const items of pagesOf(read)) {
        for (const { id } of items.filter(this.scope.has)) mine.add(id);
      }
      const other = some.find((id) => !mine.has(id));
      if (other !== undefined) throw noSuchInstance(other, action);
    }
  }

  /** Schedules of all kinds. A page ends with a schedule of the caller: its token names that. */
  async listSchedules(page: PageRequest): Promise<Page<ScheduleRecord>> {
    const { has } = this.scope;
    const list = (request: Partial<PageRequest>) =>
      this.reads.listSchedules({}, { ...page, limit: BATCH_MAX, ...request });
    let { token } = page;
    for (let read = 0; read < PAGES_MAX; read++) {
      const { items, nextToken } = await list({ token });
      const own = items.filter(has).slice(0, page.limit);
      const last = own.at(-1);
      if (last === undefined) {
        if (nextToken === null) return NOTHING;
        token = nextToken;
        continue;
      }
      const limit = items.indexOf(last) + 1;
      const isAll = nextToken === null && !items.slice(limit).some(has);
      if (isAll) return { items: own, nextToken: null };
      const whole = await list({ token, limit });
      // A new one may have been created meanwhile.
      if (whole.items.at(-1)?.id === last.id) return this.scope.pageOf(whole);
    }
    throw new JobError("unavailable", "Cannot list the schedules: they change too often", {
      hint: "Try again, or name a kind",
    });
  }
}

/**
 * Reads for a caller limited to certain jobs. Other jobs are refused by name, and their instances
 * and schedules are invisible. Logs and history of all jobs at once are refused.
 */
export function scopedReads(queries: ScopedQueries): ReadApi {
  const { scope, reads } = queries;
  const withKinds = async <Query extends SpanQuery>(query: Query | undefined) => {
    const { kinds } = query ?? {};
    return { ...query, kinds: await queries.kindsOf(kinds ? { kinds } : {}) } as Query;
  };
  return {
    forecast: async (query) => await reads.forecast(await withKinds(query)),
    calendar: async (query) => await reads.calendar(await withKinds(query)),
    lookupTimeline: async (query) => await reads.lookupTimeline(await withKinds(query)),
    getInstance: (...args) => queries.getInstance(...args),
    lookupInstances: (query, page) => queries.lookupInstances(query, page),
    blockOf: (instance) => reads.blockOf(instance),
    unservedKinds: (kinds) => reads.unservedKinds(kinds),
    processesOf: (ids) => reads.processesOf(ids),
    // Tags of other jobs are unknown to the caller, unless its own jobs need them.
    kindsOfTag: (tag) => reads.kindsOfTag(tag, scope.patterns),
    async countUpTo(query, max, action) {
      if (query.ids !== undefined) await queries.assertInstances(query.ids, "count");
      const kinds = await queries.kindsOf(query);
      if (kinds.length === 0) return { count: 0, hasMore: false };
      return await reads.countUpTo({ ...query, kinds }, max, action);
    },
    async jobStats(query) {
      scope.check(query.kind);
      return await reads.jobStats(query);
    },
    async upcoming(query) {
      const kinds = await queries.kindsOf(query);
      const { runs, hasMore } = await reads.upcoming({ ...query, kinds });
      return { runs: runs.filter(scope.has), hasMore };
    },
    getSchedule: (id) => scheduleInScope(reads, scope, { id, action: "find" }),
    async listSchedules(query, page) {
      if (query.kind === undefined) return await queries.listSchedules(page);
      scope.check(query.kind);
      return await reads.listSchedules(query, page);
    },
    // A pause of everything also holds these jobs.
    listPauses: async () =>
      (await reads.listPauses()).filter(({ kind }) => kind === null || scope.allows(kind)),
    async explain(query) {
      if (query.kind !== undefined) scope.check(query.kind);
      const { instanceId } = query;
      const own = instanceId === undefined
        ? query
        : { ...query, instanceId: (await queries.getInstance(instanceId)).id };
      return (await reads.explain(own)).filter(scope.has);
    },
    async lookupInstanceHistory(query, page = WHOLE_PAGE) {
      const narrowed = await queries.narrow(query, "read the history");
      if (narrowed === null) return NOTHING;
      return scope.pageOf(await reads.lookupInstanceHistory(narrowed, page));
    },
    async lookupInstanceLogs(query, page = WHOLE_PAGE) {
      const narrowed = await queries.narrow(query, "read the logs");
      if (narrowed === null) return NOTHING;
      return scope.pageOf(await reads.lookupInstanceLogs(narrowed, page));
    },
    async *follow(query, options = {}) {
      const narrowed = await queries.narrow(query, "follow the logs");
      if (narrowed === null) throw noSuchInstance(query.instanceId!, "follow");
      const { has } = scope;
      for await (const step of reads.follow(narrowed, options)) {
        yield { ...step, entries: step.entries.filter(has), changed: step.changed.filter(has) };
      }
    },
  };
}

/** The schedule of an id, if it is of the caller. @throws JobError `not_found` */
export async function scheduleInScope(
  reads: Pick<ReadApi, "getSchedule">,
  scope: Scope,
  { id, action }: { readonly id: string; readonly action: string },
): Promise<ScheduleRecord> {
  const record = await reads.getSchedule(id).catch((error) => {
    if (isJobError(error, "not_found")) return null;
    throw error;
  });
  if (record !== null && scope.has(record)) return record;
  throw noSuchSchedule(id, action, { path: "id" });
}

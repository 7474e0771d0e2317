import { JobError } from "../core/errors.ts";
import { type HistoryEntry, type Instance, isUuid, type StoredLogEntry } from "../core/instance.ts";
import type { Block } from "../core/job/limits.ts";
import type { ScheduleRecord } from "../core/job/schedule.ts";
import {
  BATCH_MAX,
  type HistoryQuery,
  type InstanceQuery,
  type LogQuery,
  type LogTailQuery,
  type Page,
  type PageRequest,
  type Pause,
} from "../store/store.ts";
import type {
  ExplainQuery,
  FollowOptions,
  FollowStep,
  ManagerApi,
  ReadApi,
  TickReport,
} from "./api.ts";
import { Scope } from "./scope.ts";

/** Most pages of schedules read to fill one page of some jobs. */
const PAGES_MAX = 1_000;
const WHOLE_PAGE: PageRequest = { limit: BATCH_MAX };

/** The reads that a scope restricts. */
export interface ScopedSource {
  readonly reads: ReadApi & Pick<ManagerApi, "follow">;
  /** The kinds of all jobs, and all kinds that have instances. */
  readonly kinds: () => Promise<readonly string[]>;
}

/**
 * Reads for a caller limited to certain jobs. Other jobs are refused by name, and their instances
 * and schedules are invisible. Logs and history of all jobs at once are refused.
 */
export class ScopedReads implements ReadApi {
  protected readonly scope: Scope;
  readonly #reads: ScopedSource["reads"];
  readonly #kinds: ScopedSource["kinds"];

  constructor(source: ScopedSource, patterns: readonly string[]) {
    this.scope = new Scope(patterns);
    this.#reads = source.reads;
    this.#kinds = source.kinds;
  }

  async listSchedules(
    query: { readonly kind?: string },
    page: PageRequest,
  ): Promise<Page<ScheduleRecord>> {
    if (query.kind !== undefined) {
      this.scope.check(query.kind);
      return await this.#reads.listSchedules(query, page);
    }
    return await this.#listSchedules(page);
  }

  /**
   * Schedules of all kinds. A page ends with one of the caller's, because its token names the last
   * item.
   */
  async #listSchedules(page: PageRequest): Promise<Page<ScheduleRecord>> {
    let { token } = page;
    for (let read = 0; read < PAGES_MAX; read++) {
      const { items, nextToken } = await this.#reads.listSchedules({}, {
        ...page,
        token,
        limit: BATCH_MAX,
      });
      const own = items.filter(this.scope.has).slice(0, page.limit);
      const last = own.at(-1);
      if (last === undefined) {
        if (nextToken === null) return { items: [], nextToken: null };
        token = nextToken;
        continue;
      }
      const isAll = nextToken === null &&
        !items.slice(items.indexOf(last) + 1).some(this.scope.has);
      if (isAll) return { items: own, nextToken: null };
      const limit = items.indexOf(last) + 1;
      const whole = await this.#reads.listSchedules({}, { ...page, token, limit });
      // Another one may have been created meanwhile.
      if (whole.items.at(-1)?.id === last.id) return this.scope.pageOf(whole);
    }
    throw new JobError("unavailable", "Cannot list the schedules: they change too often", {
      hint: "Try again, or name a kind",
    });
  }

  async listPauses(): Promise<readonly Pause[]> {
    // A pause of everything also holds these jobs.
    return (await this.#reads.listPauses()).filter(({ kind }) =>
      kind === null || this.scope.allows(kind)
    );
  }

  async explain(query: ExplainQuery): Promise<readonly TickReport[]> {
    if (query.kind !== undefined) this.scope.check(query.kind);
    if (query.instanceId === undefined) {
      return (await this.#reads.explain(query)).filter(this.scope.has);
    }
    const { id } = await this.getInstance(query.instanceId);
    return (await this.#reads.explain({ ...query, instanceId: id })).filter(this.scope.has);
  }

  async getInstance(id: string): Promise<Instance> {
    // An abbreviated id finds the caller's instances only, so that others stay invisible.
    const idPrefix = id.toLowerCase();
    const { items } = isUuid(idPrefix)
      ? this.scope.pageOf(await this.#reads.lookupInstances({ ids: [idPrefix] }, { limit: 1 }))
      : await this.#firstTwo(idPrefix);
    if (items.length === 1) return items[0]!;
    if (items.length === 0) throw unknownInstance(id, "find");
    throw new JobError(
      "invalid_argument",
      `Cannot find instance "${id}": the prefix matches several`,
      { path: "uuid", hint: "Add more characters" },
    );
  }

  // A page of large items may hold one item without being the last.
  async #firstTwo(idPrefix: string): Promise<{ readonly items: readonly Instance[] }> {
    const first = await this.lookupInstances({ idPrefix }, { limit: 2 });
    if (first.items.length !== 1 || first.nextToken === null) return first;
    const next = await this.lookupInstances({ idPrefix }, { limit: 1, token: first.nextToken });
    return { items: [...first.items, ...next.items] };
  }

  blockOf(instance: Instance): Promise<Block | null> {
    return this.#reads.blockOf(instance);
  }

  unservedKinds(kinds: Iterable<string>): Promise<ReadonlySet<string>> {
    return this.#reads.unservedKinds(kinds);
  }

  async lookupInstances(query: InstanceQuery, page = WHOLE_PAGE): Promise<Page<Instance>> {
    const kinds = await this.kindsOf(query);
    if (kinds.length === 0) return { items: [], nextToken: null };
    return this.scope.pageOf(await this.#reads.lookupInstances({ ...query, kinds }, page));
  }

  async lookupInstanceHistory(
    query: HistoryQuery,
    page = WHOLE_PAGE,
  ): Promise<Page<HistoryEntry>> {
    const narrowed = await this.#narrow(query, "read the history");
    if (narrowed === null) return { items: [], nextToken: null };
    return this.scope.pageOf(await this.#reads.lookupInstanceHistory(narrowed, page));
  }

  async lookupInstanceLogs(query: LogQuery, page = WHOLE_PAGE): Promise<Page<StoredLogEntry>> {
    const narrowed = await this.#narrow(query, "read the logs");
    if (narrowed === null) return { items: [], nextToken: null };
    return this.scope.pageOf(await this.#reads.lookupInstanceLogs(narrowed, page));
  }

  /** Like `ManagerApi.follow`. */
  async *follow(query: LogTailQuery, options: FollowOptions = {}): AsyncGenerator<FollowStep> {
    const narrowed = await this.#narrow(query, "follow the logs");
    if (narrowed === null) throw unknownInstance(query.instanceId!, "follow");
    for await (const step of this.#reads.follow(narrowed, options)) {
      const { has } = this.scope;
      yield { ...step, entries: step.entries.filter(has), changed: step.changed.filter(has) };
    }
  }

  /** The kinds that a query covers: those it names, or all existing kinds of the caller. */
  protected async kindsOf(query: InstanceQuery): Promise<readonly string[]> {
    if (query.kinds !== undefined && query.kinds.length > 0) {
      for (const kind of query.kinds) this.scope.check(kind);
      return query.kinds;
    }
    const kinds = [...new Set(await this.#kinds())].filter((kind) => this.scope.allows(kind));
    if (kinds.length <= BATCH_MAX) return kinds;
    throw new JobError(
      "resource_exhausted",
      `Cannot search ${kinds.length} jobs at once: wanted at most ${BATCH_MAX}`,
      { path: "query.kinds", hint: "Name the kinds" },
    );
  }

  /** @throws JobError `not_found` for the first id that is not an instance of the caller */
  protected async assertInstances(ids: readonly string[], action: string): Promise<void> {
    for (let from = 0; from < ids.length; from += BATCH_MAX) {
      const asked = ids.slice(from, from + BATCH_MAX);
      const mine = new Set<string>();
      let token: string | undefined;
      do {
        const request = { limit: BATCH_MAX, ...(token === undefined ? {} : { token }) };
        const page = await this.#reads.lookupInstances({ ids: asked }, request);
        for (const instance of page.items) if (this.scope.has(instance)) mine.add(instance.id);
        token = page.nextToken ?? undefined;
      } while (token !== undefined);
      const other = asked.find((id) => !mine.has(id));
      if (other !== undefined) throw unknownInstance(other, action);
    }
  }

  /** The same query for one instance or kind of the caller; null for an instance of another job. */
  async #narrow<Q extends { readonly instanceId?: string; readonly kind?: string }>(
    query: Q,
    action: string,
  ): Promise<Q | null> {
    if (query.kind !== undefined) this.scope.check(query.kind);
    if (query.instanceId !== undefined) {
      const ids = [query.instanceId];
      const { items } = await this.#reads.lookupInstances({ ids }, { limit: 1 });
      return items.some(this.scope.has) ? query : null;
    }
    if (query.kind !== undefined) return query;
    const { only } = this.scope;
    if (only !== null) return { ...query, kind: only };
    throw this.scope.tooWide(`${action} of all jobs`);
  }
}

function unknownInstance(id: string, action: string): JobError {
  return new JobError("not_found", `Cannot ${action} instance "${id}": no such instance`, {
    path: "uuid",
    hint: "List them with: jobctl list instances",
  });
}

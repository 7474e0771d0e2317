import type { Instance } from "../../core/instance.ts";
import {
  type Broken,
  checkEvery,
  checkRun,
  describeBroken,
} from "../../core/notices/expectations.ts";
import { pagesOf } from "../../core/query.ts";
import type { JobState } from "../../core/state.ts";
import { Slices } from "../../platform/slices.ts";
import { BATCH_MAX, type StateCounts, type Store } from "../../store/store.ts";
import { firstDueAt, knownDueAt } from "./first_due.ts";
import type { LearntDurations } from "./learnt_durations.ts";
import type { BrokenNews, NewsContext, NewsSender } from "./news_sender.ts";
import type { PauseWatch } from "./pause_watch.ts";
import type { SuccessWatch } from "./success_watch.ts";
import type { WatchedJob } from "./watched_jobs.ts";

/** Most instances of one job that are checked, first accepted ones first. */
const ROWS_OF_JOB_MAX = BATCH_MAX;
/** Most instances of all jobs in one state that are checked. */
const ROWS_MAX = 10 * BATCH_MAX;

/** Most jobs that are checked together: a store merges all their lists. */
const PORTION_JOBS_MAX = 50;

/** The workers of this node. */
export interface WorkersView {
  /** Number of workers that run job code. */
  readonly busy: number;
  readonly count: number;
}

interface StoreLookOptions extends NewsContext {
  readonly store: Pick<
    Store,
    "addNews" | "stats" | "list" | "history" | "listPauses" | "listSchedules"
  >;
  readonly sender: NewsSender;
  readonly learnt: LearntDurations;
  readonly pauses: PauseWatch;
  readonly successes: SuccessWatch;
  readonly workers: WorkersView;
  /** True if this node runs an instance, and so watches it anyway. */
  readonly isHere: (instance: Instance) => boolean;
}

/** Kinds whose instances are read together. */
interface Portion {
  readonly kinds: readonly string[];
  readonly limit: number;
}

/**
 * Searches the store for facts that cause no event on this node: instances that wait, that run on
 * other nodes, and jobs without a success.
 */
export class StoreLook {
  readonly #options: StoreLookOptions;

  constructor(options: StoreLookOptions) {
    this.#options = options;
  }

  /**
   * Look once, and report every unmet expectation.
   *
   * @returns time until the next one may be unmet, in ms; Infinity for never
   */
  async look(jobs: ReadonlyMap<string, WatchedJob>): Promise<number> {
    const { store, clock, pauses } = this.#options;
    pauses.update(await store.listPauses(), clock.now().wallMs);
    const { kinds: counts } = await store.stats();
    let nextMs = Infinity;
    // The look shares its thread with the schedules.
    const slices = new Slices(clock);
    for (const state of ["scheduled", "processing"] as const) {
      for (const { kinds, limit } of portionsOf(jobs, counts, state, pauses)) {
        nextMs = Math.min(nextMs, await this.#lookAt(jobs, { kinds, limit, state }));
        await slices.pause();
      }
    }
    for (const job of jobs.values()) {
      if (job.expect.everyMs === 0) continue;
      nextMs = Math.min(nextMs, await this.#lookForSuccess(job));
      await slices.pause();
    }
    return nextMs;
  }

  async #lookAt(
    jobs: ReadonlyMap<string, WatchedJob>,
    { kinds, limit, state }: Portion & { readonly state: JobState },
  ): Promise<number> {
    const { store, sender, learnt, isHere } = this.#options;
    const news = new Map<string, BrokenNews[]>();
    let nextMs = Infinity;
    let left = limit;
    const pages = pagesOf((token) =>
      store.list({ kinds, states: [state] }, { limit: BATCH_MAX, order: "oldest", token })
    );
    for await (const items of pages) {
      for (const instance of items) {
        const job = jobs.get(instance.kind);
        if (job === undefined || isHere(instance)) continue;
        // Most need no watch: there may be thousands.
        if (state === "processing" && job.expect.learn) await learnt.load(job.kind);
        const firstAt = this.#firstAtOf(job, instance) ?? await firstDueAt(store, instance);
        const found = this.#check(job, instance, firstAt);
        nextMs = Math.min(nextMs, found.nextMs ?? Infinity);
        if (found.news.length === 0) continue;
        const own = news.get(job.kind);
        if (own === undefined) news.set(job.kind, [...found.news]);
        else own.push(...found.news);
      }
      left -= items.length;
      if (left <= 0) break;
    }
    for (const [kind, own] of news) await sender.send(kind, own.slice(0, BATCH_MAX));
    return nextMs;
  }

  /** First due time of a run, epoch ms, or an approximation; null if it has to be read. */
  #firstAtOf({ kind, expect, watchesFinish }: WatchedJob, instance: Instance): number | null {
    if (!watchesFinish) return Infinity;
    const known = knownDueAt(instance);
    if (known !== null) return known;
    const { id, createdAt } = instance;
    // It was not due earlier.
    if (this.#options.clock.now().wallMs - createdAt < expect.finishWithinMs) return createdAt;
    return this.#options.sender.isSent(kind, "long", id) ? Infinity : null;
  }

  #check(
    { kind, expect, takesWorker }: WatchedJob,
    instance: Instance,
    firstAt: number,
  ): { readonly nextMs: number | null; readonly news: readonly BrokenNews[] } {
    const { clock, sender, learnt, pauses, workers: { busy, count } } = this.#options;
    const isWaiting = instance.state === "scheduled";
    const { wallMs } = clock.now();
    const resumedAt = pauses.endOf(kind);
    const { broken, nextMs } = checkRun(expect, {
      isScheduled: instance.scheduleId !== null,
      sinceDueMs: wallMs - Math.max(firstAt, resumedAt),
      waitedMs: isWaiting ? wallMs - Math.max(waitsSince(instance), resumedAt) : null,
      ranMs: isWaiting ? null : wallMs - (instance.processedAt ?? wallMs),
    }, learnt.bandOf(kind));
    const isFull = takesWorker && count > 0 && busy >= count;
    const context = { busyWorkers: isFull ? count : null };
    const news = firstOfEach(broken).map((one) => ({
      broken: one,
      instanceId: instance.id,
      detail: describeBroken(one, context),
    })).filter(({ broken: { event } }) => !sender.isSent(kind, event, instance.id));
    return { nextMs, news };
  }

  async #lookForSuccess(job: WatchedJob): Promise<number> {
    const { clock, pauses, successes, sender } = this.#options;
    const { kind, expect } = job;
    const { wallMs } = clock.now();
    const since = await successes.sinceOf(job, wallMs);
    if (pauses.isPaused(kind)) return Infinity;
    const { broken: [broken], nextMs } = checkEvery(
      expect,
      wallMs - Math.max(since, pauses.endOf(kind)),
    );
    if (broken === undefined) return nextMs ?? Infinity;
    const lastSuccessAt = successes.lastOf(kind);
    const detail = describeBroken({ ...broken, tookMs: wallMs - since }, { lastSuccessAt });
    await sender.send(kind, [{ broken, instanceId: null, since: lastSuccessAt, detail }]);
    return Infinity;
  }
}

/** Start of a waiting instance's wait for its next attempt, epoch ms. */
export function waitsSince({ attempt, dueAt, scheduledAt }: Instance): number {
  // An instance taken back from a lost node keeps its earlier due time.
  return attempt === 0 ? dueAt : Math.max(dueAt, scheduledAt);
}

/** The first of each event: one about a run is enough. */
function firstOfEach(broken: readonly Broken[]): readonly Broken[] {
  return broken.filter(({ event }, index) =>
    broken.findIndex((other) => other.event === event) === index
  );
}

/** The kinds to look at in a state, ones with few instances first, in portions of one page. */
function portionsOf(
  jobs: ReadonlyMap<string, WatchedJob>,
  counts: ReadonlyMap<string, StateCounts>,
  state: "scheduled" | "processing",
  pauses: PauseWatch,
): readonly Portion[] {
  const isWanted = ({ kind, watchesStart, watchesFinish, watchesRuns }: WatchedJob) =>
    state === "processing"
      ? watchesRuns
      : (watchesStart || watchesFinish) && !pauses.isPaused(kind);
  const sized = [...jobs.values()].filter(isWanted).map(({ kind }) => ({
    kind,
    size: Math.min(counts.get(kind)?.[state] ?? 0, ROWS_OF_JOB_MAX),
  })).filter(({ size }) => size > 0).sort((left, right) => left.size - right.size);
  const portions: Portion[] = [];
  let [kinds, limit, total]: [string[], number, number] = [[], 0, 0];
  for (const { kind, size } of sized) {
    if (limit + size > ROWS_OF_JOB_MAX || kinds.length === PORTION_JOBS_MAX) {
      portions.push({ kinds, limit });
      [kinds, limit] = [[], 0];
    }
    if ((total += size) > ROWS_MAX) break;
    kinds.push(kind);
    limit += size;
  }
  return kinds.length === 0 ? portions : [...portions, { kinds, limit }];
}

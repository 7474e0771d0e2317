import type { Instance } from "../../core/instance.ts";
import { checkRun, describeBroken, LONG_MARGIN_MS } from "../../core/notices/expectations.ts";
import { toJobError } from "../../core/errors.ts";
import { pagesOf } from "../../core/query.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import { BATCH_MAX, type Store } from "../../store/store.ts";
import type { LearntDurations } from "./learnt_durations.ts";
import type { NewsContext, NewsSender } from "./news_sender.ts";
import { firstDueAt, knownDueAt } from "./first_due.ts";
import type { PauseWatch } from "./pause_watch.ts";
import type { WatchedJob } from "./watched_jobs.ts";

/** Delay after a failed check. */
const RETRY_MS = 10_000;
/** Another node may have silently taken over attempts that run longer. */
const DOUBT_MS = 60_000;

/** A running attempt of this node. */
interface Run {
  readonly instance: Instance;
  /** Monotonic ms. */
  readonly startedMs: number;
  /** First due time of its instance, epoch ms; null while unknown. */
  dueAt: number | null;
  /** When to check it, monotonic ms; Infinity for never. */
  checkMs: number;
}

interface RunWatchOptions extends NewsContext {
  readonly store: Pick<Store, "addNews" | "get" | "list" | "history">;
  readonly sender: NewsSender;
  readonly learnt: LearntDurations;
  readonly pauses: PauseWatch;
  readonly jobOf: (kind: string) => WatchedJob | undefined;
}

/**
 * Watches the attempts that run on this node, and reports slow ones while they run.
 * Running time is measured by the monotonic clock, and the due time by the wall clock.
 */
export class RunWatch {
  readonly #options: RunWatchOptions;
  readonly #runs = new Map<string, Run>();
  readonly #timer: LazyTimer;
  #isStarted = false;
  #isChecking = false;

  constructor(options: RunWatchOptions) {
    this.#options = options;
    this.#timer = new LazyTimer(options.clock, () => void this.#check());
  }

  start(): void {
    this.#isStarted = true;
  }

  stop(): void {
    this.#isStarted = false;
    this.#timer.cancel();
    this.#runs.clear();
  }

  /** True if this node runs the instance with this fence. */
  has({ id, fence }: Instance): boolean {
    return this.#runs.get(id)?.instance.fence === fence;
  }

  add({ expect }: WatchedJob, instance: Instance): void {
    const { clock, learnt } = this.#options;
    const { wallMs, monotonicMs } = clock.now();
    const run: Run = { instance, startedMs: monotonicMs, dueAt: null, checkMs: Infinity };
    this.#runs.set(instance.id, run);
    if (expect.learn) {
      if (!learnt.isFresh(instance.kind, monotonicMs)) this.#load(instance.kind);
      // Before that, no duration is unusually long. Most attempts have ended by then.
      run.checkMs = monotonicMs + LONG_MARGIN_MS;
    }
    if (expect.maxDurationMs > 0) {
      run.checkMs = Math.min(run.checkMs, monotonicMs + expect.maxDurationMs);
    }
    if (expect.finishWithinMs > 0) {
      run.dueAt = knownDueAt(instance);
      const leftMs = run.dueAt === null ? 0 : run.dueAt + expect.finishWithinMs - wallMs;
      run.checkMs = Math.min(run.checkMs, monotonicMs + Math.max(0, leftMs));
    }
    if (this.#isStarted && run.checkMs < Infinity) this.#timer.setBy(run.checkMs);
  }

  /** An instance no longer runs here. */
  remove(id: string): void {
    if (this.#runs.size > 0) this.#runs.delete(id);
  }

  /** Check all runs again: the clock may have been set, or the jobs have changed. */
  async recheck(): Promise<void> {
    if (this.#runs.size === 0) return;
    await this.#removeLost();
    const nowMs = this.#options.clock.now().monotonicMs;
    for (const run of this.#runs.values()) run.checkMs = nowMs;
    await this.#check();
  }

  #load(kind: string): void {
    const { learnt, logger } = this.#options;
    // A check that lacks data reads them again.
    learnt.load(kind).catch((error: unknown) => {
      logger.debug(toJobError(error, "Cannot read what is usual").message);
    });
  }

  /** Forget attempts with invalid claims, which no event reports. */
  async #removeLost(): Promise<void> {
    const { clock, store } = this.#options;
    const { monotonicMs } = clock.now();
    const old = [...this.#runs.values()].filter((run) => monotonicMs - run.startedMs > DOUBT_MS)
      .slice(0, BATCH_MAX);
    if (old.length === 0) return;
    const query = { ids: old.map(({ instance }) => instance.id), states: ["processing"] } as const;
    const fences = new Map<string, number>();
    for await (const items of pagesOf((token) => store.list(query, { limit: BATCH_MAX, token }))) {
      for (const { id, fence } of items) fences.set(id, fence);
    }
    for (const { instance: { id, fence } } of old) {
      if (fences.get(id) !== fence && this.#runs.get(id)?.instance.fence === fence) this.remove(id);
    }
  }

  async #check(): Promise<void> {
    if (this.#isChecking || !this.#isStarted) return;
    this.#isChecking = true;
    const { clock, logger } = this.#options;
    const nowMs = clock.now().monotonicMs;
    let leastMs = 1;
    try {
      for (const run of this.#runs.values()) if (run.checkMs <= nowMs) await this.#checkOne(run);
    } catch (error) {
      leastMs = RETRY_MS;
      logger.debug(toJobError(error, "Cannot check running attempts").message);
    } finally {
      this.#isChecking = false;
    }
    if (!this.#isStarted) return;
    let nextMs = Infinity;
    for (const { checkMs } of this.#runs.values()) nextMs = Math.min(nextMs, checkMs);
    if (nextMs < Infinity) this.#timer.setBy(Math.max(nextMs, nowMs + leastMs));
  }

  async #checkOne(run: Run): Promise<void> {
    const { store, jobOf, sender, learnt, pauses, clock } = this.#options;
    const { instance } = run;
    const { kind } = instance;
    const job = jobOf(kind);
    if (!job?.watchesRuns) return this.remove(instance.id);
    if (job.expect.learn && !learnt.isLoaded(kind)) await learnt.load(kind);
    if (job.watchesFinish) run.dueAt ??= await firstDueAt(store, instance);
    const { wallMs, monotonicMs } = clock.now();
    const { broken, nextMs } = checkRun(job.expect, {
      isScheduled: instance.scheduleId !== null,
      sinceDueMs: wallMs - Math.max(run.dueAt ?? wallMs, pauses.endOf(kind)),
      waitedMs: null,
      ranMs: monotonicMs - run.startedMs,
    }, learnt.bandOf(kind));
    run.checkMs = nextMs === null ? Infinity : monotonicMs + nextMs;
    const [first] = broken;
    if (first === undefined) return;
    const news = { broken: first, instanceId: instance.id, detail: describeBroken(first) };
    if (sender.isSent(kind, first.event, instance.id)) return;
    const stored = await store.get(instance.id);
    const isClaimed = stored?.state === "processing" && stored.fence === instance.fence;
    if (isClaimed) await sender.send(kind, [news]);
    else if (this.#runs.get(instance.id) === run) this.remove(instance.id);
  }
}

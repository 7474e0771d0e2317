import { toJobError } from "../../core/errors.ts";
import type { Instance } from "../../core/instance.ts";
import {
  checkRun,
  checkSuccess,
  describeBroken,
  startWithinOf,
} from "../../core/notices/expectations.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import { BATCH_MAX, type ChangeHint, type Store } from "../../store/store.ts";
import { LearntDurations } from "./learnt_durations.ts";
import { type NewsContext, NewsSender } from "./news_sender.ts";
import { PauseWatch } from "./pause_watch.ts";
import { RunWatch } from "./run_watch.ts";
import { StoreLook, waitsSince, type WorkersView } from "./store_look.ts";
import { SuccessWatch } from "./success_watch.ts";
import { type JobsView, type WatchedJob, watchedJobs } from "./watched_jobs.ts";

/** Longest time between two looks: other nodes accept instances, and die. */
const LOOK_EVERY_MS = 60_000;
/** Shortest time between two looks. */
const LOOK_MS_MIN = 1_000;
/** Wait before the next look after the store did not respond. */
const RETRY_MS = 10_000;

/** The manager's report about an instance. */
export interface RunEvent {
  readonly type: "state" | "attempt" | "log" | "progress";
  readonly instance: Instance;
  /** Duration of an attempt that has ended. */
  readonly durationMs?: number;
}

/** Dependencies of the watcher. */
export interface WatcherContext extends NewsContext {
  readonly store: Pick<
    Store,
    | "addNews"
    | "stats"
    | "get"
    | "list"
    | "history"
    | "listPauses"
    | "listSchedules"
    | "subscribe"
  >;
  readonly jobs: JobsView;
  readonly workers: WorkersView;
  /** Listen to events of this node. Returns a function that ends it. */
  readonly subscribe: (listener: (event: RunEvent) => void) => () => void;
}

/**
 * Watches whether runs meet their jobs' expectations, and otherwise adds news to the job's memo at
 * once: runs that start or finish too late, that take too long or too little, and jobs that do not
 * succeed often enough.
 *
 * Attempts of this node have timers. Everything else is looked up in the store, at least once a
 * minute. Without expectations there is neither.
 */
export class ExpectationWatcher {
  readonly #context: WatcherContext;
  readonly #sender: NewsSender;
  readonly #learnt: LearntDurations;
  readonly #pauses = new PauseWatch();
  readonly #successes: SuccessWatch;
  readonly #runs: RunWatch;
  readonly #look: StoreLook;
  readonly #timer: LazyTimer;
  #jobs: ReadonlyMap<string, WatchedJob> = new Map();
  /** The kinds when the jobs were last read. */
  #kinds: ReadonlySet<string> | null = null;
  #stops: readonly (() => void)[] = [];
  #isLooking = false;
  #mustLook = false;
  #lookedMs = -Infinity;
  /** Time of the next look, epoch ms, so that most waiting instances need no clock. */
  #lookAt = Infinity;
  /** Runs that began before the first look, which shows the pauses. */
  #unchecked: Instance[] | null = [];
  /** The instance whose attempt ended last: its change of state follows. */
  #endedId: string | null = null;

  constructor(context: WatcherContext) {
    this.#context = context;
    this.#sender = new NewsSender(context);
    this.#learnt = new LearntDurations(context);
    this.#successes = new SuccessWatch(context.store);
    const shared = { ...context, sender: this.#sender, learnt: this.#learnt };
    this.#runs = new RunWatch({
      ...shared,
      pauses: this.#pauses,
      jobOf: (kind) => this.#jobs.get(kind),
    });
    this.#look = new StoreLook({
      ...shared,
      pauses: this.#pauses,
      successes: this.#successes,
      isHere: (instance) => this.#runs.has(instance),
    });
    this.#timer = new LazyTimer(context.clock, () => void this.#lookNow());
  }

  start(): void {
    if (this.#isStarted) return this.changed();
    const { store, subscribe } = this.#context;
    this.#stops = [
      subscribe((event) => this.#heard(event)),
      store.subscribe((hint) => this.#hinted(hint)),
    ];
    this.#runs.start();
    this.changed();
  }

  stop(): void {
    for (const stop of this.#stops) stop();
    this.#stops = [];
    this.#timer.cancel();
    this.#runs.stop();
  }

  /** The jobs may have changed: apply their current expectations to running instances. */
  changed(): void {
    this.#readJobs();
    this.#lookSoon();
  }

  /**
   * True if a success took less than its job expects, so that it ends no incident.
   *
   * @throws JobError `unavailable` if the usual durations cannot be read
   */
  async isShort({ kind, processedAt, settledAt }: Instance): Promise<boolean> {
    const job = this.#jobs.get(kind);
    if (!job?.watchesEnds || processedAt === null || settledAt === null) return false;
    if (job.expect.learn) await this.#learnt.load(kind);
    return checkSuccess(job.expect, settledAt - processedAt, this.#learnt.bandOf(kind)) !== null;
  }

  get #isStarted(): boolean {
    return this.#stops.length > 0;
  }

  #readJobs(): void {
    const { jobs } = this.#context;
    this.#kinds = jobs.kinds;
    this.#jobs = watchedJobs(jobs);
    this.#learnt.keep(this.#jobs);
    this.#successes.keep(this.#jobs);
  }

  #hinted({ type }: ChangeHint): void {
    if (type === "pauses") this.#lookSoon();
  }

  #heard({ type, instance, durationMs }: RunEvent): void {
    if (type === "log" || type === "progress") return;
    if (this.#context.jobs.kinds !== this.#kinds) this.changed();
    const job = this.#jobs.get(instance.kind);
    if (job === undefined) return;
    if (type === "attempt") {
      this.#endedId = instance.id;
      this.#ended(job, instance, durationMs ?? null);
    } else if (instance.state === "processing") this.#began(job, instance);
    else if (this.#endedId === instance.id) this.#endedId = null;
    else this.#ended(job, instance, null);
    if (instance.state === "scheduled") this.#waits(job, instance);
  }

  #began(job: WatchedJob, instance: Instance): void {
    if (this.#pauses.isPaused(job.kind)) {
      this.#pauses.began(job.kind, this.#context.clock.now().wallMs);
    }
    // A run elsewhere has no claim; its times are reported ones.
    if (job.watchesRuns && instance.fence > 0) this.#runs.add(job, instance);
    else if (job.watchesRuns) this.#lookIn(LOOK_MS_MIN);
    if (instance.attempt !== 1 || !watchesStartOf(job, instance)) return;
    if (this.#unchecked === null) this.#checkStart(job, instance);
    else if (this.#unchecked.length < BATCH_MAX) this.#unchecked.push(instance);
  }

  /** A run that waited while no node was there began late, although its wait went unseen. */
  #checkStart({ kind, expect }: WatchedJob, instance: Instance): void {
    const { dueAt, processedAt } = instance;
    if (processedAt === null) return;
    const { broken } = checkRun(expect, {
      isScheduled: instance.scheduleId !== null,
      sinceDueMs: 0,
      waitedMs: processedAt - Math.max(dueAt, this.#pauses.endOf(kind)),
      ranMs: null,
    }, null);
    const late = broken.find(({ event }) => event === "late");
    if (late === undefined) return;
    const detail = describeBroken(late, { isStarted: true });
    void this.#sender.send(kind, [{ broken: late, instanceId: instance.id, detail }]);
  }

  /** @param durationMs of the attempt by the monotonic clock; null if another node ran it */
  #ended(job: WatchedJob, instance: Instance, durationMs: number | null): void {
    const { id, kind, state, processedAt, settledAt } = instance;
    this.#runs.remove(id);
    if (state !== "completed") return;
    if (settledAt !== null && job.expect.everyMs > 0) this.#successes.succeeded(kind, settledAt);
    if (!job.watchesEnds || processedAt === null || settledAt === null) return;
    const tookMs = durationMs ?? settledAt - processedAt;
    const isUnknown = job.expect.learn && !this.#learnt.isLoaded(kind);
    if (!isUnknown) return this.#succeeded(job, id, tookMs);
    this.#learnt.load(kind).then(() => this.#succeeded(job, id, tookMs)).catch(() => {});
  }

  #succeeded({ kind, expect }: WatchedJob, instanceId: string, tookMs: number): void {
    const broken = checkSuccess(expect, tookMs, this.#learnt.bandOfSlow(kind));
    if (expect.learn) this.#learnt.add(kind, tookMs);
    if (broken === null) return;
    const news = { broken, instanceId, detail: describeBroken(broken) };
    void this.#sender.send(kind, [news]);
  }

  #waits(job: WatchedJob, instance: Instance): void {
    if (!job.watchesFinish && !watchesStartOf(job, instance)) return;
    const { expect } = job;
    const startMs = startWithinOf(expect, instance.scheduleId !== null) ?? Infinity;
    const finishMs = expect.finishWithinMs || Infinity;
    const brokenAt = waitsSince(instance) + Math.min(startMs, finishMs);
    if (brokenAt < this.#lookAt) {
      this.#lookIn(Math.max(brokenAt - this.#context.clock.now().wallMs, LOOK_MS_MIN));
    }
  }

  #lookSoon(): void {
    this.#mustLook = true;
    const { monotonicMs } = this.#context.clock.now();
    this.#lookIn(Math.max(0, this.#lookedMs + LOOK_MS_MIN - monotonicMs));
  }

  async #lookNow(): Promise<void> {
    if (this.#isLooking) return;
    const { clock, logger, jobs } = this.#context;
    if (jobs.kinds !== this.#kinds) this.#readJobs();
    if (this.#jobs.size === 0) return;
    this.#isLooking = true;
    this.#mustLook = false;
    let waitMs = LOOK_EVERY_MS;
    try {
      const nextMs = await this.#look.look(this.#jobs);
      await this.#runs.recheck();
      this.#checkStarts();
      if (!this.#mustLook) waitMs = Math.min(LOOK_EVERY_MS, Math.max(nextMs, LOOK_MS_MIN));
      else waitMs = LOOK_MS_MIN;
    } catch (error) {
      waitMs = RETRY_MS;
      logger.debug(toJobError(error, "Cannot check what jobs expect").message);
    } finally {
      this.#isLooking = false;
    }
    this.#lookedMs = clock.now().monotonicMs;
    this.#lookAt = Infinity;
    this.#lookIn(waitMs);
  }

  /** Look again in `waitMs`, or at the earlier planned time. */
  #lookIn(waitMs: number): void {
    if (!this.#isStarted || this.#isLooking) return;
    this.#timer.setWithin(waitMs);
    this.#lookAt = Math.min(this.#lookAt, this.#context.clock.now().wallMs + waitMs);
  }

  /** Check the runs that began before the first look. */
  #checkStarts(): void {
    const unchecked = this.#unchecked ?? [];
    this.#unchecked = null;
    for (const instance of unchecked) {
      const job = this.#jobs.get(instance.kind);
      if (job !== undefined) this.#checkStart(job, instance);
    }
  }
}

function watchesStartOf(job: WatchedJob, { scheduleId }: Instance): boolean {
  return job.watchesEveryStart || (job.watchesStart && scheduleId !== null);
}

import type { JobDefinition } from "../../core/job/job.ts";
import type { Clock } from "../../platform/clock.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";

/** Job code faster than this costs less than its overhead, so more processes do not help. */
const SHORT_MS = 0.3;
/** The least time that an attempt takes in its worker, overhead included. */
const ATTEMPT_MS_MIN = 0.02;
/** The most that one attempt counts, so that a rare long one does not change the estimate much. */
const COUNTED_MS_MAX = 5 * SHORT_MS;
/** Weight of the latest attempt. A faster one weighs more: a busy machine slows down any. */
const LATEST_WEIGHT = { faster: 1 / 4, slower: 1 / 16 } as const;
/** Longest time that a group keeps its place: without the end of any attempt, and in any case. */
const GROUP_MS_MAX = { stalled: 2, ever: 10 } as const;
/** Longest wait for a starting worker: another would start no sooner beside it. */
const START_MS_MAX = 250;
/** Longest wait of an attempt while no worker is free. */
const WAIT_MS_MAX = 25;
/** Silent attempts in a row after which a job is batched: output ends a batch. */
const SILENT_MIN = 8;

/** An attempt that may have to wait at the gate. */
export interface GatedAttempt {
  readonly job: JobDefinition;
  /** True if it may be queued in a worker behind others of its job. */
  readonly canFollow: boolean;
  /** True if its worker has not started yet. */
  readonly isStarting: boolean;
  /**
   * Keep runs queued behind it in its worker from beginning. Each one taken back comes to
   * {@link ShortJobGate.readmit}.
   */
  takeBack(): void;
  /** End it unstarted: all workers have been busy for too long. */
  giveUp(): void;
}

/** The end of an admitted attempt. */
export interface GatedEnd {
  /** Duration of job code; null if unknown. */
  readonly tookMs: number | null;
  readonly isSilent: boolean;
}

interface JobHistory {
  readonly expectedMs: number;
  /** Consecutive attempts without output. */
  readonly silent: number;
}

/** The attempts given to one worker together, and since when. */
interface Group<T> {
  readonly attempts: Set<T>;
  readonly sinceMs: number;
}

/**
 * Admits attempts of short jobs to a few workers at a time. Two or three busy workers, whose code
 * and caches are warm, execute more of them than sixteen that compete for the processors. Attempts
 * that wait are given to a worker as a group, because a message costs more than a short attempt.
 * Other attempts begin at once, as do attempts whose place is not free in time.
 */
export class ShortJobGate<T extends GatedAttempt> {
  readonly #clock: Clock;
  readonly #groupsMax: number;
  readonly #capacity: () => number;
  readonly #begin: (first: T, others: readonly T[]) => number;
  readonly #timer: LazyTimer;
  readonly #histories = new WeakMap<JobDefinition, JobHistory>();
  /** The groups that occupy a place. */
  readonly #groups = new Set<Group<T>>();
  readonly #groupOf = new Map<T, Group<T>>();
  /** Attempts that wait, each with the time since when. */
  #waiting = new Map<T, number>();
  /** True if an admitted attempt ended since the timer was set. */
  #hasProgressed = false;
  #isDeferred = false;

  /**
   * @param options.groupsMax most groups at once, each in a separate worker
   * @param options.capacity number of attempts that may still begin, of any job
   * @param options.begin begins an attempt with others of its job queued behind it; returns how
   * many of the others its worker took, counted from the first
   */
  constructor(
    clock: Clock,
    options: {
      readonly groupsMax: number;
      readonly capacity: () => number;
      readonly begin: (first: T, others: readonly T[]) => number;
    },
  ) {
    this.#clock = clock;
    this.#groupsMax = options.groupsMax;
    this.#capacity = options.capacity;
    this.#begin = options.begin;
    this.#timer = new LazyTimer(clock, () => this.#check());
  }

  /** Attempts not known to have begun: here or queued in workers. */
  get waiting(): number {
    let count = this.#waiting.size;
    for (const { attempts } of this.#groups) count += attempts.size - 1;
    return count;
  }

  /** Begin an attempt now or soon. */
  enter(attempt: T): void {
    const expectedMs = this.#histories.get(attempt.job)?.expectedMs ?? Infinity;
    if (expectedMs > SHORT_MS) return void this.#begin(attempt, []);
    this.#waiting.set(attempt, this.#clock.now().monotonicMs);
    // The first need not wait for others that arrive in this turn of the event loop.
    const isFirst = this.#groups.size === 0 && !this.#isDeferred;
    if (isFirst || !this.#canBatch(attempt)) this.#admit();
    else this.#defer();
  }

  /** An attempt has ended, or will not begin. */
  leave(attempt: T, end: GatedEnd): void {
    this.#learn(attempt.job, end);
    this.#waiting.delete(attempt);
    if (this.#removeFromGroup(attempt)) this.#hasProgressed = true;
    const [next = attempt] = this.#waiting.keys();
    if (this.#canBatch(next)) this.#defer();
    else this.#admit();
  }

  /** An attempt did not begin in its worker: it waits again, before all others. */
  readmit(attempt: T): void {
    this.#removeFromGroup(attempt);
    this.#waiting = new Map([[attempt, this.#clock.now().monotonicMs], ...this.#waiting]);
    this.#defer();
  }

  /** End unstarted attempts here and in workers. */
  withdraw(): void {
    for (const { attempts } of [...this.#groups]) {
      for (const attempt of [...attempts]) attempt.takeBack();
    }
    this.#giveUpAll();
  }

  #giveUpAll(): void {
    for (const attempt of [...this.#waiting.keys()]) attempt.giveUp();
  }

  #learn(job: JobDefinition, { tookMs, isSilent }: GatedEnd): void {
    if (tookMs === null) return;
    const { expectedMs, silent } = this.#histories.get(job) ??
      { expectedMs: COUNTED_MS_MAX, silent: 0 };
    const moreMs = Math.min(tookMs, COUNTED_MS_MAX) - expectedMs;
    const weight = moreMs < 0 ? LATEST_WEIGHT.faster : LATEST_WEIGHT.slower;
    this.#histories.set(job, {
      expectedMs: expectedMs + moreMs * weight,
      silent: isSilent ? silent + 1 : 0,
    });
  }

  #canBatch({ canFollow, job }: T): boolean {
    return canFollow && (this.#histories.get(job)?.silent ?? 0) >= SILENT_MIN;
  }

  /** @returns true if it was in a group */
  #removeFromGroup(attempt: T): boolean {
    const group = this.#groupOf.get(attempt);
    if (!group) return false;
    this.#groupOf.delete(attempt);
    group.attempts.delete(attempt);
    if (group.attempts.size === 0) this.#groups.delete(group);
    return true;
  }

  // An attempt that ended brings further ones within this turn of the event loop.
  #defer(): void {
    if (this.#isDeferred) return;
    this.#isDeferred = true;
    this.#clock.defer(() => {
      this.#isDeferred = false;
      this.#admit();
    });
  }

  #admit(): void {
    for (let free = this.#free; free > 0; free = this.#free) {
      const [first] = this.#waiting.keys();
      if (first === undefined) break;
      this.#beginGroup(first, this.#canBatch(first) ? this.#othersLike(first, free) : []);
    }
    this.#arm();
  }

  get #free(): number {
    return Math.min(this.#groupsMax - this.#groups.size, this.#capacity());
  }

  /** Attempts of the same job to follow one: an equal share for each free worker. */
  #othersLike(first: T, free: number): T[] {
    const alike = [...this.#waiting.keys()].filter((other) => {
      return other !== first && other.canFollow && other.job === first.job;
    });
    // Attempts too slow for the time of the group's place would be taken back.
    const { expectedMs } = this.#histories.get(first.job)!;
    const most = Math.floor(GROUP_MS_MAX.stalled / Math.max(expectedMs, ATTEMPT_MS_MIN));
    const size = Math.min(Math.ceil((alike.length + 1) / free), most);
    return alike.slice(0, Math.max(0, size - 1));
  }

  #beginGroup(first: T, others: readonly T[]): void {
    const group = { attempts: new Set<T>(), sinceMs: this.#clock.now().monotonicMs };
    this.#groups.add(group);
    const join = (attempt: T) => {
      this.#waiting.delete(attempt);
      group.attempts.add(attempt);
      this.#groupOf.set(attempt, group);
    };
    join(first);
    const taken = this.#begin(first, others);
    for (const other of others.slice(0, taken)) join(other);
  }

  #check(): void {
    const nowMs = this.#clock.now().monotonicMs;
    const longestMs = this.#hasProgressed ? GROUP_MS_MAX.ever : GROUP_MS_MAX.stalled;
    let isStarting = false;
    for (const group of this.#groups) {
      const ageMs = nowMs - group.sinceMs;
      if (ageMs < START_MS_MAX && [...group.attempts].some((attempt) => attempt.isStarting)) {
        isStarting = true;
        continue;
      }
      // One of them is long, since a short batch takes less: the others must not wait for it.
      if (ageMs >= GROUP_MS_MAX.stalled) {
        for (const attempt of group.attempts) attempt.takeBack();
      }
      if (ageMs >= longestMs) this.#groups.delete(group);
    }
    this.#admit();
    if (isStarting || this.#capacity() > 0) return;
    // All of them: early ones must not wait in the store while later ones begin.
    const sinceMs = Math.min(...this.#waiting.values());
    if (nowMs - sinceMs >= WAIT_MS_MAX) this.#giveUpAll();
  }

  /** Check again later while attempts wait here or in a worker behind another one. */
  #arm(): void {
    if (this.#timer.dueMs !== null) return;
    const hasFollowers = [...this.#groups].some(({ attempts }) => attempts.size > 1);
    if (this.#waiting.size === 0 && !hasFollowers) return;
    this.#hasProgressed = false;
    this.#timer.setIn(GROUP_MS_MAX.stalled);
  }
}

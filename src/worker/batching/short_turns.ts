import type { JobDefinition } from "../../core/job/job.ts";
import type { Clock } from "../../platform/clock.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";

/** Job code that takes less than this costs less than what surrounds it, so that more processes at once make nothing faster. */
const SHORT_MS = 0.3;
/** What an attempt takes at least, with what surrounds it in its worker. */
const TIME_MS_MIN = 0.02;
/** What one attempt counts at most, so that a rare long one does not change what a job is. */
const COUNTED_MS_MAX = 5 * SHORT_MS;
/** Share of the last attempt in what is expected: much of a faster one, as a busy machine makes any slower at times. */
const LAST_SHARE = { faster: 1 / 4, slower: 1 / 16 } as const;
/** How long a group that has a turn may take until others no longer wait for it, when none ends meanwhile and at all. */
const TURN_MS_MAX = { still: 2, ever: 10 } as const;
/** How long the start of a worker is waited for: further ones would start no sooner beside it. */
const START_MS_MAX = 250;
/** How long one may wait while no worker is free. */
const WAIT_MS_MAX = 25;
/** How often in a row a job must have written nothing to be given out several at once: output ends a batch. */
const SILENT_MIN = 8;

/** An attempt that begins when it is its turn. */
export interface Turn {
  readonly job: JobDefinition;
  /** Whether it may be given to a worker behind others of its job. */
  readonly canFollow: boolean;
  /** Whether its worker has yet to start. */
  readonly isStarting: boolean;
  /** Let nothing that follows it in a worker begin any more; what is kept from it comes back by {@link ShortTurns.back}. */
  takeBack(): void;
  /** It will not begin here: what has all workers takes too long. */
  giveUp(): void;
}

/** What became of a turn. */
export interface TurnEnd {
  /** How long job code took; null when that is not known. */
  readonly tookMs: number | null;
  readonly isSilent: boolean;
}

/** What is known of a job. */
interface Known {
  readonly expectedMs: number;
  /** Attempts in a row that wrote nothing. */
  readonly silent: number;
}

/** Turns that one worker has, and since when. */
interface Group<T> {
  readonly turns: Set<T>;
  readonly sinceMs: number;
}

/**
 * Lets attempts of jobs that are known to be short begin in turns, one worker's after another: two or three busy workers, whose code and
 * caches are warm, execute more of them than sixteen which take turns on the processors. What waits for a turn is given to
 * a worker several at once, as a message costs more than a short attempt. All others begin at once, as do those whose turn is
 * late.
 */
export class ShortTurns<T extends Turn> {
  readonly #clock: Clock;
  readonly #atOnce: number;
  readonly #capacity: () => number;
  readonly #begin: (turn: T, others: readonly T[]) => number;
  readonly #timer: LazyTimer;
  readonly #known = new WeakMap<JobDefinition, Known>();
  /** Those that others wait for. */
  readonly #groups = new Set<Group<T>>();
  readonly #groupOf = new Map<T, Group<T>>();
  /** Since when. */
  #waiting = new Map<T, number>();
  /** Whether one with a turn ended since the timer was set. */
  #hasMoved = false;
  #isDeferred = false;

  /**
   * @param options.atOnce how many workers
   * @param options.capacity how many more may begin, whatever they are
   * @param options.begin begins a turn, with others of its job behind it; answers how many of those it took, the first ones
   */
  constructor(
    clock: Clock,
    options: {
      readonly atOnce: number;
      readonly capacity: () => number;
      readonly begin: (turn: T, others: readonly T[]) => number;
    },
  ) {
    this.#clock = clock;
    this.#atOnce = options.atOnce;
    this.#capacity = options.capacity;
    this.#begin = options.begin;
    this.#timer = new LazyTimer(clock, () => this.#late());
  }

  /** Turns that were entered and have not begun, as far as is known. */
  get waiting(): number {
    let count = this.#waiting.size;
    for (const { turns } of this.#groups) count += turns.size - 1;
    return count;
  }

  /** Begin it now or soon. */
  enter(turn: T): void {
    const expectedMs = this.#known.get(turn.job)?.expectedMs ?? Infinity;
    if (expectedMs > SHORT_MS) return void this.#begin(turn, []);
    this.#waiting.set(turn, this.#clock.now().monotonicMs);
    // The first one need not wait for what this turn of the event loop brings with it.
    if ((this.#groups.size === 0 && !this.#isDeferred) || !this.#isBatched(turn)) this.#next();
    else this.#defer();
  }

  /** It has ended, or will not begin. */
  leave(turn: T, end: TurnEnd): void {
    this.#learn(turn.job, end);
    this.#waiting.delete(turn);
    if (this.#drop(turn)) this.#hasMoved = true;
    const [first = turn] = this.#waiting.keys();
    if (this.#isBatched(first)) this.#defer();
    else this.#next();
  }

  /** It did not begin, and waits again. */
  back(turn: T): void {
    this.#drop(turn);
    this.#waiting = new Map([[turn, this.#clock.now().monotonicMs], ...this.#waiting]);
    this.#defer();
  }

  #learn(job: JobDefinition, { tookMs, isSilent }: TurnEnd): void {
    if (tookMs === null) return;
    const { expectedMs, silent } = this.#known.get(job) ??
      { expectedMs: COUNTED_MS_MAX, silent: 0 };
    const moreMs = Math.min(tookMs, COUNTED_MS_MAX) - expectedMs;
    const share = moreMs < 0 ? LAST_SHARE.faster : LAST_SHARE.slower;
    this.#known.set(job, {
      expectedMs: expectedMs + moreMs * share,
      silent: isSilent ? silent + 1 : 0,
    });
  }

  #isBatched({ canFollow, job }: T): boolean {
    return canFollow && (this.#known.get(job)?.silent ?? 0) >= SILENT_MIN;
  }

  /** Whether it had a turn. */
  #drop(turn: T): boolean {
    const group = this.#groupOf.get(turn);
    if (!group) return false;
    this.#groupOf.delete(turn);
    group.turns.delete(turn);
    if (group.turns.size === 0) this.#groups.delete(group);
    return true;
  }

  // What ended brings further ones in this turn of the event loop.
  #defer(): void {
    if (this.#isDeferred) return;
    this.#isDeferred = true;
    this.#clock.defer(() => {
      this.#isDeferred = false;
      this.#next();
    });
  }

  #next(): void {
    for (let free = this.#free; free > 0; free = this.#free) {
      const [turn] = this.#waiting.keys();
      if (turn === undefined) break;
      this.#beginGroup(turn, this.#isBatched(turn) ? this.#othersLike(turn, free) : []);
    }
    this.#arm();
  }

  get #free(): number {
    return Math.min(this.#atOnce - this.#groups.size, this.#capacity());
  }

  /** What of its job is to follow a turn, so that as many are left for each other free worker. */
  #othersLike(turn: T, free: number): T[] {
    const alike = [...this.#waiting.keys()].filter((other) => {
      return other !== turn && other.canFollow && other.job === turn.job;
    });
    // What would take longer than others wait for would come back.
    const { expectedMs } = this.#known.get(turn.job)!;
    const most = Math.floor(TURN_MS_MAX.still / Math.max(expectedMs, TIME_MS_MIN));
    const size = Math.min(Math.ceil((alike.length + 1) / free), most);
    return alike.slice(0, Math.max(0, size - 1));
  }

  #beginGroup(turn: T, others: readonly T[]): void {
    const group = { turns: new Set<T>(), sinceMs: this.#clock.now().monotonicMs };
    this.#groups.add(group);
    const join = (member: T) => {
      this.#waiting.delete(member);
      group.turns.add(member);
      this.#groupOf.set(member, group);
    };
    join(turn);
    const taken = this.#begin(turn, others);
    for (const other of others.slice(0, taken)) join(other);
  }

  #late(): void {
    const nowMs = this.#clock.now().monotonicMs;
    const longestMs = this.#hasMoved ? TURN_MS_MAX.ever : TURN_MS_MAX.still;
    let isStarting = false;
    for (const group of this.#groups) {
      const ageMs = nowMs - group.sinceMs;
      if (ageMs < START_MS_MAX && [...group.turns].some((turn) => turn.isStarting)) {
        isStarting = true;
        continue;
      }
      // A batch of short ones takes less: one of them is long, and the others must not wait for it.
      if (ageMs >= TURN_MS_MAX.still) { for (const turn of group.turns) turn.takeBack(); }
      if (ageMs >= longestMs) this.#groups.delete(group);
    }
    this.#next();
    if (isStarting || this.#capacity() > 0) return;
    for (const [turn, sinceMs] of this.#waiting) if (nowMs - sinceMs >= WAIT_MS_MAX) turn.giveUp();
  }

  /** While something waits, or stands behind another in a worker, it is looked at whether it takes too long. */
  #arm(): void {
    if (this.#timer.dueMs !== null) return;
    const hasFollowers = [...this.#groups].some(({ turns }) => turns.size > 1);
    if (this.#waiting.size === 0 && !hasFollowers) return;
    this.#hasMoved = false;
    this.#timer.set(this.#clock.now().monotonicMs + TURN_MS_MAX.still);
  }
}

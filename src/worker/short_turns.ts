import type { JobDefinition } from "../core/job.ts";
import type { Clock } from "../platform/clock.ts";
import { LazyTimer } from "./lazy_timer.ts";

/** Job code that takes less than this costs less than what surrounds it, so that more processes at once make nothing faster. */
const SHORT_MS = 0.3;
/** What one attempt counts at most, so that a rare long one does not change what a job is. */
const COUNTED_MS_MAX = 5 * SHORT_MS;
/** Share of the last attempt in what is expected: much of a faster one, as a busy machine makes any slower at times. */
const LAST_SHARE = { faster: 1 / 4, slower: 1 / 16 } as const;
/** How long one that has a turn may take until others no longer wait for it, when none ends meanwhile and at all. */
const TURN_MS_MAX = { still: 2, ever: 10 } as const;

/** An attempt that begins when it is its turn. */
export interface Turn {
  readonly job: JobDefinition;
  begin(): void;
}

/**
 * Lets attempts of jobs that are known to be short begin one after another, a few at once: two or three busy workers, whose code and
 * caches are warm, execute more of them than sixteen which take turns on the processors. All others begin at once, as do
 * those whose turn is late.
 */
export class ShortTurns {
  readonly #clock: Clock;
  readonly #atOnce: number;
  readonly #timer: LazyTimer;
  readonly #expectedMs = new WeakMap<JobDefinition, number>();
  /** Those that have a turn, and since when. */
  readonly #turns = new Map<Turn, number>();
  readonly #waiting = new Set<Turn>();
  /** Whether one with a turn ended since the timer was set. */
  #hasMoved = false;

  /** @param atOnce how many short ones */
  constructor(clock: Clock, atOnce: number) {
    this.#clock = clock;
    this.#atOnce = atOnce;
    this.#timer = new LazyTimer(clock, () => this.#late());
  }

  /** Begin it now or soon. */
  enter(turn: Turn): void {
    const expectedMs = this.#expectedMs.get(turn.job);
    if (expectedMs === undefined || expectedMs > SHORT_MS) return turn.begin();
    if (this.#turns.size < this.#atOnce) return this.#begin(turn);
    this.#waiting.add(turn);
    if (this.#timer.dueMs === null) this.#arm();
  }

  /**
   * It has ended, or will not begin.
   *
   * @param tookMs how long its job code took; null when that is not known
   */
  leave(turn: Turn, tookMs: number | null): void {
    if (tookMs !== null) {
      const expectedMs = this.#expectedMs.get(turn.job) ?? COUNTED_MS_MAX;
      const moreMs = Math.min(tookMs, COUNTED_MS_MAX) - expectedMs;
      const share = moreMs < 0 ? LAST_SHARE.faster : LAST_SHARE.slower;
      this.#expectedMs.set(turn.job, expectedMs + moreMs * share);
    }
    if (this.#turns.delete(turn)) this.#hasMoved = true;
    else this.#waiting.delete(turn);
    this.#next();
  }

  #begin(turn: Turn): void {
    this.#turns.set(turn, this.#clock.now().monotonicMs);
    turn.begin();
  }

  #next(): void {
    for (const turn of this.#waiting) {
      if (this.#turns.size >= this.#atOnce) return;
      this.#waiting.delete(turn);
      this.#begin(turn);
    }
  }

  #late(): void {
    const nowMs = this.#clock.now().monotonicMs;
    const longestMs = this.#hasMoved ? TURN_MS_MAX.ever : TURN_MS_MAX.still;
    for (const [turn, sinceMs] of this.#turns) {
      if (nowMs - sinceMs >= longestMs) this.#turns.delete(turn);
    }
    this.#next();
    if (this.#waiting.size > 0) this.#arm();
  }

  #arm(): void {
    this.#hasMoved = false;
    this.#timer.set(this.#clock.now().monotonicMs + TURN_MS_MAX.still);
  }
}

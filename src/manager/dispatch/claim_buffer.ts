import type { Clock } from "../../platform/clock.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import type { RunningAttempt } from "./running.ts";

/** How long the claims that are held ahead should take to begin. */
const AHEAD_MS = 4;
/** How long one may wait until it is given back: what runs before it takes longer than what ended. */
const WAIT_MS_MAX = 25;
/** How long workers have nothing to do before claims are asked for earlier. */
const LATE_MS = 0.2;
/** Shortest time that a rate is measured in. */
const WINDOW_MS_MIN = 2;
/** Most claims held ahead. */
const AHEAD_MAX = 200;
/** Of a store that is slower than the workers so many times as much is asked for: each call costs it the same besides. */
const LATE_TIMES = 2;

/** A claim that waits for a free worker of this node. */
export interface WaitingClaim {
  readonly running: RunningAttempt;
  /** Monotonic ms at which its attempt must have ended. */
  readonly deadlineMs: number;
}

/**
 * Claims beyond the free workers, which begin as workers become free. As many as the workers end in some milliseconds, so none
 * where attempts take longer: then one transaction settles and claims many instead of one for each, and no worker waits for it.
 */
export class ClaimBuffer {
  readonly #clock: Clock;
  readonly #giveBack: (waiting: WaitingClaim) => void;
  readonly #waiting = new Map<string, WaitingClaim>();
  readonly #timer: LazyTimer;
  #windowMs: number | null = null;
  /** Since when no attempt runs; a wait for the store says nothing of how fast workers are. */
  #idleMs: number | null = null;
  /** Whether claims take longer than the attempts of those before them. */
  #isLate = false;
  #ended = 0;
  #most = 0;

  /** @param giveBack called with one that waited too long */
  constructor(clock: Clock, giveBack: (waiting: WaitingClaim) => void) {
    this.#clock = clock;
    this.#giveBack = giveBack;
    this.#timer = new LazyTimer(clock, () => this.#look());
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** How many should be held. */
  get most(): number {
    return this.#most;
  }

  /** Whether workers that end many have enough to do for now, with those that were given to them and wait there. */
  isEnough(handed: number): boolean {
    return this.#most > 0 && this.#waiting.size + handed > this.#most / 2;
  }

  /**
   * Claims arrived, and are not added yet: how many more to ask for before their attempts begin. None, unless workers had to wait for
   * these, and did not hold some when others arrived since.
   */
  arrived(): number {
    if (this.#waiting.size > 0) this.#isLate = false;
    else if (this.#idleMs !== null) {
      const idleMs = this.#clock.now().monotonicMs - this.#idleMs;
      if (idleMs >= LATE_MS) this.#isLate = true;
    }
    return this.#isLate ? this.#most * LATE_TIMES : 0;
  }

  /** The first attempt begins after none ran. */
  began(): void {
    if (this.#idleMs === null) return;
    this.#windowMs! += this.#clock.now().monotonicMs - this.#idleMs;
    this.#idleMs = null;
  }

  /** No attempt runs any more. */
  idle(): void {
    if (this.#windowMs !== null) this.#idleMs = this.#clock.now().monotonicMs;
  }

  /** An attempt has ended: how many end in a time tells how many to hold. */
  ended(): void {
    const nowMs = this.#clock.now().monotonicMs;
    this.#windowMs ??= nowMs;
    this.#ended += 1;
    const elapsedMs = nowMs - this.#windowMs;
    if (elapsedMs < WINDOW_MS_MIN) return;
    this.#most = Math.min(Math.floor(this.#ended / elapsedMs * AHEAD_MS), AHEAD_MAX);
    this.#windowMs = nowMs;
    this.#ended = 0;
  }

  add(waiting: WaitingClaim): void {
    this.#waiting.set(waiting.running.instance.id, waiting);
    if (this.#timer.dueMs === null) this.#timer.setIn(WAIT_MS_MAX);
  }

  /** The one that waited longest; null when there is none. */
  take(): WaitingClaim | null {
    for (const [id, waiting] of this.#waiting) {
      this.#waiting.delete(id);
      return waiting;
    }
    return null;
  }

  /** Take a certain one. */
  remove(running: RunningAttempt): boolean {
    return this.#waiting.delete(running.instance.id);
  }

  /** Give back all. */
  clear(): void {
    this.#timer.cancel();
    this.#most = 0;
    this.#isLate = false;
    for (let next = this.take(); next !== null; next = this.take()) this.#giveBack(next);
  }

  #look(): void {
    const claimedMs = this.#clock.now().monotonicMs - WAIT_MS_MAX;
    for (const waiting of [...this.#waiting.values()]) {
      if (waiting.running.startedMs > claimedMs) break;
      this.#most = 0;
      this.#waiting.delete(waiting.running.instance.id);
      this.#giveBack(waiting);
    }
    if (this.#waiting.size > 0) this.#timer.setIn(WAIT_MS_MAX / 2);
  }
}

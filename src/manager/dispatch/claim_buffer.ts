import type { Clock } from "../../platform/clock.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import type { RunningAttempt } from "./running_attempt.ts";

/** Work that the buffer should hold, in milliseconds. */
const AHEAD_MS = 4;
/** Longest wait of a claim before it is released: by then the attempts have become longer. */
const WAIT_MS_MAX = 25;
/** Idle time of the workers after which claims are requested earlier. */
const LATE_MS = 0.2;
/** Shortest time in which a rate is measured. */
const WINDOW_MS_MIN = 2;
/** Most claims in the buffer. */
const AHEAD_MAX = 200;
/** Times more claims per call when the store is slower than the workers: a call's cost is fixed. */
const LATE_TIMES = 2;

/** A claim that waits for a free worker of this node. */
export interface WaitingClaim {
  readonly running: RunningAttempt;
  /** Monotonic ms by which its attempt must have ended. */
  readonly deadlineMs: number;
}

/**
 * Claims beyond the free workers, which begin as workers become free. It holds a few milliseconds
 * of work: long attempts leave it empty. One transaction then settles and claims many instead of
 * one, and no worker waits for it.
 */
export class ClaimBuffer {
  readonly #clock: Clock;
  readonly #giveBack: (waiting: WaitingClaim) => void;
  /** The next to begin comes first: by priority, then in the order of the claims. */
  readonly #waiting: WaitingClaim[] = [];
  readonly #timer: LazyTimer;
  #windowMs: number | null = null;
  /** Start of the time without attempts: waits for the store do not count in the rate. */
  #idleMs: number | null = null;
  /** True if claims take longer than the attempts of the claims before them. */
  #isLate = false;
  #ended = 0;
  #most = 0;

  /** @param giveBack called with a claim that waited too long */
  constructor(clock: Clock, giveBack: (waiting: WaitingClaim) => void) {
    this.#clock = clock;
    this.#giveBack = giveBack;
    this.#timer = new LazyTimer(clock, () => this.#check());
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** Number of claims that the buffer should hold. */
  get most(): number {
    return this.#most;
  }

  /** True if workers with short attempts have enough to do, with `handed` in the executor. */
  isEnough(handed: number): boolean {
    return this.#most > 0 && this.#waiting.length + handed > this.#most / 2;
  }

  /**
   * Claims arrived, but are not added yet. Returns the number of further claims to request before
   * that: none unless workers had to wait for claims, and none if the buffer has not been empty
   * since.
   */
  arrived(): number {
    if (this.#waiting.length > 0) this.#isLate = false;
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

  /** An attempt has ended: the rate decides the number of claims to buffer. */
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
    const { priority } = waiting.running.instance;
    // Claims arrive in this order, unless an urgent instance was enqueued after the claim before.
    let at = this.#waiting.length;
    while (at > 0 && this.#waiting[at - 1]!.running.instance.priority > priority) at -= 1;
    if (at === this.#waiting.length) this.#waiting.push(waiting);
    else this.#waiting.splice(at, 0, waiting);
    if (this.#timer.dueMs === null) this.#timer.setIn(WAIT_MS_MAX);
  }

  /** Take the most urgent claim; null if empty. */
  take(): WaitingClaim | null {
    return this.#waiting.shift() ?? null;
  }

  /** Take this claim. Returns false if it is not here. */
  remove(running: RunningAttempt): boolean {
    const at = this.#waiting.findIndex((waiting) => waiting.running === running);
    if (at >= 0) this.#waiting.splice(at, 1);
    return at >= 0;
  }

  /** Release all. */
  clear(): void {
    this.#timer.cancel();
    this.#most = 0;
    this.#isLate = false;
    for (const waiting of this.#waiting.splice(0)) this.#giveBack(waiting);
  }

  // Released singly, the most urgent ones would wait in the store while others begin.
  #check(): void {
    const sinceMs = Math.min(...this.#waiting.map(({ running }) => running.startedMs));
    const leftMs = sinceMs + WAIT_MS_MAX - this.#clock.now().monotonicMs;
    if (leftMs <= 0) this.clear();
    else if (this.#waiting.length > 0) this.#timer.setIn(leftMs);
  }
}

import type { Clock, Timer } from "../../platform/clock.ts";
import type { Random } from "../../platform/random.ts";

/** Longest rest, in milliseconds, and the shortest that is worth a timer. */
const REST_MS_MAX = 20;
const REST_MS_MIN = 0.2;
/**
 * Consecutive commits after which an owner pauses for an owner that is further from the medium and
 * never first, and the shortest pause.
 */
const ROW_SHARED = 32;
const ROW_ALONE = 256;
const ROW_REST_MS_MIN = 5;
/**
 * After a commit that took this long, an owner pauses, too: follow-ups such as the renewal of a
 * claim would otherwise wait for a whole further commit.
 */
const SLOW_MS = 200;
/** Time for which another owner counts as active after a commit. */
const SHARED_MS = 60_000;

/** Gives other owners a chance: after its commit an owner pauses while others commit too. */
export class FairShare {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #over: () => void;
  #timer: Timer | null = null;
  #isContended = false;
  #heardMs = -Infinity;
  #row = 0;

  /** @param over called at the end of a pause */
  constructor(clock: Clock, random: Random, over: () => void) {
    this.#clock = clock;
    this.#random = random;
    this.#over = over;
  }

  get isResting(): boolean {
    return this.#timer !== null;
  }

  /** Another owner committed. */
  note(): void {
    this.#isContended = true;
    this.#heardMs = this.#clock.now().monotonicMs;
    this.#row = 0;
  }

  /** This owner's commit, sent at `sentMs`, was made: others need about the same time. */
  rest(sentMs: number): void {
    const nowMs = this.#clock.now().monotonicMs;
    const tookMs = nowMs - sentMs;
    this.#row += 1;
    const rowMax = nowMs - this.#heardMs < SHARED_MS ? ROW_SHARED : ROW_ALONE;
    if (this.#row >= rowMax) {
      this.#row = 0;
      this.#restFor(Math.max(ROW_REST_MS_MIN, 4 * tookMs));
    } else {
      const sharedMs = this.#isContended ? 2 * tookMs * this.#random.next() : 0;
      this.#restFor(tookMs < SLOW_MS ? sharedMs : REST_MS_MAX);
    }
    this.#isContended = false;
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #restFor(restMs: number): void {
    if (restMs < REST_MS_MIN) return;
    this.#timer = this.#clock.timer(Math.min(REST_MS_MAX, restMs), () => {
      this.#timer = null;
      this.#over();
    });
  }
}

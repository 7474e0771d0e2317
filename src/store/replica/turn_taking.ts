import type { Clock, Timer } from "../../platform/clock.ts";
import type { Random } from "../../platform/random.ts";

/** Longest rest, in milliseconds, and the shortest that is worth a timer. */
const REST_MS_MAX = 20;
const REST_MS_MIN = 0.2;

/** Lets other owners have their turn: who was first rests a while after its commit, as long as others commit too. */
export class TurnTaking {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #over: () => void;
  #timer: Timer | null = null;
  #isContended = false;

  /** @param over called at the end of a rest */
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
  }

  /** This owner committed, in `tookMs`: others need about as long. */
  rest(tookMs: number): void {
    if (!this.#isContended) return;
    this.#isContended = false;
    const restMs = Math.min(REST_MS_MAX, 2 * tookMs * this.#random.next());
    if (restMs < REST_MS_MIN) return;
    this.#timer = this.#clock.timer(restMs, () => {
      this.#timer = null;
      this.#over();
    });
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }
}

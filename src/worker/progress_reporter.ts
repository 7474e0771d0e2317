import type { Progress } from "../core/instance.ts";
import type { Clock } from "../platform/clock.ts";
import { LazyTimer } from "../platform/lazy_timer.ts";

/** Shortest time between two reports of one attempt. */
const INTERVAL_MS = 500;

/** Passes on the progress of a job: the first and the last report, and at most two a second. */
export class ProgressReporter {
  readonly #timer: LazyTimer;
  readonly #passOn: (progress: Progress) => void;
  #waiting: Progress | null = null;

  constructor(clock: Clock, passOn: (progress: Progress) => void) {
    this.#timer = new LazyTimer(clock, () => this.#send());
    this.#passOn = passOn;
  }

  report(progress: Progress): void {
    this.#waiting = progress;
    if (this.#timer.dueMs === null) this.#send();
  }

  /** Forward the last report; call nothing after that. */
  finish(): void {
    this.#timer.cancel();
    if (this.#waiting !== null) this.#passOn(this.#waiting);
    this.#waiting = null;
  }

  #send(): void {
    if (this.#waiting === null) return;
    this.#passOn(this.#waiting);
    this.#waiting = null;
    this.#timer.setIn(INTERVAL_MS);
  }
}

/** Read the progress that job code reports; null if it is meaningless. */
export function readProgress(done: unknown, total: unknown): Progress | null {
  const isNumber = (value: unknown): value is number =>
    typeof value === "number" && Number.isFinite(value) && value >= 0;
  if (!isNumber(done)) return null;
  if (total === undefined || total === null) return { done, total: null };
  return isNumber(total) ? { done, total } : null;
}

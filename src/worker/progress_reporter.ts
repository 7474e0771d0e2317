import type { Progress } from "../core/instance.ts";
import type { Timer } from "../platform/clock.ts";

/** Shortest time between two reports of one attempt. */
const INTERVAL_MS = 500;

/** Surroundings of a reporter. */
export interface ProgressHost {
  timer(delayMs: number, callback: () => void): Timer;
  progress(progress: Progress): void;
}

/** Passes on the progress of a job: the first and the last report, and at most two a second. */
export class ProgressReporter {
  readonly #host: ProgressHost;
  #waiting: Progress | null = null;
  #timer: Timer | null = null;

  constructor(host: ProgressHost) {
    this.#host = host;
  }

  report(progress: Progress): void {
    this.#waiting = progress;
    if (this.#timer === null) this.#send();
  }

  /** Pass on the last report; call nothing after that. */
  finish(): void {
    this.#timer?.cancel();
    if (this.#waiting !== null) this.#host.progress(this.#waiting);
    this.#waiting = null;
  }

  #send(): void {
    this.#timer = null;
    if (this.#waiting === null) return;
    this.#host.progress(this.#waiting);
    this.#waiting = null;
    this.#timer = this.#host.timer(INTERVAL_MS, () => this.#send());
  }
}

/** Read the progress that job code reports; null if it makes no sense. */
export function readProgress(done: unknown, total: unknown): Progress | null {
  const isNumber = (value: unknown): value is number =>
    typeof value === "number" && Number.isFinite(value) && value >= 0;
  if (!isNumber(done)) return null;
  if (total === undefined || total === null) return { done, total: null };
  return isNumber(total) ? { done, total } : null;
}

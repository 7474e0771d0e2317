import type { Progress } from "../core/instance.ts";
import type { Timer } from "../platform/clock.ts";

/** Shortest time between two reports of one attempt. */
const INTERVAL_MS = 500;

/** What a reporter works with. */
export interface ProgressHost {
  timer(delayMs: number, callback: () => void): Timer;
  progress(progress: Progress): void;
}

/** Passes on how far a job is: at once at first, then twice a second at most, and the last one always. */
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

  /** Pass on what waits; nothing comes after that. */
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

/** Read what job code says of its progress; null when it makes no sense. */
export function readProgress(done: unknown, total: unknown): Progress | null {
  const isNumber = (value: unknown): value is number =>
    typeof value === "number" && Number.isFinite(value) && value >= 0;
  if (!isNumber(done)) return null;
  if (total === undefined || total === null) return { done, total: null };
  return isNumber(total) ? { done, total } : null;
}

import type { Clock } from "../../platform/clock.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import type { GuardMessage } from "../protocol.ts";

/** Longest time that an idle worker's guard may keep the limit of the last attempt. */
const CLEAR_AFTER_MS = 200;

/**
 * The daemon's end of the line to a worker's guard.
 *
 * The guard's limit may be too early, never too late. So a shorter limit is sent at once, and a
 * longer one at half of the guard's time: thousands of short attempts cost one message.
 */
export class GuardLine {
  readonly #clock: Clock;
  readonly #write: (line: string) => void;
  readonly #timer: LazyTimer;
  #wantedMs: number | null = null;
  #sentMs: number | null = null;

  constructor(clock: Clock, write: (line: string) => void) {
    this.#clock = clock;
    this.#write = write;
    this.#timer = new LazyTimer(clock, () => this.#send());
  }

  /** Job code must have ended by this monotonic time; null if none runs. */
  set(deadlineMs: number | null): void {
    this.#wantedMs = deadlineMs;
    const sentMs = this.#sentMs;
    if (sentMs === deadlineMs) return;
    if (sentMs === null || (deadlineMs !== null && deadlineMs < sentMs)) return this.#send();
    const nowMs = this.#clock.now().monotonicMs;
    const halfMs = nowMs + (sentMs - nowMs) / 2;
    const laterMs = deadlineMs === null ? Math.min(halfMs, nowMs + CLEAR_AFTER_MS) : halfMs;
    if (laterMs - nowMs < 1) this.#send();
    else this.#timer.setBy(laterMs);
  }

  close(): void {
    this.#timer.cancel();
  }

  #send(): void {
    this.#timer.set(null);
    if (this.#sentMs === this.#wantedMs) return;
    this.#sentMs = this.#wantedMs;
    const untilMs = this.#wantedMs === null
      ? null
      : Math.max(0, this.#wantedMs - this.#clock.now().monotonicMs);
    this.#write(JSON.stringify({ untilMs } satisfies GuardMessage) + "\n");
  }
}

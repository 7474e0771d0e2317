import type { Clock, Timer } from "../platform/clock.ts";
import type { Logger } from "../platform/logger.ts";

/** How much longer than its drain a stop may take, and how long one that was asked for again. */
const REST_MS = 5_000;
const AGAIN_MS = 2_000;

interface StopLimitOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** What the stop waits for. */
  readonly waitsFor: () => string;
  /** Kill at once what runs. */
  readonly kill: () => void;
  /** End the process. */
  readonly exit: (code: number) => void;
}

/**
 * The last resort of a stop: no part of the daemon can keep the process alive for longer than its
 * drain and 5 s, or than 2 s once the stop was asked for again.
 */
export class StopLimit {
  readonly #options: StopLimitOptions;
  #timer: Timer | null = null;
  #beganMs = 0;
  #isStopped = false;

  constructor(options: StopLimitOptions) {
    this.#options = options;
  }

  /** A stop with this much time for what runs has begun, or begins anew. */
  begin(drainMs: number): void {
    if (this.#timer === null) this.#beganMs = this.#options.clock.now().monotonicMs;
    this.#set(drainMs + REST_MS);
  }

  /** The stop was asked for again. */
  hurry(): void {
    this.#set(AGAIN_MS);
  }

  /** All parts have stopped: now the process ends by itself, if none of them still holds it. */
  stopped(): void {
    this.#isStopped = true;
    this.#set(AGAIN_MS);
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #set(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.timer(delayMs, () => this.#end(), { unref: true });
  }

  #end(): void {
    const { clock, logger, waitsFor, kill, exit } = this.#options;
    if (this.#isStopped) return exit(0);
    const seconds = Math.round((clock.now().monotonicMs - this.#beganMs) / 1_000);
    try {
      logger.error("The daemon did not stop in time: killing it and everything that it runs", {
        seconds,
        waits_for: waitsFor(),
        hint: "What was not recorded is taken back at the next start",
      });
      kill();
    } finally {
      exit(1);
    }
  }
}

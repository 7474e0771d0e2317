import type { Clock } from "../../../platform/clock.ts";
import type { Logger } from "../../../platform/logger.ts";

/** A server that is away is told of again after this long. */
const AGAIN_MS = 30_000;
/** Least time between two lines. */
const LINE_MS = 1_000;

/** Tells in the daemon's log when the server is lost and found: at most one line a second, however often that is. */
export class TroubleLog {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #location: string;
  #lostAt: number | null = null;
  #toldAt = -Infinity;
  #told: string | null = null;

  constructor(logger: Logger, clock: Clock, location: string) {
    this.#logger = logger;
    this.#clock = clock;
    this.#location = location;
  }

  lost(reason: string): void {
    const now = this.#clock.now().monotonicMs;
    this.#lostAt ??= now;
    const isNews = reason !== this.#told || now - this.#toldAt >= AGAIN_MS;
    if (!isNews || now - this.#toldAt < LINE_MS) return;
    this.#toldAt = now;
    this.#told = reason;
    this.#logger.warn("The store's server is out of reach; trying again", {
      store: this.#location,
      error: reason,
      seconds: Math.round((now - this.#lostAt) / 1_000),
    });
  }

  found(): void {
    const now = this.#clock.now().monotonicMs;
    const lostAt = this.#lostAt;
    this.#lostAt = null;
    if (this.#told === null || lostAt === null || now - this.#toldAt < LINE_MS) return;
    this.#told = null;
    this.#toldAt = now;
    this.#logger.info("The store's server answers again", {
      store: this.#location,
      seconds: Math.round((now - lostAt) / 1_000),
    });
  }

  /** The server that was found is another one than before, or was started again. */
  changed(): void {
    this.#logger.warn(
      "The store's server is another one than before, or was started again: what was acknowledged last may be lost",
      { store: this.#location },
    );
  }
}

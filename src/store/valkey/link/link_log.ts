import type { Clock } from "../../../platform/clock.ts";
import type { Logger } from "../../../platform/logger.ts";

/** An unreachable server is logged again after this long. */
const AGAIN_MS = 30_000;
/** Least time between two log lines. */
const LINE_MS = 1_000;

/** Logs when the server is lost and found, at most one line a second. */
export class LinkLog {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #location: string;
  #lostAt: number | null = null;
  #loggedAt = -Infinity;
  #logged: string | null = null;

  constructor(logger: Logger, clock: Clock, location: string) {
    this.#logger = logger;
    this.#clock = clock;
    this.#location = location;
  }

  lost(reason: string): void {
    const now = this.#clock.now().monotonicMs;
    this.#lostAt ??= now;
    const isNews = reason !== this.#logged || now - this.#loggedAt >= AGAIN_MS;
    if (!isNews || now - this.#loggedAt < LINE_MS) return;
    this.#loggedAt = now;
    this.#logged = reason;
    this.#logger.warn("Cannot reach the store's server; trying again", {
      store: this.#location,
      error: reason,
      seconds: Math.round((now - this.#lostAt) / 1_000),
    });
  }

  found(): void {
    const now = this.#clock.now().monotonicMs;
    const lostAt = this.#lostAt;
    this.#lostAt = null;
    if (this.#logged === null || lostAt === null || now - this.#loggedAt < LINE_MS) return;
    this.#logged = null;
    this.#loggedAt = now;
    this.#logger.info("The store's server responds again", {
      store: this.#location,
      seconds: Math.round((now - lostAt) / 1_000),
    });
  }

  /** Log that the server was restarted or replaced. */
  changed(): void {
    this.#logger.warn(
      "The store's server was restarted or replaced: the last acknowledged writes may be lost",
      { store: this.#location },
    );
  }
}

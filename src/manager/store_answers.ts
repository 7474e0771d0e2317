import { toJobError } from "../core/errors.ts";
import type { Logger } from "../platform/logger.ts";

/** First and longest wait after the store refused, in milliseconds. */
const RETRY_MS = { first: 50, longest: 2_000 } as const;

/** Keeps account of whether the store answers, tells it on, and says how long to wait before the next try. */
export class StoreAnswers {
  readonly #logger: Logger;
  readonly #tell: (problem: string | null) => void;
  #retryMs: number = RETRY_MS.first;

  /** @param tell called with null when the store answers, else with what it said */
  constructor(logger: Logger, tell: (problem: string | null) => void) {
    this.#logger = logger;
    this.#tell = tell;
  }

  answered(): void {
    this.#retryMs = RETRY_MS.first;
    this.#tell(null);
  }

  /** @param action what was to be done, after "Cannot" */
  failed(error: unknown, action: string): void {
    const known = toJobError(error, `Cannot ${action}`);
    this.#tell(known.message);
    // A store that is away is logged once, by whoever is told; anything else is news each time.
    if (known.code === "unavailable" || known.code === "resource_exhausted") return;
    this.#logger.error(`The store refused to ${action}`, { error: known.message });
  }

  /** Wait before the next try, in milliseconds: twice as long each time until the store answers. */
  backoff(): number {
    const delayMs = this.#retryMs;
    this.#retryMs = Math.min(delayMs * 2, RETRY_MS.longest);
    return delayMs;
  }
}

import { toJobError } from "../../core/errors.ts";
import type { SecretMask } from "../../core/text/secret_mask.ts";
import type { Logger } from "../../platform/logger.ts";

/** First and longest wait after the store refused, in milliseconds. */
const RETRY_MS = { first: 50, longest: 2_000 } as const;

/** What the manager asks of the store again and again, as it is said after "Cannot". */
export type StoreAction =
  | "claim"
  | "settle"
  | "renew"
  | "write the log"
  | "advance the schedules"
  | "report";

/**
 * Keeps account of whether the store answers, logs when that changes, and says how long to wait before the next try.
 *
 * A store that is full still answers what writes nothing: what failed is a problem until the same succeeds.
 */
export class StoreHealth {
  readonly #logger: Logger;
  readonly #mask: SecretMask | undefined;
  readonly #failing = new Set<StoreAction>();
  #retryMs: number = RETRY_MS.first;
  #problem: string | null = null;

  constructor(logger: Logger, mask?: SecretMask) {
    this.#logger = logger;
    this.#mask = mask;
  }

  /** What the store said; null while it answers. */
  get problem(): string | null {
    return this.#problem;
  }

  /** It was done, or need not be done any more. */
  succeeded(action: StoreAction): void {
    this.#failing.delete(action);
    // An outcome carries the lines that could not be written before.
    if (action === "settle") this.#failing.delete("write the log");
    if (this.#failing.size > 0) return;
    this.#retryMs = RETRY_MS.first;
    if (this.#problem !== null) this.#logger.info("The store answers again");
    this.#problem = null;
  }

  failed(error: unknown, action: StoreAction): void {
    this.#failing.add(action);
    const known = toJobError(error, `Cannot ${action}`);
    const isAway = known.code === "unavailable" || known.code === "resource_exhausted";
    // A store that is away is logged once; anything else is news each time.
    if (!isAway) {
      this.#logger.error(`The store refused to ${action}`, { error: known.message });
    } else if (this.#problem === null) {
      this.#logger.error("The store does not answer; trying again", { error: known.message });
    }
    this.#problem = this.#mask?.text(known.message) ?? known.message;
  }

  /** Wait before the next try, in milliseconds: twice as long each time until the store answers. */
  backoff(): number {
    const delayMs = this.#retryMs;
    this.#retryMs = Math.min(delayMs * 2, RETRY_MS.longest);
    return delayMs;
  }
}

import { type Backoff, backoffMs } from "../../core/backoff.ts";
import { toJobError } from "../../core/errors.ts";
import type { SecretMask } from "../../core/text/secret_mask.ts";
import type { Logger } from "../../platform/logger.ts";

/** Waits after the store refused. */
const RETRY: Backoff = { firstMs: 50, longestMs: 2_000 };

/** Retried store calls, as worded after "Cannot". */
export type StoreAction =
  | "claim"
  | "settle"
  | "renew"
  | "write the log"
  | "advance the schedules"
  | "report"
  | "look at the files";

/**
 * Tracks whether the store responds, logs changes of that, and spaces retries.
 *
 * A full store still answers reads, so a failed action is a problem until the same action succeeds.
 */
export class StoreHealth {
  readonly #logger: Logger;
  readonly #mask: SecretMask | undefined;
  readonly #failing = new Set<StoreAction>();
  /**
   * Called when the store stops responding, and with null when it responds again. Called again once
   * it is certain that it cannot recover alone.
   */
  onChange: ((problem: string | null, isCertain: boolean) => void) | null = null;
  #retries = 0;
  #problem: string | null = null;

  constructor(logger: Logger, mask?: SecretMask) {
    this.#logger = logger;
    this.#mask = mask;
  }

  /** The error of the store; null while it responds. */
  get problem(): string | null {
    return this.#problem;
  }

  /** True if people have to put it right. */
  get isCertain(): boolean {
    return this.#failing.has("look at the files");
  }

  /** The action succeeded, or is no longer needed. */
  succeeded(action: StoreAction): void {
    this.#failing.delete(action);
    // An outcome includes earlier unwritten lines.
    if (action === "settle") this.#failing.delete("write the log");
    if (this.#failing.size > 0) return;
    this.#retries = 0;
    if (this.#problem === null) return;
    this.#logger.info("The store responds again");
    this.#problem = null;
    this.onChange?.(null, true);
  }

  failed(error: unknown, action: StoreAction): void {
    const isCertain = action === "look at the files" && !this.#failing.has(action);
    this.#failing.add(action);
    const known = toJobError(error, `Cannot ${action}`);
    const isAway = known.code === "unavailable" || known.code === "resource_exhausted";
    // An unreachable store is logged once; any other error each time.
    if (isCertain) this.#logger.error(known.message);
    else if (!isAway) {
      this.#logger.error(`The store refused to ${action}`, { error: known.message });
    } else if (this.#problem === null) {
      this.#logger.error("The store does not respond; trying again", { error: known.message });
    }
    const isNew = this.#problem === null;
    this.#problem = this.#mask?.text(known.message) ?? known.message;
    if (isNew || isCertain) this.onChange?.(this.#problem, isCertain);
  }

  /** Wait before the next try, in milliseconds; it doubles until the store responds. */
  backoff(): number {
    return backoffMs(RETRY, this.#retries++);
  }
}

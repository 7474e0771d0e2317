import { formatDuration } from "../../core/time/duration.ts";
import { toJobError } from "../../core/errors.ts";
import type { Clock, Timer } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import type { Store } from "../../store/store.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Registry } from "../registry.ts";

/** How often to check whether all workers are busy. */
const LOOK_EVERY_MS = 10_000;
/** How long they must be busy before it is logged. */
const FULL_MS = 60_000;

/** What it checks. */
interface FullWorkersOptions {
  readonly store: Store;
  readonly registry: Registry;
  readonly dispatcher: Dispatcher;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly node: string;
}

/**
 * Notices when all workers of this node stay busy while an instance waits for one, for example because attempts hang. Logs once
 * which attempt has run the longest.
 */
export class FullWorkers {
  readonly #options: FullWorkersOptions;
  #timer: Timer | null = null;
  /** Monotonic ms. */
  #sinceMs: number | null = null;
  #isSaid = false;

  constructor(options: FullWorkersOptions) {
    this.#options = options;
  }

  /** How long this has lasted, in milliseconds; null if it does not. */
  get fullMs(): number | null {
    return this.#sinceMs === null ? null : this.#options.clock.now().monotonicMs - this.#sinceMs;
  }

  /** All workers are busy now: check whether they stay busy. */
  expect(): void {
    if (this.#timer === null) this.#arm();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#forget();
  }

  // No timer runs until all workers are busy again.
  #forget(): void {
    this.#timer = null;
    this.#sinceMs = null;
    this.#isSaid = false;
  }

  #arm(): void {
    const timer = this.#options.clock.timer(LOOK_EVERY_MS, () => {
      void this.#look().finally(() => {
        // It may have been stopped, and started again, meanwhile.
        if (this.#timer === timer) this.#arm();
      });
    }, { unref: true });
    this.#timer = timer;
  }

  async #look(): Promise<void> {
    const { clock, logger } = this.#options;
    const timer = this.#timer;
    let isWaiting: boolean;
    try {
      isWaiting = this.#isFull && await this.#hasDue();
    } catch (error) {
      // The next check comes soon, and claiming logs what is wrong with the store.
      return logger.debug(toJobError(error, "Cannot check for waiting instances").message);
    }
    if (this.#timer !== timer) return;
    if (!isWaiting) {
      if (this.#isSaid) logger.info("A worker is free again");
      this.#forget();
      // Work may arrive while they stay busy.
      return this.#isFull ? this.#arm() : undefined;
    }
    this.#sinceMs ??= clock.now().monotonicMs;
    if (this.fullMs! >= FULL_MS && !this.#isSaid) this.#say();
  }

  get #isFull(): boolean {
    const { busy, count } = this.#options.dispatcher;
    return count > 0 && busy >= count;
  }

  /** True if a due instance could run in another worker. */
  async #hasDue(): Promise<boolean> {
    const { store, registry, clock, node } = this.#options;
    const { limits, kindsBySlot: { taking: kinds } } = registry;
    const { at, instanceAt } = await store.nextDue({ at: clock.now(), node, kinds, limits });
    return instanceAt !== null && instanceAt <= at;
  }

  #say(): void {
    const { dispatcher, clock, logger } = this.#options;
    const { oldest, count } = dispatcher;
    this.#isSaid = true;
    if (oldest === null) return;
    const ranMs = Math.round(clock.now().monotonicMs - oldest.startedMs);
    const { kind, id: instance } = oldest.instance;
    const running = formatDuration(ranMs - ranMs % 1_000);
    const message =
      `${
        count === 1 ? "The only worker has" : `All ${count} workers have`
      } been busy for a minute while instances wait. The ` +
      `oldest run is ${instance} of job "${kind}", for ${running}`;
    const hint = "Cancel it if it hangs, give its job a timeout, or raise worker.count";
    logger.warn(message, { kind, instance, hint });
  }
}

import { formatDuration } from "../../core/time/duration.ts";
import { toJobError } from "../../core/errors.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { PartContext } from "../context/part_context.ts";

/** Interval between checks whether all workers are busy. */
const LOOK_EVERY_MS = 10_000;
/** Time for which they must be busy before it is logged. */
const FULL_MS = 60_000;

interface FullWorkersOptions
  extends Pick<PartContext, "store" | "clock" | "logger" | "node" | "registry"> {
  readonly dispatcher: Dispatcher;
  /** Called with the logged text, and with null when a worker is free again. */
  readonly notify: (detail: string | null) => void;
}

/**
 * Notices when all workers of this node stay busy while an instance waits for one, for example
 * because attempts hang. Logs the longest-running attempt once.
 */
export class FullWorkers {
  readonly #options: FullWorkersOptions;
  readonly #timer: LazyTimer;
  /** No timer runs until all workers are busy. */
  #isWatching = false;
  /** Monotonic ms. */
  #sinceMs: number | null = null;
  #isLogged = false;

  constructor(options: FullWorkersOptions) {
    this.#options = options;
    this.#timer = new LazyTimer(options.clock, () => void this.#look());
  }

  /** Time for which all workers have been busy, in milliseconds; null if one is free. */
  get fullMs(): number | null {
    return this.#sinceMs === null ? null : this.#options.clock.now().monotonicMs - this.#sinceMs;
  }

  /** All workers are busy now: check whether they stay busy. */
  expect(): void {
    if (this.#isWatching) return;
    this.#isWatching = true;
    this.#timer.setIn(LOOK_EVERY_MS);
  }

  stop(): void {
    this.#timer.cancel();
    this.#isWatching = false;
    this.#sinceMs = null;
    this.#isLogged = false;
  }

  async #look(): Promise<void> {
    const isStuck = await this.#isStuck();
    // It may have been stopped, or restarted, meanwhile.
    if (!this.#isWatching || this.#timer.dueMs !== null) return;
    if (isStuck === false) {
      if (this.#isLogged) {
        this.#options.logger.info("A worker is free again");
        this.#options.notify(null);
      }
      this.stop();
      // Work may arrive while they stay busy.
      if (this.#isFull) this.expect();
      return;
    }
    if (isStuck) this.#noteFull();
    this.#timer.setIn(LOOK_EVERY_MS);
  }

  get #isFull(): boolean {
    const { busy, count } = this.#options.dispatcher;
    return count > 0 && busy >= count;
  }

  /** True if a due instance waits for a worker; null if the store does not answer. */
  async #isStuck(): Promise<boolean | null> {
    if (!this.#isFull) return false;
    const { store, registry, clock, node, logger, dispatcher } = this.#options;
    const { limits } = registry;
    const { taking: kinds } = registry.kindsBySlot(dispatcher.count);
    try {
      const { at, instanceAt } = await store.nextDue({ at: clock.now(), node, kinds, limits });
      return instanceAt !== null && instanceAt <= at;
    } catch (error) {
      // The next check comes soon, and claiming logs errors of the store.
      logger.debug(toJobError(error, "Cannot check for waiting instances").message);
      return null;
    }
  }

  #noteFull(): void {
    const { dispatcher: { oldest, count }, clock, logger } = this.#options;
    const { monotonicMs } = clock.now();
    this.#sinceMs ??= monotonicMs;
    if (this.fullMs! < FULL_MS || this.#isLogged) return;
    this.#isLogged = true;
    if (oldest === null) return;
    const ranMs = Math.round(monotonicMs - oldest.startedMs);
    const { kind, id: instance } = oldest.instance;
    const workers = count === 1 ? "The only worker has" : `All ${count} workers have`;
    const running = formatDuration(ranMs - ranMs % 1_000);
    const message = `${workers} been busy for a minute while instances wait. ` +
      `The oldest run is ${instance} of job "${kind}", for ${running}`;
    logger.warn(message, {
      kind,
      instance,
      hint: "Cancel it if it hangs, give its job a timeout, or raise worker.count",
    });
    this.#options.notify(message);
  }
}

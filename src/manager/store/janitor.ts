import { toJobError } from "../../core/errors.ts";
import type { Clock, Timer } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import type { Store } from "../../store/store.ts";
import type { Events } from "../events.ts";

const RETAIN_EVERY_MS = 60_000;
/** Small batches with a pause between them: claims wait for none of them long. */
const BATCH = 250;
const BETWEEN_BATCHES_MS = 20;

/** Takes back what lost its lease, and deletes what is past its retention. */
export class Janitor {
  readonly #store: Store;
  readonly #events: Events;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #leaseMs: number;
  readonly #reapEveryMs: number;
  readonly #reaped: () => void;
  readonly #everyMinute: () => Promise<void>;
  readonly #timers = new Map<string, Timer>();
  readonly #arms = new Map<string, (delayMs: number) => void>();
  #isStarted = false;

  constructor(
    options: {
      readonly store: Store;
      readonly events: Events;
      readonly clock: Clock;
      readonly logger: Logger;
      readonly leaseMs: number;
      /** Called when instances are due again. */
      readonly reaped: () => void;
      /** Called every minute, so that other checks need no timer of their own. */
      readonly everyMinute: () => Promise<void>;
    },
  ) {
    this.#store = options.store;
    this.#events = options.events;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#leaseMs = options.leaseMs;
    this.#reapEveryMs = Math.min(2_000, options.leaseMs / 3);
    this.#reaped = options.reaped;
    this.#everyMinute = options.everyMinute;
  }

  start(): void {
    this.#isStarted = true;
    this.#every("reap", () => this.#reapAfterMs(), () => this.#reap());
    this.#every("retain", () => RETAIN_EVERY_MS, () => this.#retain());
  }

  stop(): void {
    this.#isStarted = false;
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  /** Reap now rather than at the next turn. */
  poke(): void {
    this.#arms.get("reap")?.(0);
  }

  // An idle node wakes seldom. What is claimed meanwhile holds for a lease; of deadlines the store tells. Never at the very end
  // of a lease, where its renewal may be on its way.
  #reapAfterMs(): number {
    const quietMs = this.#store.quietMs?.(this.#clock.now()) ?? 0;
    return this.#reapEveryMs + Math.min(quietMs, this.#leaseMs);
  }

  #every(name: string, periodMs: () => number, work: () => Promise<boolean>): void {
    const run = async () => {
      let hasMore = false;
      try {
        hasMore = await work();
      } catch (error) {
        const known = toJobError(error, `Cannot ${name}`);
        if (known.code !== "unavailable") this.#logger.warn(known.message);
      }
      arm(hasMore ? BETWEEN_BATCHES_MS : periodMs());
    };
    const arm = (delayMs: number) => {
      if (!this.#isStarted) return;
      // A run from before a stop may end after the next start.
      this.#timers.get(name)?.cancel();
      this.#timers.set(name, this.#clock.timer(delayMs, () => void run(), { unref: true }));
    };
    this.#arms.set(name, arm);
    arm(periodMs());
  }

  async #reap(): Promise<boolean> {
    const { value, at } = await this.#store.reap({ at: this.#clock.now(), limit: BATCH });
    for (const instance of value) {
      const isLate = instance.reason === "deadline";
      const what = isLate
        ? "An instance passed its deadline"
        : "An instance lost its worker and was taken back";
      this.#logger.warn(what, {
        kind: instance.kind,
        instance: instance.id,
        state: instance.state,
        crashes: instance.crashes,
      });
      this.#events.failed(instance, at);
    }
    if (value.length > 0) this.#reaped();
    return value.length === BATCH;
  }

  async #retain(): Promise<boolean> {
    const { value } = await this.#store.retain({ at: this.#clock.now(), limit: BATCH });
    // It deletes fewer at once if they are large.
    const hasMore = value.length > 0;
    if (!hasMore) await this.#everyMinute();
    return hasMore;
  }
}

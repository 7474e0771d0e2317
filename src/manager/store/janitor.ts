import { toJobError } from "../../core/errors.ts";
import { formatDuration } from "../../core/time/duration.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import type { PartContext } from "../context/part_context.ts";
import { ClockTrust } from "./clock_trust.ts";

const RETAIN_EVERY_MS = 60_000;
/** Small batches with a pause between them, so that claims never wait long for one. */
const BATCH = 250;
const BETWEEN_BATCHES_MS = 20;
const NO_KINDS: ReadonlySet<string> = new Set();

interface JanitorOptions
  extends Pick<PartContext, "store" | "clock" | "logger" | "leaseMs" | "events" | "due"> {
  /** Called every minute, for other checks; `canDelete` is false while the clock may be wrong. */
  readonly everyMinute: (canDelete: boolean) => Promise<void>;
  /** Called every few seconds with the recorded time of the store, and the time now, epoch ms. */
  readonly noteRecorded: (recordedMs: number, nowMs: number) => void;
}

/** Takes back instances whose lease has expired, and deletes those past their retention. */
export class Janitor {
  readonly #options: JanitorOptions;
  readonly #reapTimer: LazyTimer;
  readonly #retainTimer: LazyTimer;
  readonly #trust = new ClockTrust();
  #isStarted = false;

  constructor(options: JanitorOptions) {
    this.#options = options;
    this.#reapTimer = this.#repeat("reap", () => this.#reap(), () => this.#reapAfterMs());
    this.#retainTimer = this.#repeat("retain", () => {
      // Reap at the same time, as this thread is awake; this also follows changes of the wall
      // clock.
      return this.#retain().finally(() => this.poke());
    }, () => RETAIN_EVERY_MS);
  }

  /** Compare the clock with the store, before this daemon writes anything into it. */
  async prepare(): Promise<void> {
    const { items: [newest] } = await this.#options.store.list({}, { limit: 1, order: "newest" });
    if (newest) this.#trust.begin(newest.createdAt, this.#options.clock.now().monotonicMs);
  }

  start(): void {
    this.#isStarted = true;
    this.#arm(this.#reapTimer, this.#reapAfterMs());
    this.#arm(this.#retainTimer, RETAIN_EVERY_MS);
  }

  stop(): void {
    this.#isStarted = false;
    this.#reapTimer.cancel();
    this.#retainTimer.cancel();
  }

  /** Reap now. */
  poke(): void {
    this.#arm(this.#reapTimer, 0);
  }

  /** The store has claims again: reap when their lease may have expired. */
  claimed(): void {
    const { leaseMs } = this.#options;
    if (this.#isStarted) this.#reapTimer.setWithin(this.#marginMs + leaseMs);
  }

  /** Never at the very end of a lease, when its renewal may be under way. */
  get #marginMs(): number {
    return Math.min(2_000, this.#options.leaseMs / 3);
  }

  #arm(timer: LazyTimer, delayMs: number): void {
    if (this.#isStarted) timer.setIn(delayMs);
  }

  // An idle node with a private store wakes once a minute: the store reports claims and deadlines.
  #reapAfterMs(): number {
    const { store, clock } = this.#options;
    return this.#marginMs + (store.quietMs?.(clock.now()) ?? 0);
  }

  /** @param work returns true if there is more to do at once */
  #repeat(action: string, work: () => Promise<boolean>, pauseMs: () => number): LazyTimer {
    const { clock, logger } = this.#options;
    const timer = new LazyTimer(clock, async () => {
      const hasMore = await work().catch((error: unknown) => {
        const known = toJobError(error, `Cannot ${action}`);
        if (known.code !== "unavailable") logger.warn(known.message);
        return false;
      });
      this.#arm(timer, hasMore ? BETWEEN_BATCHES_MS : pauseMs());
    });
    return timer;
  }

  async #reap(): Promise<boolean> {
    const { store, clock, logger, events, due, noteRecorded } = this.#options;
    const { value, at } = await store.reap({ at: clock.now(), limit: BATCH });
    noteRecorded(at, clock.now().wallMs);
    for (const instance of value) {
      const { kind, id, state, crashes } = instance;
      const message = instance.reason === "deadline"
        ? "An instance passed its deadline"
        : "An instance lost its worker and was taken back";
      logger.warn(message, { kind, instance: id, state, crashes });
      events.failed(instance, at);
    }
    if (value.length > 0) due();
    return value.length === BATCH;
  }

  async #retain(): Promise<boolean> {
    const { store, clock, logger, everyMinute } = this.#options;
    const at = clock.now();
    // The clock that decides expiry.
    const { at: wallMs } = await store.nextDue({ at, kinds: NO_KINDS });
    const now = { wallMs, monotonicMs: at.monotonicMs };
    const jumpMs = this.#trust.jumped(now);
    if (jumpMs > 0) {
      logger.info("The clock is far ahead of the store's: nothing is deleted for ten minutes", {
        by: formatDuration(Math.round(jumpMs / 1_000) * 1_000),
      });
    }
    if (!this.#trust.isTrusted(now)) {
      await everyMinute(false);
      return false;
    }
    const { value } = await store.retain({ at, limit: BATCH });
    // A batch of large instances is smaller.
    const hasMore = value.length > 0;
    if (!hasMore) await everyMinute(true);
    return hasMore;
  }
}

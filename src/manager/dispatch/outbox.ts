import { isJobError } from "../../core/errors.ts";
import type { LogEntry } from "../../core/instance.ts";
import type { Settlement, SettleResult } from "../../store/store.ts";
import type { RunningAttempt } from "./running_attempt.ts";
import type { PartContext } from "../context/part_context.ts";

/** Most settlements of one request. */
const SETTLE_MAX = 500;

interface Outcome {
  readonly running: RunningAttempt;
  readonly settlement: Settlement;
}

/** The dependencies of an outbox, and its callbacks. */
export interface OutboxOptions
  extends Pick<PartContext, "store" | "clock" | "node" | "storeHealth"> {
  /** Called after the commit, with its log lines. */
  readonly settled: (
    running: RunningAttempt,
    result: SettleResult,
    at: number,
    logs: readonly LogEntry[],
  ) => void;
  /** Called before each retry. Returns false to drop the outcome. */
  readonly mustKeep: (running: RunningAttempt) => boolean;
}

/** Sends outcomes to the store, and retries until it has them: a full disk must lose none. */
export class Outbox {
  readonly #options: OutboxOptions;
  #waiting: Outcome[] = [];

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Keep an outcome for the next {@link send}. */
  add(running: RunningAttempt, settlement: Settlement): void {
    this.#waiting.push({ running, settlement });
  }

  /** Send everything added since the last time. */
  send(): void {
    const outcomes = this.#waiting;
    this.#waiting = [];
    for (let from = 0; from < outcomes.length; from += SETTLE_MAX) {
      void this.#settle(outcomes.slice(from, from + SETTLE_MAX));
    }
  }

  async #settle(batch: readonly Outcome[]): Promise<void> {
    const { store, clock, node, storeHealth, settled, mustKeep } = this.#options;
    const { monotonicMs } = clock.now();
    const settlements = batch.map(({ running: { endedMs }, settlement }) => {
      return endedMs === null ? settlement : { ...settlement, endedAgoMs: monotonicMs - endedMs };
    });
    try {
      const { value, at } = await store.settle({ at: clock.now(), node, settlements });
      storeHealth.succeeded("settle");
      for (const [index, result] of value.entries()) {
        const { running, settlement } = batch[index]!;
        settled(running, result, at, settlement.logs);
      }
    } catch (error) {
      storeHealth.failed(error, "settle");
      const isRefused = isJobError(error, "invalid_argument");
      clock.timer(storeHealth.backoff(), () => {
        const kept = batch.filter(({ running }) => mustKeep(running));
        // A refused one must not hold up the others.
        if (isRefused) { for (const one of kept) void this.#settle([one]); }
        else if (kept.length > 0) void this.#settle(kept);
        else storeHealth.succeeded("settle");
      });
    }
  }
}

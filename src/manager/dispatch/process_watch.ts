import { LazyTimer } from "../../platform/lazy_timer.ts";
import type { PartContext } from "../context/part_context.ts";
import type { RunningAttempt } from "./running_attempt.ts";

/** Interval between looks at attempts, and time limit of missing ones, as shares of the lease. */
const LOOK_SHARE = 1 / 4;
const LOST_SHARE = 1 / 2;

interface ProcessWatchOptions extends Pick<PartContext, "clock" | "logger" | "leaseMs"> {
  /** The claims of this node, by instance. */
  readonly running: ReadonlyMap<string, RunningAttempt>;
}

/**
 * Watches that every attempt with a renewed lease really runs. One without a process, or unknown to
 * its executor, would hold its instance for ever: it is ended as lost within a lease. The cause
 * does not matter, so it also covers unforeseen faults.
 */
export class ProcessWatch {
  readonly #options: ProcessWatchOptions;
  readonly #lose: (running: RunningAttempt, why: string) => void;
  readonly #timer: LazyTimer;
  /** Monotonic ms since which nothing seems to run for an attempt. */
  readonly #missing = new Map<RunningAttempt, number>();

  constructor(
    options: ProcessWatchOptions,
    lose: (running: RunningAttempt, why: string) => void,
  ) {
    this.#options = options;
    this.#lose = lose;
    this.#timer = new LazyTimer(options.clock, () => this.#look());
  }

  /** Number of attempts without a process now. */
  get count(): number {
    return this.#missing.size;
  }

  /** Something runs: look at it from now on. */
  begin(): void {
    this.#timer.setWithin(this.#options.leaseMs * LOOK_SHARE);
  }

  #look(): void {
    const { running, leaseMs, clock } = this.#options;
    if (running.size === 0) return this.#missing.clear();
    this.#timer.setIn(leaseMs * LOOK_SHARE);
    for (const each of this.#missing.keys()) {
      if (running.get(each.instance.id) !== each || whyMissing(each) === null) {
        this.#missing.delete(each);
      }
    }
    const nowMs = clock.now().monotonicMs;
    for (const each of running.values()) {
      const why = whyMissing(each);
      if (why !== null) this.#note(each, why, nowMs);
    }
  }

  #note(running: RunningAttempt, why: string, nowMs: number): void {
    const { leaseMs, logger } = this.#options;
    const sinceMs = this.#missing.get(running);
    if (sinceMs === undefined) return void this.#missing.set(running, nowMs);
    if (nowMs - sinceMs < leaseMs * LOST_SHARE) return;
    this.#missing.delete(running);
    const { id: instance, kind, fence } = running.instance;
    logger.error("An attempt runs without a process: it is ended as lost", {
      kind,
      instance,
      fence,
      reason: why,
      seconds: Math.round((nowMs - sinceMs) / 1_000),
      hint: "Please report this with the log before it",
    });
    this.#lose(running, why);
  }
}

/** Why nothing can run for an attempt; null if something may, or its outcome is known. */
function whyMissing({ attempt, hasEnded, hasOutcome }: RunningAttempt): string | null {
  return hasEnded || hasOutcome ? null : attempt?.missing?.() ?? null;
}

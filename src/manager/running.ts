import type { Instance, LogEntry } from "../core/instance.ts";
import type { JobDefinition } from "../core/job.ts";
import type { Attempt } from "../worker/executor.ts";
import type { Clock, Timer } from "../platform/clock.ts";

/** Lines kept back before they are written in one go. */
const BUFFER_MAX = 200;
/** How long a line waits at most before it is written. */
const FLUSH_MS = 100;

/** A claim that this node holds, from the claim until its settlement is recorded. */
export class RunningAttempt {
  /** Null when the kind was removed between the claim and its start. */
  readonly job: JobDefinition | null;
  readonly instance: Instance;
  readonly startedMs: number;
  /** Null until started, and for system jobs, which cannot be stopped. */
  attempt: Attempt | null = null;
  /** Whether job code has ended; the claim is held until the store has the outcome. */
  hasEnded = false;
  readonly #clock: Clock;
  readonly #flush: (running: RunningAttempt) => void;
  #lines: LogEntry[] = [];
  #timer: Timer | null = null;

  constructor(
    options: {
      readonly job: JobDefinition | null;
      readonly instance: Instance;
      readonly clock: Clock;
      readonly flush: (running: RunningAttempt) => void;
    },
  ) {
    this.job = options.job;
    this.instance = options.instance;
    this.#clock = options.clock;
    this.#flush = options.flush;
    this.startedMs = options.clock.now().monotonicMs;
  }

  /** Keep lines until they are many, old, or the attempt ends: a short attempt's log costs no write of its own. */
  log(entries: readonly LogEntry[]): void {
    for (const entry of entries) this.#lines.push(entry);
    if (this.hasEnded) return;
    if (this.#lines.length >= BUFFER_MAX) this.#flush(this);
    else this.#timer ??= this.#clock.timer(FLUSH_MS, () => this.#flush(this));
  }

  /** Take the lines kept back. */
  takeLines(): readonly LogEntry[] {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#lines.length === 0) return [];
    const lines = this.#lines;
    this.#lines = [];
    return lines;
  }
}

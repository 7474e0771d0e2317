import type { Instance, LogEntry } from "../core/instance.ts";
import type { JobDefinition } from "../core/job.ts";
import type { Attempt } from "../worker/executor.ts";
import type { Clock, Timer } from "../platform/clock.ts";

/** Lines kept back before they are written in one go. */
const BUFFER_MAX = 200;
/** How long a line waits before it is written, and at most after the store refused. */
const FLUSH_MS = { first: 100, longest: 5_000 } as const;

/** A claim that this node holds, from the claim until its settlement is recorded. */
export class RunningAttempt {
  /** Null when the kind was removed between the claim and its start. */
  readonly job: JobDefinition | null;
  readonly instance: Instance;
  readonly startedMs: number;
  /** Null until started, and for system jobs, which cannot be stopped. */
  attempt: Attempt | null = null;
  readonly #clock: Clock;
  readonly #write: (running: RunningAttempt, lines: readonly LogEntry[]) => Promise<boolean>;
  #lines: LogEntry[] = [];
  #timer: Timer | null = null;
  #flushMs: number = FLUSH_MS.first;
  #writing: Promise<void> | null = null;
  #hasEnded = false;

  constructor(
    options: {
      readonly job: JobDefinition | null;
      readonly instance: Instance;
      readonly clock: Clock;
      /** Writes lines to the store; whether it has them. Never rejects. */
      readonly write: (running: RunningAttempt, lines: readonly LogEntry[]) => Promise<boolean>;
    },
  ) {
    this.job = options.job;
    this.instance = options.instance;
    this.#clock = options.clock;
    this.#write = options.write;
    this.startedMs = options.clock.now().monotonicMs;
  }

  /**
   * Keep lines until they are many, old, or the attempt ends: a short attempt's log costs no write of its own. Lines after the
   * end have no place to go. How much one attempt may log is limited where it runs.
   */
  log(entries: readonly LogEntry[]): void {
    if (this.#hasEnded) return;
    for (const entry of entries) this.#lines.push(entry);
    this.#arm();
  }

  /** Job code has ended: hand over the lines that are not written, now or when those on their way have arrived. */
  end(take: (lines: readonly LogEntry[]) => void): void {
    this.#hasEnded = true;
    if (this.#writing) void this.#writing.then(() => take(this.#take()));
    else take(this.#take());
  }

  #arm(): void {
    if (this.#writing || this.#hasEnded || this.#lines.length === 0) return;
    const hasFailed = this.#flushMs > FLUSH_MS.first;
    if (this.#lines.length >= BUFFER_MAX && !hasFailed) this.#flush();
    else this.#timer ??= this.#clock.timer(this.#flushMs, () => this.#flush());
  }

  // One write at a time, so that lines stay in order when the store refuses some.
  #flush(): void {
    const lines = this.#take();
    this.#writing = this.#write(this, lines).then((isWritten) => {
      this.#writing = null;
      if (!isWritten) this.#lines = [...lines, ...this.#lines];
      this.#flushMs = isWritten ? FLUSH_MS.first : Math.min(this.#flushMs * 2, FLUSH_MS.longest);
      this.#arm();
    });
  }

  #take(): readonly LogEntry[] {
    this.#timer?.cancel();
    this.#timer = null;
    const lines = this.#lines;
    this.#lines = [];
    return lines;
  }
}

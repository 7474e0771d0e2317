import type { Instance, LogEntry, Progress } from "../../core/instance.ts";
import type { JobDefinition } from "../../core/job/job.ts";
import type { Attempt } from "../../worker/executor.ts";
import type { Clock, Timer } from "../../platform/clock.ts";

/** Lines kept back before they are written in one go. */
const BUFFER_MAX = 200;
/** How long a line waits before it is written, and at most after the store refused. */
const FLUSH_MS = { first: 100, longest: 5_000 } as const;

/** What a running attempt has to write. */
export interface Writing {
  readonly lines: readonly LogEntry[];
  /** Undefined when it is as it was. */
  readonly progress: Progress | undefined;
}

/** A claim that this node holds, from the claim until its settlement is recorded. */
export class RunningAttempt {
  /** Null when the kind was removed between the claim and its start. */
  readonly job: JobDefinition | null;
  readonly instance: Instance;
  /** True if it takes one of the node's workers. */
  readonly hasSlot: boolean;
  /** Monotonic ms of its claim, and then of its start. */
  startedMs: number;
  /** Null until started, and for system jobs, which cannot be stopped. */
  attempt: Attempt | null = null;
  readonly #clock: Clock;
  readonly #write: (running: RunningAttempt, writing: Writing) => Promise<boolean>;
  #lines: LogEntry[] = [];
  #progress: Progress | undefined;
  #timer: Timer | null = null;
  #flushMs: number = FLUSH_MS.first;
  #writing: Promise<void> | null = null;
  #hasEnded = false;

  constructor(
    options: {
      readonly job: JobDefinition | null;
      readonly instance: Instance;
      readonly clock: Clock;
      /** Writes to the store; whether it has it. Never rejects. */
      readonly write: (running: RunningAttempt, writing: Writing) => Promise<boolean>;
    },
  ) {
    this.job = options.job;
    this.instance = options.instance;
    this.hasSlot = options.job?.options.workerSlot ?? true;
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

  /** Keep how far the job is, to be written as lines are. */
  progress(progress: Progress): void {
    if (this.#hasEnded) return;
    this.#progress = progress;
    this.#arm();
  }

  /** Abort the attempt when the deadline of its instance passes. @returns the timer, null when it has none */
  watchDeadline(): Timer | null {
    const { deadlineAt } = this.instance;
    if (deadlineAt === null) return null;
    const delayMs = Math.max(0, deadlineAt - this.#clock.now().wallMs);
    return this.#clock.timer(delayMs, () => this.attempt?.abort("deadline"), { unref: true });
  }

  /** Job code has ended: hand over what is not written, now or when what is on its way has arrived. */
  end(take: (writing: Writing) => void): void {
    this.#hasEnded = true;
    if (this.#writing) void this.#writing.then(() => take(this.#take()));
    else take(this.#take());
  }

  #arm(): void {
    const hasNothing = this.#lines.length === 0 && this.#progress === undefined;
    if (this.#writing || this.#hasEnded || hasNothing) return;
    const hasFailed = this.#flushMs > FLUSH_MS.first;
    if (this.#lines.length >= BUFFER_MAX && !hasFailed) this.#flush();
    else this.#timer ??= this.#clock.timer(this.#flushMs, () => this.#flush());
  }

  // One write at a time, so that lines stay in order when the store refuses some.
  #flush(): void {
    const writing = this.#take();
    this.#writing = this.#write(this, writing).then((isWritten) => {
      this.#writing = null;
      if (!isWritten) {
        this.#lines = [...writing.lines, ...this.#lines];
        this.#progress ??= writing.progress;
      }
      this.#flushMs = isWritten ? FLUSH_MS.first : Math.min(this.#flushMs * 2, FLUSH_MS.longest);
      this.#arm();
    });
  }

  #take(): Writing {
    this.#timer?.cancel();
    this.#timer = null;
    const writing = { lines: this.#lines, progress: this.#progress };
    this.#lines = [];
    this.#progress = undefined;
    return writing;
  }
}

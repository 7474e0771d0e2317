import { type Backoff, backoffMs } from "../../core/backoff.ts";
import {
  type AttemptUsage,
  countPrinted,
  type Instance,
  isLive,
  isPrinted,
  type LiveUsage,
  type LogEntry,
  type ProcessPlace,
  type Progress,
  type RunningProcess,
} from "../../core/instance.ts";
import type { JobDefinition } from "../../core/job/job.ts";
import { ACCEPT_SIGNAL, signalKey, type Wait } from "../../core/wait.ts";
import type { Timer } from "../../platform/clock.ts";
import type { SettleResult } from "../../store/store.ts";
import type { Attempt, AttemptSink } from "../../worker/executor.ts";
import type { PartContext } from "../context/part_context.ts";
import type { Adopted } from "./adopted.ts";
import { versionOf } from "./code_version.ts";

/** Most lines kept before they are written together. */
const BUFFER_MAX = 200;
/** Time before a line is written; longer after the store refused lines. */
const FLUSH: Backoff = { firstMs: 100, longestMs: 5_000 };

/** Dependencies of a running attempt's writes. */
type WritingContext = Pick<PartContext, "store" | "clock" | "events" | "storeHealth">;

/** Unwritten lines and progress. */
interface Writing {
  readonly lines: readonly LogEntry[];
  /** Undefined if it has not changed. */
  readonly progress: Progress | undefined;
}

/** Answers the calls of an attempt's code to its manager. */
interface Calls {
  handle(running: RunningAttempt, method: string, args: readonly unknown[]): Promise<unknown>;
}

/** A claim of this node, until its settlement is recorded. Its attempt writes here. */
export class RunningAttempt implements AttemptSink {
  /** Null when the kind was removed between the claim and its start. */
  readonly job: JobDefinition | null;
  readonly instance: Instance;
  /** True if it takes one of the node's workers. */
  readonly hasSlot: boolean;
  /** Monotonic ms of its claim, and then of its start. */
  startedMs: number;
  /** Monotonic ms of its end if that was while no daemon ran; null otherwise. */
  endedMs: number | null = null;
  /** Null until started, and for system jobs, which cannot be stopped. */
  attempt: Attempt | null = null;
  /** Null until started, and for system jobs. */
  calls: Calls | null = null;
  /** True once the executor has given the outcome of the attempt. */
  hasOutcome = false;
  /** Location of its command; null if unknown, or not a command. */
  place: ProcessPlace | null = null;
  /** Current or total usage of its processes; null if unknown. */
  usage: AttemptUsage | LiveUsage | null = null;
  #frozenAt: number | null;
  readonly #context: WritingContext;
  #lines: LogEntry[] = [];
  #progress: Progress | undefined;
  #timer: Timer | null = null;
  /** Number of its printed lines in the store. */
  #written: number;
  #failures = 0;
  #writing: Promise<void> | null = null;
  #hasEnded = false;
  #hasOutput = false;

  /** @param written number of printed lines in the store: an earlier daemon may have begun it */
  constructor(
    instance: Instance,
    job: JobDefinition | null,
    context: WritingContext,
    written = 0,
  ) {
    this.job = job;
    this.#written = written;
    this.instance = instance;
    this.hasSlot = job?.options.workerSlot ?? true;
    this.#context = context;
    this.startedMs = context.clock.now().monotonicMs;
    this.#frozenAt = instance.progress?.frozenAt ?? null;
  }

  /** An attempt that an earlier daemon began. */
  static adopted({ instance, job, lines, found }: Adopted, context: WritingContext) {
    const running = new RunningAttempt(instance, job, context, lines);
    running.startedMs -= found.ageMs;
    return running;
  }

  /** Start of its command's freeze, epoch ms; null if it is not frozen. */
  get frozenAt(): number | null {
    return this.#frozenAt;
  }

  placed(place: ProcessPlace): void {
    this.place = place;
  }

  used(usage: AttemptUsage | LiveUsage): void {
    this.usage = usage;
  }

  call(method: string, args: readonly unknown[]): Promise<unknown> {
    return this.calls!.handle(this, method, args);
  }

  /** It ended while no daemon ran. */
  endedAgo(ms: number): void {
    this.endedMs = this.#context.clock.now().monotonicMs - ms;
  }

  /** True once its job code has ended. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** True if it has written to its standard output or error. */
  get hasOutput(): boolean {
    return this.#hasOutput;
  }

  /**
   * Keep lines until there are many, they are old, or the attempt ends: a short log needs no
   * separate write. Lines after the end are dropped. The executor limits the log's size.
   */
  log(entries: readonly LogEntry[]): void {
    if (this.#hasEnded) return;
    for (const entry of entries) {
      this.#lines.push(entry);
      if (isPrinted(entry)) this.#hasOutput = true;
    }
    this.#arm();
  }

  /** Keep the progress of the job, to be written as lines are. */
  progress(progress: Progress): void {
    if (this.#hasEnded) return;
    this.#progress = progress;
    this.#arm();
  }

  /** The version of its code, if an instance with steps ran on another one before; else null. */
  get newVersion(): string | null {
    const { stepsAt, version } = this.instance;
    if (!stepsAt || version === null) return null;
    const now = versionOf(this.job);
    return now === version ? null : now;
  }

  /**
   * Note that an instance with steps continues on changed code.
   *
   * @returns the wait for the acceptance of that, if its job wants one
   */
  meetNewCode(): Wait | null {
    const version = this.newVersion;
    if (version === null) return null;
    const isParked = this.job!.options.onChange === "park" &&
      this.instance.cancelRequestedAt === null;
    const at = this.#context.clock.now().wallMs;
    const next = isParked ? "it waits to be accepted" : "recorded steps keep their results";
    const message = `The code has changed since the last run: ${next}`;
    this.log([{ at, level: "info", source: "system", message }]);
    const key = signalKey(`${ACCEPT_SIGNAL} ${version}`, 1);
    return isParked ? { key, type: "change", name: version, until: null } : null;
  }

  /** Its command was frozen at a time, or continues with null. */
  froze(frozenAt: number | null, { at, reason }: { readonly at: number; readonly reason: string }) {
    this.#frozenAt = frozenAt;
    this.progress({ done: 0, total: null, frozenAt });
    const message = `${frozenAt === null ? "Continued" : "Frozen"}${reason && `: ${reason}`}`;
    this.log([{ at, level: "info", source: "system", message }]);
  }

  /** Write kept lines now; refused ones are written later. */
  async written(): Promise<void> {
    await this.#writing;
    if (!this.#hasEnded && !this.#writing) this.#flush();
    await this.#writing;
  }

  /** Abort it when its instance's deadline passes. Returns the timer, null without a deadline. */
  watchDeadline(): Timer | null {
    const { deadlineAt } = this.instance;
    if (deadlineAt === null) return null;
    const { clock } = this.#context;
    const delayMs = Math.max(0, deadlineAt - clock.now().wallMs);
    return clock.timer(delayMs, () => this.attempt?.abort("deadline"), { unref: true });
  }

  /**
   * True if the store had ended the claim before it began, because another instance took its unique
   * key. The enqueuer of that instance has reported it.
   */
  wasReplaced({ status, instance }: SettleResult): boolean {
    if (status !== "repeated" || instance?.state !== "canceled") return false;
    return instance.attempt < this.instance.attempt;
  }

  /** Leave it to the next daemon, if possible: nothing more is written for it here. */
  leave(): boolean {
    if (!this.attempt?.leave?.()) return false;
    this.#hasEnded = true;
    // Its supervisor keeps them until they are recorded.
    this.#take();
    return true;
  }

  /** Job code has ended: call `take` with the unwritten lines, after any write under way. */
  end(take: (writing: Writing) => void): void {
    this.#hasEnded = true;
    if (this.#writing) void this.#writing.then(() => take(this.#take()));
    else take(this.#take());
  }

  #arm(): void {
    const hasNothing = this.#lines.length === 0 && this.#progress === undefined;
    if (this.#writing || this.#hasEnded || hasNothing) return;
    if (this.#lines.length >= BUFFER_MAX && this.#failures === 0) return this.#flush();
    const delayMs = backoffMs(FLUSH, this.#failures);
    this.#timer ??= this.#context.clock.timer(delayMs, () => this.#flush());
  }

  // One write at a time, so that lines stay in order when the store refuses some.
  #flush(): void {
    const writing = this.#take();
    this.#writing = this.#write(writing).then((isDone) => {
      this.#writing = null;
      if (!isDone) {
        this.#lines = [...writing.lines, ...this.#lines];
        this.#progress ??= writing.progress;
      }
      this.#failures = isDone ? 0 : this.#failures + 1;
      this.#arm();
    });
  }

  /** Returns false if it must be repeated. */
  async #write({ lines, progress }: Writing): Promise<boolean> {
    const { store, clock, events, storeHealth } = this.#context;
    const { instance } = this;
    const append = { id: instance.id, fence: instance.fence, logs: lines, progress };
    try {
      const { value: stale, at } = await store.appendLogs({ at: clock.now(), appends: [append] });
      storeHealth.succeeded("write the log");
      if (stale.length > 0) return true;
      const printed = countPrinted(lines);
      this.#written += printed;
      if (printed > 0) this.attempt?.linesRecorded?.(this.#written);
      events.logged(instance, lines, at);
      if (progress) events.progressed({ ...instance, progress }, progress, at);
      return true;
    } catch (error) {
      storeHealth.failed(error, "write the log");
      return false;
    }
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

/** The known processes of attempts, by the id of the instance. */
export function processesOf(
  running: ReadonlyMap<string, RunningAttempt>,
  ids: Iterable<string>,
): ReadonlyMap<string, RunningProcess> {
  const found = new Map<string, RunningProcess>();
  for (const id of ids) {
    const { place = null, usage: last = null } = running.get(id) ?? {};
    const usage = last !== null && isLive(last) ? last : null;
    if (place !== null || usage !== null) found.set(id, { place, usage });
  }
  return found;
}

/** The oldest attempt that takes a worker; null without one. */
export function oldestOf(all: Iterable<RunningAttempt>): RunningAttempt | null {
  let oldest: RunningAttempt | null = null;
  for (const running of all) {
    const isOlder = oldest === null || running.startedMs < oldest.startedMs;
    if (running.hasSlot && isOlder) oldest = running;
  }
  return oldest;
}

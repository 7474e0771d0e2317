import type { ErrorInfo } from "../../core/instance.ts";
import type { JobDefinition, ProcessLimits } from "../../core/job/job.ts";
import { Batch } from "./batch.ts";
import type { AbortCause } from "../executor.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import { findFamilyInTurns } from "../../platform/process/descendants.ts";
import { spentMs } from "../../platform/system/runtime.ts";
import { lifeOf } from "../../platform/process/process_identity.ts";
import {
  type FromWorker,
  PROTOCOL_VERSION,
  type ResultMessage,
  type ToWorker,
} from "../protocol.ts";
import { validateMessage } from "../validate_message.ts";
import { KnownJobs } from "./known_jobs.ts";
import { type ExpectedRun, MessageOrder } from "./message_order.ts";
import { RunCalls } from "./run_calls.ts";
import { UsageWatch } from "./usage_watch.ts";
import { DRAIN_MS_MAX, WorkerChild, type WorkerStart } from "./worker_child.ts";
import {
  isStarvedExit,
  resultEnding,
  spawnFault,
  type StartFault,
  unstartedEnding,
  type WorkerEnding,
} from "./worker_ending.ts";
import { usageLimits } from "./worker_launch.ts";
import { type FollowingRun, giveBack, type HostedRun, type RunHost } from "./run_host.ts";

/** Time limit from a worker's spawn to its first message. */
const HELLO_MS_MAX = 30_000;
/** Time limit for the import of a job module. */
const LOAD_MS_MAX = 30_000;
/** Time limit for the exit handlers of a worker that is ended. */
const END_MS_MAX = 1_000;

/** Launch settings of a worker process, and its listeners. */
export interface WorkerProcessOptions extends WorkerStart {
  readonly id: string;
  /** The worker can take a run. */
  readonly onIdle: (worker: WorkerProcess) => void;
  /** The process is gone. */
  readonly onGone: (worker: WorkerProcess) => void;
  /** Leftover code of an ended run threw an error; the worker takes no more runs. */
  readonly onLate: (worker: WorkerProcess, run: HostedRun | null, error: ErrorInfo) => void;
}

/** State of the run that a worker executes. */
interface RunState {
  readonly run: HostedRun;
  readonly number: number;
  /** True until the worker reports the start of job code, if required. */
  isWaitingForStart: boolean;
  result: ResultMessage | null;
  /** True once all of its output has arrived. */
  isDrained: boolean;
  usage: UsageWatch | null;
  /** Created by the first call: most runs make none. */
  calls: RunCalls | null;
}

/**
 * The daemon's side of one worker process: gives it runs, one at a time or a batch of short ones,
 * reads its messages, and limits the time of everything but job code.
 */
export class WorkerProcess implements RunHost {
  readonly id: string;
  /** Runs begun. */
  runs = 0;
  /** Monotonic ms since which it is idle. */
  idleSinceMs = 0;
  /** Monotonic ms of the last check of its memory. */
  memorySeenMs = 0;
  readonly jobs = new KnownJobs();
  readonly #options: WorkerProcessOptions;
  readonly #child: WorkerChild;
  readonly #order = new MessageOrder();
  readonly #batch: Batch;
  /** Limits its start, a load, the last output of a run, and its end. */
  readonly #limit: LazyTimer;
  readonly #wake: LazyTimer;
  readonly #recheck: LazyTimer;
  #current: RunState | null = null;
  /** The previous run: its leftover code may throw after the current one has begun. */
  #last: RunState | null = null;
  /** Messages to send once it has started; null afterwards. */
  #backlog: ToWorker[] | null = [];
  /** True if it takes no more runs. */
  #isBad = false;
  #fault: StartFault | null = null;
  #isRefused = false;

  constructor(options: WorkerProcessOptions) {
    const { clock, memory } = options;
    this.#options = options;
    this.id = options.id;
    this.#limit = new LazyTimer(clock, () => this.#limitReached());
    this.#wake = new LazyTimer(clock, () => this.#current?.run.wake());
    this.#recheck = new LazyTimer(clock, () => this.#current && this.takeBack(this.#current.run));
    this.#child = new WorkerChild(options, {
      onOutput: () => this.#takeResults(),
      onDrained: () => this.#drained(),
      onMessage: (message, bytes) => this.#read(message, bytes),
      onFault: (problem) => this.#violated(problem),
      onExit: () => this.#exited(),
      onOutputEnd: () => this.#current && (this.#current.isDrained = true),
      onGone: () => this.#gone(),
    });
    this.#batch = new Batch(memory);
    if (this.pid !== null) this.#limit.setIn(HELLO_MS_MAX);
  }

  /** Null if it could not be started. */
  get pid(): number | null {
    return this.#child.family?.pid ?? null;
  }

  /** True if it takes further runs. */
  get isUsable(): boolean {
    return !this.#isBad && this.#child.exit === null && !this.#child.isGone;
  }

  /** True once it has reported its readiness: its current run may be executing. */
  get hasStarted(): boolean {
    return this.#backlog === null;
  }

  batchMax(job: JobDefinition): number {
    const { output } = this.#child;
    const canBatch = this.hasStarted && this.jobs.has(job) && output?.wantsMarks === false;
    return canBatch ? this.#batch.max : 1;
  }

  /** Execute a run, then its followers, at most `batchMax - 1`. It must be usable and not busy. */
  run(run: HostedRun, followers: readonly FollowingRun[] = []): void {
    const { job, instance, handler } = run;
    const { token } = this.#options;
    const number = this.runs + 1;
    this.runs += 1 + followers.length;
    this.#batch.begin(followers);
    // The limits of a run count from its start, which only a loading worker knows.
    const wantsStarted = followers.length === 0 &&
      (!this.jobs.has(job) || instance.timeoutMs > 0);
    this.#take(run, number, wantsStarted);
    this.#child.output?.begin(run, number);
    const ref = this.jobs.refOf(job, (message) => this.#send(message));
    const common = { run: number, ref, token, workerId: this.id };
    if (followers.length > 0) {
      const instances = [instance, ...followers.map((follower) => follower.instance)];
      this.#send({ type: "batch", ...common, instances });
    } else {
      const wantsMarks = this.#child.output?.wantsMarks ?? true;
      this.#send({ type: "run", ...common, instance, handler, wantsStarted, wantsMarks });
    }
    if (this.hasStarted) this.#awaitStart();
  }

  takeBack(run: HostedRun): void {
    const returned = this.#batch.takeBack(run);
    this.#takeResults();
    if (this.#current && returned.length > 0) this.#setGuard();
    // The result of the run before shows that a run has started; it may not be written yet.
    if (!this.#batch.isEmpty) this.#recheck.setIn(1);
    giveBack(returned);
  }

  wakeAt(run: HostedRun, dueMs: number | null): void {
    if (this.#current?.run === run) this.#wake.set(dueMs);
  }

  extend(run: HostedRun): boolean {
    if (this.#current?.run !== run) return false;
    this.#setGuard();
    return true;
  }

  abort(run: HostedRun, cause: AbortCause): void {
    if (this.#current?.run !== run) return;
    this.#send({ type: "abort", run: this.#current.number, cause });
  }

  kill(signal: "SIGTERM" | "SIGKILL"): void {
    this.#isBad = true;
    this.#child.kill(signal);
  }

  missing(run: HostedRun): string | null {
    if (this.#child.isGone) return "its worker is gone";
    if (this.#current?.run !== run && !this.#batch.has(run)) return "its worker does not have it";
    const { pid } = this;
    if (pid === null || lifeOf(pid) !== "gone") return null;
    return `its worker, process ${pid}, is gone`;
  }

  /** End an idle worker: it may run its exit handlers for a second. */
  end(): void {
    this.#isBad = true;
    if (this.#child.exit !== null || this.#child.isGone) return;
    if (!this.hasStarted) return this.kill("SIGKILL");
    this.#send({ type: "end" });
    this.#limit.setIn(END_MS_MAX);
  }

  #send(message: ToWorker): void {
    if (this.#backlog !== null) this.#backlog.push(message);
    else this.#child.channel?.send(message);
  }

  #nowMs(): number {
    return this.#options.clock.now().monotonicMs;
  }

  /** Make a run the current one. */
  #take(run: HostedRun, number: number, wantsStarted: boolean): void {
    this.#current = {
      run,
      number,
      isWaitingForStart: wantsStarted,
      result: null,
      isDrained: false,
      usage: null,
      calls: null,
    };
    const { token } = this.#options;
    this.#order.begin(expectedRun(run, { number, wantsStarted, token }));
    this.#setGuard();
  }

  #setGuard(): void {
    this.#child.guard.set(this.#batch.deadlineMs(this.#current!.run));
  }

  /** Limit the load of the job's module, if the worker reports when job code begins. */
  #awaitStart(): void {
    const { run, isWaitingForStart } = this.#current!;
    if (isWaitingForStart) return this.#limit.setIn(LOAD_MS_MAX);
    this.#limit.set(null);
    const limits = usageLimits(run.job);
    if (limits !== null) this.#current!.usage = this.#watchUsage(run, limits);
    run.started();
  }

  #watchUsage(run: HostedRun, limits: ProcessLimits): UsageWatch {
    const { clock } = this.#options;
    const family = this.#child.family!;
    return new UsageWatch({
      clock,
      spentMs,
      limits,
      worker: family.pid,
      adopter: null,
      find: () => findFamilyInTurns(family.family, family.pid, clock),
      onExceeded: (error) => {
        run.exceeded(error);
        this.kill("SIGKILL");
      },
    });
  }

  /**
   * Read the results in the shared memory. All runs of a batch but the last end there, without
   * output, when the next one begins.
   */
  #takeResults(): void {
    for (const result of this.#batch.results()) {
      const last = this.#current!;
      const next = result?.run === last.number ? this.#batch.next() : null;
      // From here on the state of its run is unknown.
      if (result === null || next === null) return this.kill("SIGKILL");
      this.#last = last;
      this.#take(next, last.number + 1, false);
      this.#child.output!.passOn(next, last.number + 1);
      last.run.ended(resultEnding(result));
      next.promoted();
    }
  }

  #read(given: unknown, bytes: number): void {
    this.#takeResults();
    const message = validateMessage(given);
    if (message === "malformed") return this.#violated("an unreadable message");
    const verdict = message === "foreign"
      ? this.#order.stray()
      : this.#order.judge(message, this.#nowMs());
    if (typeof verdict === "object") return this.#violated(verdict.problem);
    if (verdict === "take") this.#receive(message as FromWorker, bytes);
  }

  /** Only job code can have sent this. */
  #violated(problem: string): void {
    this.#child.channel?.close();
    this.#current?.run.violated({
      name: "WorkerMessageError",
      message: `Stopped: its worker sent ${problem}. The channel to the daemon is not for job code`,
    });
    this.kill("SIGKILL");
  }

  #receive(message: FromWorker, bytes: number): void {
    const current = this.#current!;
    switch (message.type) {
      case "hello":
        return this.#greeted(message.version);
      case "unfit":
        return this.#unstartable(message.message, "job");
      case "late": {
        this.#isBad = true;
        const isLast = message.run === (this.#last?.number ?? 0);
        const { run = null } = (isLast ? this.#last : this.#current) ?? {};
        return this.#options.onLate(this, run, message.error);
      }
      case "started":
        current.isWaitingForStart = false;
        return this.#awaitStart();
      case "progress":
        return current.run.sink.progress(message.progress);
      case "call":
        current.calls ??= this.#callsOf(current);
        return current.calls.take(message, bytes);
      case "decided":
        return current.run.decided(message.result);
      case "result":
        return this.#ended(message, current);
      case "refused":
        this.#endBatch(current.run);
        // It starts elsewhere once this worker certainly does nothing more for it.
        this.#isRefused = true;
        return this.kill("SIGKILL");
    }
  }

  #callsOf(current: RunState): RunCalls {
    const { clock, budgets } = this.#options;
    return new RunCalls({
      clock,
      budget: budgets.answers,
      channel: this.#child.channel!,
      call: async (method, args) => await current.run.sink.call(method, args),
      isCurrent: () => this.#current === current,
      onFault: (problem) => this.#violated(problem),
    });
  }

  #greeted(version: number): void {
    if (version !== PROTOCOL_VERSION) {
      return this.#unstartable(
        `it speaks version ${version} of the protocol, this daemon ${PROTOCOL_VERSION}: restart the daemon`,
      );
    }
    const backlog = this.#backlog ?? [];
    this.#backlog = null;
    this.#limit.set(null);
    for (const message of backlog) this.#send(message);
    if (this.#current) this.#awaitStart();
  }

  #unstartable(message: string, whose: StartFault["whose"] = "worker"): void {
    this.#fault ??= { message, whose };
    this.kill("SIGKILL");
  }

  #ended(message: ResultMessage, current: RunState): void {
    this.#endBatch(current.run);
    if (this.#current !== current) return;
    current.result = message;
    if (message.usage !== undefined) current.run.sink.used(message.usage);
    if (message.isSilent && this.#child.output!.skipMarkers()) return;
    if (message.isSilent) this.#send({ type: "mark", run: current.number });
    if (this.#child.exit === null) this.#limit.setIn(DRAIN_MS_MAX);
    else this.#child.allowDrain();
    this.#settle();
  }

  /** Keep runs queued behind `run` from beginning. A worker that begins one anyway is broken. */
  #endBatch(run: HostedRun): void {
    this.takeBack(run);
    if (!this.#batch.isEmpty) this.kill("SIGKILL");
  }

  #drained(): void {
    this.#current!.isDrained = true;
    this.#settle();
  }

  #limitReached(): void {
    if (this.#child.exit !== null) return;
    if (this.#current?.result) {
      // Something holds the output open, such as a child that left the group.
      this.#isBad = true;
      this.#child.output!.close();
      return this.#drained();
    }
    if (!this.hasStarted) {
      return this.#unstartable(`it did not respond within ${HELLO_MS_MAX} ms`);
    }
    if (!this.#current) return this.kill("SIGKILL");
    this.#unstartable(`its job module did not load in ${LOAD_MS_MAX} ms`, "job");
  }

  /** End the run once its result or the worker's exit is known, and its output complete. */
  #settle(): void {
    const { run, result, isDrained } = this.#current!;
    if (!isDrained) return;
    if (this.#child.exit !== null) return this.#child.close();
    if (result === null) return;
    if (result.reuse !== null) {
      this.jobs.noteEnd(result, run.job, this.#nowMs());
      return this.#finish();
    }
    // The run counts as ended when nothing of it is left: at the exit.
    this.kill("SIGKILL");
  }

  #exited(): void {
    this.#isBad = true;
    this.#limit.set(null);
    this.#wake.cancel();
    if (this.#current === null) return;
    this.#current.isDrained = false;
    this.#current.usage?.stop();
  }

  #gone(): void {
    this.#takeResults();
    this.#limit.cancel();
    this.#wake.cancel();
    if (this.#current) this.#finish();
    this.#recheck.cancel();
    this.#batch.free();
    this.#options.onGone(this);
  }

  #finish(): void {
    const current = this.#current!;
    const { run, result, usage } = current;
    const { output, guard, isGone } = this.#child;
    const exitEnding = result === null ? this.#exitEnding(current) : null;
    const returned = this.#batch.takeBack(run);
    const begun = this.#batch.end();
    output?.end();
    this.#last = current;
    this.#current = null;
    this.#order.end();
    usage?.stop();
    guard.set(null);
    if (!isGone) {
      this.#limit.set(null);
      this.#wake.set(null);
      if (this.#isBad) this.end();
      else this.#options.onIdle(this);
    }
    run.ended(exitEnding ?? resultEnding(result!));
    giveBack(returned);
    for (const follower of begun) follower.ended({ type: "exit", code: null, signal: "SIGKILL" });
  }

  /** The ending of a run without a result. */
  #exitEnding({ isWaitingForStart }: RunState): WorkerEnding {
    if (this.#isRefused) return { type: "refused" };
    const { output, startError } = this.#child;
    const fault = startError === null ? this.#fault : spawnFault(startError);
    const exit = this.#child.exit ?? { code: null, signal: null };
    const lastWords = output?.strayText || output?.stderrTail || "";
    const hasBegun = fault === null && this.hasStarted &&
      !(isWaitingForStart && isStarvedExit(exit, lastWords));
    return hasBegun ? { type: "exit", ...exit } : unstartedEnding(fault, exit, lastWords);
  }
}

function expectedRun(
  { job, handler }: HostedRun,
  given: Pick<ExpectedRun, "number" | "wantsStarted" | "token">,
): ExpectedRun {
  const { onComplete, onTerminate, retryDelay } = job.hasHandler;
  return {
    ...given,
    hasLastWord: handler === null && (onComplete || onTerminate || retryDelay),
  };
}

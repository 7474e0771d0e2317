import type { JobDefinition } from "../../core/job/job.ts";
import type { ChildChannel } from "../../platform/process/child_channel.ts";
import { Batch } from "../batching/batch.ts";
import type { AbortCause } from "../executor.ts";
import type { GuardLine } from "../guard/guard_line.ts";
import { KnownJobs } from "./known_jobs.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import type { OutputCapture } from "../output/output_capture.ts";
import { PROTOCOL_VERSION, type ResultMessage, type ToWorker } from "../protocol.ts";
import { UsageWatch } from "./usage_watch.ts";
import { startWorkerChild } from "./worker_child.ts";
import { WorkerFamily } from "./worker_family.ts";
import { type TakenMessage, WorkerInbox } from "./worker_inbox.ts";
import * as limits from "./worker_limits.ts";
import type { WorkerProcessOptions } from "./worker_process_options.ts";
import { WorkerReuse } from "./worker_reuse.ts";
import * as runOf from "./worker_run.ts";
import type { FollowingRun, WorkerEnding, WorkerRun } from "./worker_run.ts";

/** The daemon's side of one worker process: its messages, output, guard and end. */
export class WorkerProcess {
  readonly id: string;
  /** Runs begun. */
  runs = 0;
  /** Monotonic ms since which it is idle. */
  idleSinceMs = 0;
  /** Monotonic ms at which its memory was looked at. */
  memorySeenMs = 0;
  readonly reuse = new WorkerReuse();
  readonly #options: WorkerProcessOptions;
  readonly #channel: ChildChannel | null;
  readonly #inbox: WorkerInbox;
  readonly #family: WorkerFamily | null = null;
  #usage: UsageWatch | null = null;
  readonly #output: OutputCapture | null = null;
  readonly #guard: GuardLine;
  readonly #limit: LazyTimer;
  readonly #wake: LazyTimer;
  readonly #look: LazyTimer;
  readonly #jobs = new KnownJobs();
  readonly #batch: Batch;
  #run: WorkerRun | null = null;
  #runNumber = 0;
  /** The run before it: what that one left behind may be told once this one has begun. */
  #last: { readonly number: number; readonly run: WorkerRun } | null = null;
  #backlog: ToWorker[] | null = [];
  #result: ResultMessage | null = null;
  #exit: { readonly code: number | null; readonly signal: string | null } | null = null;
  #isDrained = false;
  #isGone = false;
  #isBad = false;
  /** Processes that its last command started keep running after its end. */
  #hasLeft = false;
  #isWaitingForStart = true;
  #fault: runOf.StartFault | null = null;
  #isRefused = false;

  constructor(options: WorkerProcessOptions) {
    this.#options = options;
    this.id = options.id;
    const { clock, launch, token, mask, memory, budgets } = options;
    this.#limit = new LazyTimer(clock, () => this.#limitReached());
    this.#wake = new LazyTimer(clock, () => this.#run?.wake());
    this.#look = new LazyTimer(clock, () => this.#run && this.takeBack(this.#run));
    this.#inbox = new WorkerInbox({
      clock,
      answers: budgets.answers,
      channel: () => this.#channel,
      before: () => this.#lookForResults(),
      receive: (message) => this.#receive(message),
      violated: (problem) => this.#violated(problem),
    });
    const { child, guard, output, channel } = startWorkerChild({
      ...{ clock, launch, token, mask, budget: budgets.output },
      memory: memory?.descriptor ?? null,
      onOutput: () => this.#lookForResults(),
      onMessage: (message, bytes) => this.#inbox.read(message, bytes),
      onFault: (problem) => this.#violated(problem),
    });
    this.#batch = new Batch(memory);
    this.#channel = channel;
    this.#guard = guard;
    child.on("error", (error) => {
      if (child.pid !== undefined) return;
      this.#fault = runOf.spawnFault(error);
      this.#gone();
    });
    if (child.pid === undefined) return;
    this.#output = output;
    this.#family = new WorkerFamily(clock, child.pid, options.familyMarker);
    child.once("exit", (code, signal) => this.#exited(code, signal));
    this.#limit.set(clock.now().monotonicMs + limits.HELLO_MS_MAX);
  }

  /** Null when it could not be started. */
  get pid(): number | null {
    return this.#family?.pid ?? null;
  }

  /** Whether it has what this job's code is now, or nothing of it: a module's earlier version stays in its memory. */
  isUpToDate(job: JobDefinition): boolean {
    return this.#jobs.isUpToDate(job);
  }

  /** Whether it takes further runs. */
  get isUsable(): boolean {
    return !this.#isBad && this.#exit === null && !this.#isGone;
  }

  /** Whether its current run is known to have left the daemon's hands: job code may be running. */
  get hasStarted(): boolean {
    return this.#backlog === null;
  }

  /** How many runs of this job it can be given at once. */
  batchMax(job: JobDefinition): number {
    const canBatch = this.hasStarted && this.#jobs.has(job) && this.#output?.wantsMarks === false;
    return canBatch ? this.#batch.max : 1;
  }

  /** Execute something, and after it as many followers, of the same job, as it can be given; it must be usable and not busy. */
  run(run: WorkerRun, followers: readonly FollowingRun[] = []): void {
    const { job, instance, handler } = run;
    const number = this.runs + 1;
    this.runs += 1 + followers.length;
    this.#batch.begin(followers);
    const wantsStarted = followers.length === 0 && runOf.needsStarted(run, this.#jobs.has(job));
    this.#take(run, number, wantsStarted);
    this.#output?.begin(runOf.outputOwner(run, number, this.#drained));
    if (this.#fault !== null) return this.#options.clock.defer(() => this.#gone());
    const ref = this.#jobs.refOf(job, (message) => this.#send(message));
    const { token } = this.#options;
    const common = { run: number, ref, token, workerId: this.id };
    if (followers.length > 0) {
      const instances = [instance, ...followers.map((follower) => follower.instance)];
      this.#send({ type: "batch", ...common, instances });
    } else {
      const wantsMarks = this.#output?.wantsMarks ?? true;
      this.#send({ type: "run", ...common, instance, handler, wantsStarted, wantsMarks });
    }
    if (this.hasStarted) this.#armLoad();
  }

  #take(run: WorkerRun, number: number, wantsStarted = false): void {
    this.#run = run;
    this.#isWaitingForStart = wantsStarted;
    const { token } = this.#options;
    this.#inbox.begin(run, runOf.expectedRun(run, number, { wantsStarted, token }));
    this.#runNumber = number;
    this.#result = null;
    this.#isDrained = false;
    this.#guard.set(this.#batch.deadlineMs(run));
  }

  readonly #drained = () => {
    this.#isDrained = true;
    this.#settle();
  };

  /** Return what follows `run` in its batch, and `run` itself, unless it has begun; what has ended is known afterwards. */
  takeBack(run: WorkerRun): void {
    const returned = this.#batch.takeBack(run);
    this.#lookForResults();
    if (this.#run && returned.length > 0) this.#guard.set(this.#batch.deadlineMs(this.#run));
    // One that has begun is known by the result before it, which may not be shown yet.
    if (!this.#batch.isEmpty) this.#look.set(this.#options.clock.now().monotonicMs + 1);
    runOf.giveBack(returned);
  }

  /** Call the run's `wake` at this monotonic time; null for never. */
  wakeAt(run: WorkerRun, dueMs: number | null): void {
    if (this.#run === run) this.#wake.set(dueMs);
  }

  /** The run's deadline was moved; answers whether it is the current one. */
  extend(run: WorkerRun): boolean {
    if (this.#run !== run) return false;
    this.#guard.set(this.#batch.deadlineMs(run));
    return true;
  }

  abort(run: WorkerRun, cause: AbortCause): void {
    if (this.#run === run) this.#send({ type: "abort", run: this.#runNumber, cause });
  }

  /** Signal the command's group and, unless only the command is meant, the worker's own. */
  kill(signal: "SIGTERM" | "SIGKILL"): void {
    this.#isBad ||= signal === "SIGKILL" || this.#family?.commandGroup === null;
    if (this.#exit === null) this.#family?.kill(signal);
  }

  /** End an idle worker: it may run its exit handlers for a second. */
  end(): void {
    this.#isBad = true;
    if (this.#exit !== null || this.#isGone) return;
    if (!this.hasStarted) return this.kill("SIGKILL");
    this.#send({ type: "end" });
    this.#limit.set(this.#options.clock.now().monotonicMs + limits.END_MS_MAX);
  }

  #send(message: ToWorker): void {
    if (this.#backlog !== null) this.#backlog.push(message);
    else this.#channel?.send(message);
  }

  #armLoad(isWaiting = this.#isWaitingForStart): void {
    this.#isWaitingForStart = isWaiting;
    const isLimited = isWaiting && this.#run?.job.source.type === "module";
    this.#limit.set(isLimited ? this.#options.clock.now().monotonicMs + limits.LOAD_MS_MAX : null);
    if (!isWaiting && this.#run) this.#began();
  }

  #began(): void {
    const run = this.#run!;
    this.#usage = UsageWatch.start(this.#options.clock, run.job, this.#family!, (error) => {
      run.exceeded(error);
      this.kill("SIGKILL");
    });
    run.started();
  }

  /** The results of a batch but the last come without a message: those runs ended in silence, and the next has begun. */
  #lookForResults(): void {
    for (const result of this.#batch.results()) {
      const run = this.#run!;
      const next = result?.run === this.#runNumber ? this.#batch.next() : null;
      // Nothing can be known any more of what it runOf.
      if (result === null || next === null) return this.kill("SIGKILL");
      this.#last = { number: this.#runNumber, run };
      this.#take(next, this.#runNumber + 1);
      this.#output!.passOn(runOf.outputOwner(next, this.#runNumber, this.#drained));
      run.ended(runOf.resultEnding(result));
      next.promoted();
    }
  }

  /** Called for a message that only job code can have sent. */
  #violated(problem: string): void {
    this.#channel?.close();
    this.#run?.violated(runOf.violation(problem));
    this.kill("SIGKILL");
  }

  #receive(message: TakenMessage): void {
    const run = this.#run!;
    switch (message.type) {
      case "hello":
        return this.#greeted(message.version);
      case "unfit":
        return this.#unstartable(message.message, "job");
      case "late": {
        this.#isBad = true;
        const { number, run: last } = this.#last ?? { number: 0, run: null };
        return this.#options.onLate(this, message.run === number ? last : this.#run, message.error);
      }
      case "started":
        return this.#armLoad(false);
      case "progress":
        return run.progress(message.progress);
      case "group":
        return this.#family!.setCommandGroup(message.group);
      case "decided":
        return run.decided(message.result);
      case "result":
        return this.#ended(message, run);
      case "refused":
        this.#endBatch(run);
        // It starts elsewhere once this worker certainly does nothing more for it.
        this.#isRefused = true;
        return this.kill("SIGKILL");
    }
  }

  #ended(message: ResultMessage, run: WorkerRun): void {
    this.#endBatch(run);
    if (this.#run !== run) return;
    this.#result = message;
    if (message.isSilent && this.#output!.skipMarkers()) return;
    if (message.isSilent) this.#send({ type: "mark", run: this.#runNumber });
    this.#limit.set(this.#options.clock.now().monotonicMs + limits.DRAIN_MS_MAX);
    this.#settle();
  }

  /** Nothing of it begins any more; a worker that says so although something has begun is good for nothing. */
  #endBatch(run: WorkerRun): void {
    this.takeBack(run);
    if (!this.#batch.isEmpty) this.kill("SIGKILL");
  }

  #greeted(version: number): void {
    if (version !== PROTOCOL_VERSION) return this.#unstartable(runOf.versionProblem(version));
    const backlog = this.#backlog ?? [];
    this.#backlog = null;
    this.#limit.set(null);
    for (const message of backlog) this.#send(message);
    if (this.#run) this.#armLoad();
  }

  #limitReached(): void {
    if (this.#result !== null || this.#exit !== null) {
      // Something holds the output open, such as a child that left the group.
      this.#isBad = true;
      this.#isDrained = true;
      if (this.#hasLeft) this.#options.keptOutputs.add(this.#output!);
      else this.#output?.close();
      return this.#settle();
    }
    if (this.#backlog !== null) {
      return this.#unstartable(`it did not respond within ${limits.HELLO_MS_MAX} ms`);
    }
    if (!this.#run) return this.kill("SIGKILL");
    this.#unstartable(`its job module did not load in ${limits.LOAD_MS_MAX} ms`, "job");
  }

  #unstartable(message: string, whose: runOf.StartFault["whose"] = "worker"): void {
    this.#fault ??= { message, whose };
    this.kill("SIGKILL");
  }

  #exited(code: number | null, signal: string | null): void {
    this.#exit = { code, signal };
    this.#isBad = true;
    this.#isDrained = false;
    this.#limit.set(null);
    this.#guard.close();
    this.#wake.cancel();
    this.#usage?.stop();
    this.#family!.whenGone(() => this.#familyGone());
  }

  #familyGone(): void {
    this.#limit.set(this.#options.clock.now().monotonicMs + limits.DRAIN_MS_MAX);
    this.#output!.whenClosed(() => {
      this.#isDrained = true;
      // A result sent before the exit may still be in the channel, which a child of the worker may
      // keep open.
      this.#channel!.whenClosed(() => this.#settle());
      if (this.#isGone) return;
      this.#limit.set(this.#options.clock.now().monotonicMs + limits.CHANNEL_MS_MAX);
    });
  }

  /** Ends the run once its result or the exit is known and the output is complete. */
  #settle(): void {
    if (!this.#isDrained) return;
    if (this.#exit !== null) return this.#gone();
    if (this.#result === null) return;
    if (this.#result.reuse === "left" && this.#mayLeave()) return this.#leave(this.#result);
    if (this.#result.reuse !== null && this.#result.reuse !== "left" && this.#run) {
      this.reuse.note(this.#result, this.#run.job, this.#options.clock.now().monotonicMs);
      return this.#finish(runOf.resultEnding(this.#result));
    }
    // The run counts as ended when nothing of it is left: at the exit.
    this.kill("SIGKILL");
  }

  /** Only for commands whose table allows it: a module's code could send this to outlive its limits. */
  #mayLeave(): boolean {
    const source = this.#run?.job.source;
    return source?.type === "command" && source.command.leavesChildren === true;
  }

  #leave(result: ResultMessage): void {
    this.#family!.leave();
    this.#hasLeft = true;
    this.#isBad = true;
    this.#finish(runOf.resultEnding(result));
  }

  #gone(): void {
    if (this.#isGone) return;
    this.#lookForResults();
    this.#isGone = true;
    this.#channel?.close();
    this.#limit.cancel();
    this.#wake.cancel();
    this.#guard.close();
    if (this.#run) this.#finish(this.#ending());
    this.#look.cancel();
    this.#batch.free();
    this.#options.onGone(this);
  }

  #ending(): WorkerEnding {
    if (this.#result !== null) return runOf.resultEnding(this.#result);
    if (this.#isRefused) return { type: "refused" };
    const exit = this.#exit ?? { code: null, signal: null };
    const said = this.#output?.strayText || this.#output?.stderrTail || "";
    const hasBegun = this.#fault === null && this.#backlog === null &&
      !(this.#isWaitingForStart && runOf.isStarvedExit(exit, said));
    return hasBegun ? { type: "exit", ...exit } : runOf.unstartedEnding(this.#fault, exit, said);
  }

  #finish(ending: WorkerEnding): void {
    const run = this.#run!;
    const returned = this.#batch.takeBack(run);
    const begun = this.#batch.end();
    this.#output?.end();
    this.#last = { number: this.#runNumber, run };
    this.#run = null;
    this.#inbox.end();
    this.#result = null;
    if (this.#family) this.#family.commandGroup = null;
    this.#usage?.stop();
    this.#usage = null;
    this.#guard.set(null);
    if (!this.#isGone) {
      this.#limit.set(null);
      this.#wake.set(null);
      if (this.#isBad) this.end();
      else this.#options.onIdle(this);
    }
    run.ended(
      ending.type === "result" ? { ...ending, stderrTail: this.#output?.stderrTail ?? "" } : ending,
    );
    runOf.giveBack(returned);
    for (const follower of begun) follower.ended({ type: "exit", code: null, signal: "SIGKILL" });
  }
}

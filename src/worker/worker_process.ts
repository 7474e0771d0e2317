import type { ChildProcess } from "node:child_process";
import type { ErrorInfo, LogLevel } from "../core/instance.ts";
import type { JobDefinition } from "../core/job.ts";
import type { Clock } from "../platform/clock.ts";
import type { AbortCause } from "./executor.ts";
import type { GuardLine } from "./guard_line.ts";
import { LazyTimer } from "./lazy_timer.ts";
import type { OutputCapture } from "./output_capture.ts";
import { passMessage } from "./pass_message.ts";
import { readProgress } from "./progress_reporter.ts";
import { type FromWorker, PROTOCOL_VERSION, type ToWorker, type WireJob } from "./protocol.ts";
import { maskOf } from "./secret_mask.ts";
import { UsageWatch } from "./usage_watch.ts";
import { startWorkerChild } from "./worker_child.ts";
import { WorkerFamily } from "./worker_family.ts";
import type { WorkerLaunch } from "./worker_launch.ts";
import { answerCall, unstartedMessage, type WorkerEnding, type WorkerRun } from "./worker_run.ts";

/** How long a worker may take from its spawn to its first message. */
const HELLO_MS_MAX = 30_000;
/** How long the import of a job module may take. */
const LOAD_MS_MAX = 30_000;
/** How long output may stay on its way once the result or the exit of a worker is known. */
const DRAIN_MS_MAX = 1_000;
/** How long the channel of an exited worker may take to end. */
const CHANNEL_MS_MAX = 50;
/** How long a worker that was told to end may run its exit handlers. */
const END_MS_MAX = 1_000;

/** What a worker process is started with, and whom it tells. */
export interface WorkerProcessOptions {
  readonly clock: Clock;
  readonly id: string;
  readonly launch: WorkerLaunch;
  /** Value of the variable by which its processes are known. */
  readonly familyMarker: string;
  /** Unguessable, so that output cannot pass for a marker. */
  readonly token: string;
  /** The worker can take a run. */
  readonly onIdle: (worker: WorkerProcess) => void;
  /** The process is gone. */
  readonly onGone: (worker: WorkerProcess) => void;
  /** An error of what an ended run left behind; the worker takes no more runs. */
  readonly onLate: (worker: WorkerProcess, run: WorkerRun | null, error: ErrorInfo) => void;
}

/** The daemon's side of one worker process: its messages, output, guard and end. */
export class WorkerProcess {
  readonly id: string;
  /** Hash of each file of the modules that it loaded, by path. */
  readonly loaded = new Map<string, string>();
  /** Runs begun. */
  runs = 0;
  /** Monotonic ms since which it is idle. */
  idleSinceMs = 0;
  /** Monotonic ms at which its memory was looked at. */
  memorySeenMs = 0;
  /** The only module that it may serve, as its load changed the process. */
  exclusivePath: string | null = null;
  /** Monotonic ms at which it serves no more, as something was left open in it; null while nothing is. */
  retireAtMs: number | null = null;
  readonly #options: WorkerProcessOptions;
  readonly #child: ChildProcess;
  readonly #family: WorkerFamily | null = null;
  #usage: UsageWatch | null = null;
  readonly #output: OutputCapture | null = null;
  readonly #guard: GuardLine;
  readonly #limit: LazyTimer;
  readonly #wake: LazyTimer;
  readonly #jobs = new Map<JobDefinition, number>();
  #run: WorkerRun | null = null;
  /** By number, the last run and the one before it: what that one left behind may be told once the last has begun. */
  readonly #recent = new Map<number, WorkerRun>();
  #backlog: ToWorker[] | null = [];
  #result: Extract<FromWorker, { readonly type: "result" }> | null = null;
  #exit: { readonly code: number | null; readonly signal: string | null } | null = null;
  #isDrained = false;
  #isGone = false;
  #isBad = false;
  #isWaitingForStart = true;
  #startProblem: string | null = null;
  #isJobFault = false;

  constructor(options: WorkerProcessOptions) {
    this.#options = options;
    this.id = options.id;
    const { clock } = options;
    this.#limit = new LazyTimer(clock, () => this.#limitReached());
    this.#wake = new LazyTimer(clock, () => this.#run?.wake());
    const { child, guard, output } = startWorkerChild(clock, options.launch, options.token);
    this.#child = child;
    this.#guard = guard;
    child.on("error", (error) => this.#spawnFailed(error));
    if (child.pid === undefined) return;
    this.#output = output;
    this.#family = new WorkerFamily(clock, child.pid, options.familyMarker);
    this.#child.on("message", (message) => passMessage(message, (read) => this.#receive(read)));
    this.#child.once("exit", (code, signal) => this.#exited(code, signal));
    this.#limit.set(clock.now().monotonicMs + HELLO_MS_MAX);
  }

  /** Null when it could not be started. */
  get pid(): number | null {
    return this.#family?.pid ?? null;
  }

  /** Whether this definition was run in it before. */
  knows(job: JobDefinition): boolean {
    return this.#jobs.has(job);
  }

  /** Whether it takes further runs. */
  get isUsable(): boolean {
    return !this.#isBad && this.#exit === null && !this.#isGone;
  }

  /** Whether its current run is known to have left the daemon's hands: job code may be running. */
  get hasStarted(): boolean {
    return this.#backlog === null;
  }

  /** Execute something; the worker must be usable and not busy. */
  run(run: WorkerRun): void {
    const { job, instance, handler } = run;
    this.#run = run;
    this.runs += 1;
    this.#recent.set(this.runs, run);
    this.#recent.delete(this.runs - 2);
    this.#result = null;
    this.#isDrained = false;
    const stderrLevel: LogLevel = job.source.type === "command" ? "warn" : "error";
    this.#output?.begin({
      run: this.runs,
      stderrLevel,
      limits: job.options.output,
      mask: maskOf(job.source),
      log: (entries) => run.log(entries),
      drained: () => {
        this.#isDrained = true;
        this.#settle();
      },
    });
    this.#guard.set(run.deadlineMs);
    const wantsStarted = this.#noteModule(job) || instance.timeoutMs > 0 ||
      job.source.type === "command";
    if (this.#startProblem !== null) return this.#options.clock.defer(() => this.#gone());
    const ref = this.#refOf(job);
    this.#send({
      type: "run",
      run: this.runs,
      ref,
      instance,
      handler,
      wantsStarted,
      token: this.#options.token,
      workerId: this.id,
      wantsMarks: this.#output?.wantsMarks ?? true,
    });
    this.#isWaitingForStart = wantsStarted;
    if (this.hasStarted) this.#armLoad();
  }

  /** Call the run's `wake` at this monotonic time; null for never. */
  wakeAt(dueMs: number | null): void {
    this.#wake.set(dueMs);
  }

  /** The current run's code must have ended at this monotonic time. */
  extend(deadlineMs: number): void {
    this.#guard.set(deadlineMs);
  }

  abort(cause: AbortCause): void {
    if (this.#run) this.#send({ type: "abort", run: this.runs, cause });
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
    if (this.#backlog !== null) return this.kill("SIGKILL");
    this.#send({ type: "end" });
    this.#limit.set(this.#options.clock.now().monotonicMs + END_MS_MAX);
  }

  #refOf(job: JobDefinition): number {
    const known = this.#jobs.get(job);
    if (known !== undefined) return known;
    const ref = this.#jobs.size + 1;
    this.#jobs.set(job, ref);
    const { kind, signature } = job;
    const source = job.source as WireJob["source"];
    this.#send({ type: "job", ref, job: { kind, source, signature } });
    return ref;
  }

  /** Whether the job's module is new to this worker. */
  #noteModule(job: JobDefinition): boolean {
    if (job.source.type !== "module") return false;
    if (this.#jobs.has(job)) return false;
    const { path, version, files } = job.source;
    for (const [file, hash] of files ?? [[path, version]]) this.loaded.set(file, hash);
    return true;
  }

  #send(message: ToWorker): void {
    if (this.#backlog !== null) this.#backlog.push(message);
    else if (this.#child.connected) this.#child.send(message, () => {});
  }

  #armLoad(): void {
    const isLimited = this.#isWaitingForStart && this.#run?.job.source.type === "module";
    this.#limit.set(isLimited ? this.#options.clock.now().monotonicMs + LOAD_MS_MAX : null);
    if (!this.#isWaitingForStart && this.#run) this.#began();
  }

  #began(): void {
    const run = this.#run!;
    this.#usage = UsageWatch.start(this.#options.clock, run.job, this.#family!, (error) => {
      run.exceeded(error);
      this.kill("SIGKILL");
    });
    run.started();
  }

  #receive(message: FromWorker): void {
    if (message.type === "hello") return this.#greeted(message.version);
    if (message.type === "unfit") {
      this.#startProblem = message.message;
      this.#isJobFault = true;
      return this.kill("SIGKILL");
    }
    if (message.type === "late") {
      this.#isBad = true;
      return this.#options.onLate(this, this.#recent.get(message.run) ?? null, message.error);
    }
    if (this.#run === null || message.run !== this.runs) return;
    switch (message.type) {
      case "started":
        this.#isWaitingForStart = false;
        this.#limit.set(null);
        return this.#began();
      case "progress": {
        // Job code can send messages of its own.
        const progress = readProgress(message.progress?.done, message.progress?.total);
        return progress ? this.#run.progress(progress) : undefined;
      }
      case "call":
        return this.#call(message.call, message.method, message.args);
      case "group":
        if (this.#run.job.source.type === "command") this.#family!.commandGroup = message.group;
        return;
      case "decided":
        return this.#run.decided(message.result);
      case "result":
        this.#result = message;
        if (message.isSilent && this.#output!.skipMarkers()) return;
        if (message.isSilent) this.#send({ type: "mark", run: this.runs });
        this.#limit.set(this.#options.clock.now().monotonicMs + DRAIN_MS_MAX);
        return this.#settle();
      case "refused":
        this.#isBad = true;
        return this.#finish({ type: "refused" });
    }
  }

  #greeted(version: number): void {
    if (version !== PROTOCOL_VERSION) {
      this.#startProblem =
        `it speaks version ${version} of the protocol, this daemon ${PROTOCOL_VERSION}: restart the daemon`;
      return this.kill("SIGKILL");
    }
    const backlog = this.#backlog ?? [];
    this.#backlog = null;
    this.#limit.set(null);
    for (const message of backlog) this.#send(message);
    if (this.#run) this.#armLoad();
  }

  #call(call: number, method: string, args: readonly unknown[]): void {
    const run = this.#run!;
    void answerCall(run, method, args).then((answer) => {
      if (this.#run === run) this.#send({ type: "reply", call, ...answer });
    });
  }

  #limitReached(): void {
    if (this.#result !== null || this.#exit !== null) {
      // Something holds the output open, such as a child that left the group.
      this.#isBad = true;
      this.#isDrained = true;
      this.#output?.close();
      return this.#settle();
    }
    if (this.#backlog !== null) this.#startProblem = `it said nothing for ${HELLO_MS_MAX} ms`;
    else if (this.#run) {
      this.#startProblem = `its job module did not load in ${LOAD_MS_MAX} ms`;
      this.#isJobFault = true;
    }
    this.kill("SIGKILL");
  }

  #spawnFailed(error: Error): void {
    if (this.#child.pid !== undefined) return;
    this.#startProblem = error.message;
    this.#isBad = true;
    this.#gone();
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
    this.#limit.set(this.#options.clock.now().monotonicMs + DRAIN_MS_MAX);
    this.#output!.whenClosed(() => {
      this.#isDrained = true;
      if (!this.#child.connected) return this.#settle();
      // A result that was sent before the exit may still be in the channel. Deno tells no end of a channel in which the worker
      // left something unread.
      this.#child.once("disconnect", () => this.#settle());
      this.#limit.set(this.#options.clock.now().monotonicMs + CHANNEL_MS_MAX);
    });
  }

  /** Ends the run once its result or the exit is known and the output is complete. */
  #settle(): void {
    if (!this.#isDrained) return;
    if (this.#exit !== null) return this.#gone();
    if (this.#result === null) return;
    if (this.#result.reuse !== null && this.#run) {
      const { result, reuse, isExclusive, tookMs = null } = this.#result;
      const { source } = this.#run.job;
      if (isExclusive && source.type === "module") this.exclusivePath = source.path;
      const graceMs = this.#run.job.options.killAfterMs;
      if (reuse === "clean") this.retireAtMs = null;
      else this.retireAtMs ??= this.#options.clock.now().monotonicMs + graceMs;
      return this.#finish({ type: "result", result, stderrTail: "", tookMs });
    }
    // The run counts as ended when nothing of it is left: at the exit.
    this.kill("SIGKILL");
  }

  #gone(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#limit.cancel();
    this.#wake.cancel();
    this.#guard.close();
    const run = this.#run;
    if (run) this.#finish(this.#ending());
    this.#options.onGone(this);
  }

  #ending(): WorkerEnding {
    if (this.#result !== null) {
      return { type: "result", result: this.#result.result, stderrTail: "", tookMs: null };
    }
    const exit = this.#exit ?? { code: null, signal: null };
    if (this.#startProblem === null && this.#backlog === null) return { type: "exit", ...exit };
    const said = this.#output?.strayText || this.#output?.stderrTail || "";
    const message = unstartedMessage(this.#startProblem, exit, said);
    return { type: "unstarted", message, isJobFault: this.#isJobFault };
  }

  #finish(ending: WorkerEnding): void {
    const run = this.#run!;
    this.#output?.end();
    this.#run = null;
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
  }
}

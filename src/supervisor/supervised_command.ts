import { JobError, messageOf } from "../core/errors.ts";
import type { LiveUsage } from "../core/instance.ts";
import type { ProcessLimits } from "../core/job/job.ts";
import type { Clock } from "../platform/clock.ts";
import { LazyTimer } from "../platform/lazy_timer.ts";
import {
  type Family,
  findFamilyInTurns,
  killFamilyInTurns,
} from "../platform/process/descendants.ts";
import { isResourceError } from "../platform/process/resources.ts";
import { UsageWatch } from "../worker/process/usage_watch.ts";
import type { WorkerEnding } from "../worker/process/worker_ending.ts";
import type { RunHost, WorkerRun } from "../worker/process/worker_run.ts";
import type { CommandLaunch, FromSupervisor, ToSupervisor } from "./protocol.ts";

/** How long a supervisor may take to kill a command before the daemon does. */
const RESPONSE_MS_MAX = 20;
/** How long it may take to report the end of a command whose processes were killed. */
const REPORT_MS_MAX = 5_000;

/** What a command needs of its supervisor. */
export interface CommandSupervisor {
  readonly hasStarted: boolean;
  /** Null if it could not be started. */
  readonly pid: number | null;
  /** Take a command, and begin it once the supervisor has started. */
  take(command: SupervisedCommand): void;
  /** Forget a command that has not been sent to it. */
  drop(command: SupervisedCommand): void;
  send(message: ToSupervisor): void;
  /** The deadline of a command was moved. */
  extend(command: SupervisedCommand, deadlineMs: number): void;
  /** It no longer works: kill it with all that it runs. */
  giveUp(): void;
}

/** One command of a supervisor as the daemon sees it. */
export class SupervisedCommand implements RunHost {
  readonly number: number;
  readonly marker: string;
  /** Its first process; null until that has started. */
  leader: number | null = null;
  readonly #clock: Clock;
  readonly #supervisor: CommandSupervisor;
  readonly #launch: (run: WorkerRun) => CommandLaunch;
  readonly #limits: ProcessLimits | null;
  readonly #wake: LazyTimer;
  readonly #report: LazyTimer;
  #run: WorkerRun | null = null;
  #usage: UsageWatch | null = null;
  #startMs = 0;
  #isKilledHere = false;

  constructor(
    supervisor: CommandSupervisor,
    options: {
      readonly clock: Clock;
      readonly number: number;
      readonly marker: string;
      readonly limits: ProcessLimits | null;
      readonly launch: (run: WorkerRun) => CommandLaunch;
    },
  ) {
    const { clock } = options;
    this.number = options.number;
    this.marker = options.marker;
    this.#clock = clock;
    this.#supervisor = supervisor;
    this.#launch = options.launch;
    this.#limits = options.limits;
    this.#wake = new LazyTimer(clock, () => this.#run?.wake());
    this.#report = new LazyTimer(clock, () => this.#reportIsLate());
  }

  get hasStarted(): boolean {
    return this.#supervisor.hasStarted;
  }

  /** The processes of the command. */
  get family(): Family {
    const sessions = new Set(this.leader === null ? [] : [this.leader]);
    return { marker: this.marker, sessions };
  }

  batchMax(): number {
    return 1;
  }

  run(run: WorkerRun): void {
    this.#run = run;
    this.#supervisor.take(this);
  }

  takeBack(): void {}

  wakeAt(_run: WorkerRun, dueMs: number | null): void {
    if (this.#run !== null) this.#wake.set(dueMs);
  }

  extend(): boolean {
    if (this.#run === null) return false;
    this.#supervisor.extend(this, this.#run.deadlineMs!);
    return true;
  }

  abort(): void {
    this.#signal("SIGTERM");
  }

  kill(signal: "SIGTERM" | "SIGKILL"): void {
    if (this.#run === null) return;
    if (!this.hasStarted) {
      this.#supervisor.drop(this);
      return this.end({ type: "exit", code: null, signal });
    }
    this.#signal(signal);
    if (signal === "SIGKILL") this.#report.setIn(RESPONSE_MS_MAX);
  }

  /** The supervisor may be frozen, and the command must not outlive its deadline. */
  #reportIsLate(): void {
    if (this.#isKilledHere) return this.#supervisor.giveUp();
    this.#isKilledHere = true;
    void killFamilyInTurns(this.family, null, this.#clock);
    this.#report.setIn(REPORT_MS_MAX);
  }

  /** The message that begins it. @throws JobError if it cannot run, by its arguments or its user */
  begin(): ToSupervisor {
    const run = this.#run!;
    const nowMs = this.#clock.now().monotonicMs;
    this.#startMs = nowMs;
    const untilMs = Math.max(0, run.deadlineMs! - nowMs);
    const wantsStarted = run.instance.timeoutMs > 0 || this.#limits !== null;
    return { type: "run", run: this.number, command: this.#launch(run), untilMs, wantsStarted };
  }

  receive(message: Extract<FromSupervisor, { readonly type: "started" | "log" | "ended" }>): void {
    const run = this.#run;
    if (run === null) return;
    switch (message.type) {
      case "started":
        if (this.#limits !== null) this.#usage = this.#watchUsage(run, this.#limits);
        return run.started();
      case "log":
        return run.sink.log(message.entries);
      case "ended": {
        const { result, stderrTail, usage } = message;
        if (usage !== null) run.sink.used(usage);
        if (result === null) return this.end({ type: "expired" });
        const tookMs = this.#clock.now().monotonicMs - this.#startMs;
        return this.end({ type: "result", result, stderrTail, tookMs, isSilent: false });
      }
    }
  }

  used(usage: LiveUsage): void {
    this.#run?.sink.used(usage);
  }

  /** It did not begin. */
  fail(thrown: unknown): void {
    const error = { name: "JobError", message: messageOf(thrown) };
    const type = isResourceError(thrown) && !(thrown instanceof JobError) ? "unstarted" : "error";
    this.end({
      type: "result",
      result: { type, error },
      stderrTail: "",
      tookMs: null,
      isSilent: true,
    });
  }

  end(ending: WorkerEnding): void {
    const run = this.#run;
    this.#run = null;
    this.#wake.cancel();
    this.#report.cancel();
    this.#usage?.stop();
    run?.ended(ending);
  }

  #signal(signal: "SIGTERM" | "SIGKILL"): void {
    this.#supervisor.send({ type: "signal", run: this.number, signal });
  }

  #watchUsage(run: WorkerRun, limits: ProcessLimits): UsageWatch {
    return new UsageWatch({
      clock: this.#clock,
      limits,
      worker: null,
      adopter: this.#supervisor.pid,
      find: () => findFamilyInTurns(this.family, null, this.#clock),
      onExceeded: (error) => {
        run.exceeded(error);
        this.kill("SIGKILL");
      },
    });
  }
}

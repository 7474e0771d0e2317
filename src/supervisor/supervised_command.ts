import { JobError, messageOf } from "../core/errors.ts";
import { isPrinted, type LiveUsage, type LogEntry } from "../core/instance.ts";
import { NO_LIMITS, type ProcessLimits } from "../core/job/job.ts";
import type { SecretMask } from "../core/text/secret_mask.ts";
import { type Clock, inTime } from "../platform/clock.ts";
import { LazyTimer } from "../platform/lazy_timer.ts";
import { type Family, findFamilyInTurns } from "../platform/process/descendants.ts";
import { spentMs } from "../platform/system/runtime.ts";
import { isResourceError } from "../platform/process/resources.ts";
import type { AbortCause, FreezeProblem } from "../worker/executor.ts";
import { UsageWatch } from "../worker/process/usage_watch.ts";
import type { WorkerEnding } from "../worker/process/worker_ending.ts";
import type { HostedRun, RunHost } from "../worker/process/run_host.ts";
import type { AttemptResult } from "../worker/protocol.ts";
import {
  type ClaimOfRun,
  type CommandLaunch,
  type FoundRun,
  type FromSupervisor,
  MEMORY_LIMIT_ERROR,
  type SealedClaim,
  type ToSupervisor,
} from "./protocol.ts";

/** Time for a supervisor to kill a command before the daemon does. */
const RESPONSE_MS_MAX = 20;
/** Time for it to report the end of a command whose processes were killed. */
const REPORT_MS_MAX = 5_000;

/** Time for it to freeze a command. */
const FREEZE_MS_MAX = 5_000;

type LogMessage = Extract<FromSupervisor, { readonly type: "log" }>;

/** Creates a supervisor's instructions for a run. @throws JobError if it cannot run */
export type StartOfCommand = (
  run: HostedRun,
) => { readonly claim: SealedClaim; readonly command: CommandLaunch };

/** A supervisor's messages about a command. */
export type CommandMessage = Extract<FromSupervisor, { readonly run: number }>;

/** Dependencies of a command on its supervisor. */
export interface CommandSupervisor {
  /** Null if it could not be started. */
  readonly pid: number | null;
  /** Take a command; begin it when the supervisor is ready, end it if the supervisor is gone. */
  take(command: SupervisedCommand): void;
  /** Forget a command that has not been sent to it. */
  drop(command: SupervisedCommand): void;
  send(message: ToSupervisor): void;
  /** Call the `wake` of a command at this monotonic time; null for never. */
  wakeAt(command: SupervisedCommand, dueMs: number | null): void;
  /** The deadline of a command was moved. */
  extend(command: SupervisedCommand, deadlineMs: number): void;
  /** The store has the first `lines` lines of a command. */
  noteLines(command: SupervisedCommand, lines: number): void;
  /** The store has the outcome of a command. */
  noteDone(command: SupervisedCommand): void;
  /** True if commands can be left to the next daemon now: the supervisor outlives us. */
  readonly canLeave: boolean;
  /** Leave a command to the next daemon. @returns false if that is not possible */
  leave(command: SupervisedCommand): boolean;
  /** Kill the processes of a command, without the supervisor. */
  kill(command: SupervisedCommand): void;
  /** Why nothing can run for a command, if known; null if it may run. */
  missing(command: SupervisedCommand): string | null;
  /** It no longer works: kill it with all its commands. */
  giveUp(): void;
}

/** A command that an earlier daemon began. */
interface BegunCommand extends Pick<FoundRun, "ageMs" | "isFrozen" | "frozenMs" | "endedAgoMs"> {
  /** Number of its lines that the store has. */
  readonly lines: number;
  /** Why that daemon aborted it; null if it did not. */
  readonly aborted: AbortCause | null;
}

/** One command of a supervisor as the daemon sees it. */
export class SupervisedCommand implements RunHost {
  readonly number: number;
  readonly marker: string;
  /** Its first process; null before its start. */
  leader: number | null = null;
  readonly #clock: Clock;
  readonly #mask: SecretMask;
  readonly #supervisor: CommandSupervisor;
  readonly #limits: ProcessLimits | null;
  readonly #begun: BegunCommand | null;
  /** Null once it has begun. */
  #start: StartOfCommand | null;
  /** Null unless it is being killed. */
  #report: LazyTimer | null = null;
  #run: HostedRun | null = null;
  #usage: UsageWatch | null = null;
  /** Takes the response to a request to freeze. */
  #frozen: ((problem: FreezeProblem | null) => void) | null = null;
  #startMs = 0;
  #isKilledHere = false;
  /** True if it only waits to be killed. */
  #isUnwanted = false;

  constructor(
    supervisor: CommandSupervisor,
    options: {
      readonly clock: Clock;
      /** Masks the secrets of all jobs: the supervisor masks only the command's own. */
      readonly mask: SecretMask;
      readonly number: number;
      readonly marker: string;
      readonly limits: ProcessLimits | null;
      /** Null if an earlier daemon began it. */
      readonly start: StartOfCommand | null;
      readonly begun?: BegunCommand;
    },
  ) {
    this.number = options.number;
    this.marker = options.marker;
    this.#clock = options.clock;
    this.#mask = options.mask;
    this.#supervisor = supervisor;
    this.#start = options.start;
    this.#limits = options.limits;
    this.#begun = options.begun ?? null;
  }

  /** True once this daemon or an earlier one has made its supervisor begin it. */
  get hasStarted(): boolean {
    return this.#start === null;
  }

  get isFound(): boolean {
    return this.#begun !== null;
  }

  /** The claim that it runs for; null after its end. */
  get claim(): ClaimOfRun | null {
    return this.#run?.instance ?? null;
  }

  get family(): Family {
    const sessions = new Set(this.leader === null ? [] : [this.leader]);
    return { marker: this.marker, sessions };
  }

  batchMax(): number {
    return 1;
  }

  run(run: HostedRun): void {
    this.#run = run;
    this.#supervisor.take(this);
    if (this.#begun === null || this.#run === null) return;
    const { ageMs, frozenMs, endedAgoMs } = this.#begun;
    this.#startMs = this.#clock.now().monotonicMs - ageMs;
    const ranMs = ageMs - frozenMs - (endedAgoMs ?? 0);
    // If it has kept its time limit, nobody enforces that any more.
    const isInTime = endedAgoMs !== null && ranMs <= run.instance.timeoutMs;
    if (!isInTime) this.#started(run, false, ranMs);
  }

  /** Kill it: nobody waits for its end. */
  discard(): void {
    if (this.#begun?.endedAgoMs !== null) return;
    this.#isUnwanted = true;
    this.#supervisor.take(this);
    this.kill("SIGKILL");
  }

  /** True if an earlier daemon has frozen it. */
  get isFrozen(): boolean {
    return this.#begun?.isFrozen ?? false;
  }

  /** Why an earlier daemon has aborted it; null if it was not aborted. */
  get aborted(): AbortCause | null {
    return this.#begun?.aborted ?? null;
  }

  #started(run: HostedRun, isBounded: boolean, agoMs?: number): void {
    this.#watchUsage(run, isBounded);
    const adoptedAt = this.isFound ? this.#clock.now().wallMs : null;
    run.sink.placed({ pid: this.leader, supervisorPid: this.#supervisor.pid, adoptedAt });
    run.started(agoMs);
  }

  linesRecorded(lines: number): void {
    this.#supervisor.noteLines(this, lines);
  }

  outcomeRecorded(): void {
    this.#supervisor.noteDone(this);
  }

  takeBack(): void {}

  wakeAt(_run: HostedRun, dueMs: number | null): void {
    if (this.#run !== null) this.#supervisor.wakeAt(this, dueMs);
  }

  /** The time set by {@link wakeAt} has come. */
  wake(): void {
    this.#run?.wake();
  }

  extend(): boolean {
    if (this.#run === null) return false;
    this.#supervisor.extend(this, this.#run.deadlineMs!);
    return true;
  }

  abort(_run: HostedRun, cause: AbortCause): void {
    this.#supervisor.send({ type: "signal", run: this.number, signal: "SIGTERM", cause });
  }

  kill(signal: "SIGTERM" | "SIGKILL", cause?: AbortCause): void {
    if (this.#run === null && !this.#isUnwanted) return;
    if (!this.hasStarted) {
      this.#supervisor.drop(this);
      return this.end({ type: "exit", code: null, signal });
    }
    this.#supervisor.send({ type: "signal", run: this.number, signal, ...(cause && { cause }) });
    if (signal === "SIGKILL") this.#awaitReport(RESPONSE_MS_MAX);
  }

  #awaitReport(limitMs: number): void {
    this.#report ??= new LazyTimer(this.#clock, () => this.#reportIsLate());
    this.#report.setIn(limitMs);
  }

  /** The supervisor may be frozen, and the command must not outlive its deadline. */
  #reportIsLate(): void {
    if (this.#isKilledHere) return this.#supervisor.giveUp();
    this.#isKilledHere = true;
    this.#supervisor.kill(this);
    this.#awaitReport(REPORT_MS_MAX);
  }

  /** The message that begins it. @throws JobError if it cannot run, by its arguments or its user */
  begin(): ToSupervisor {
    const run = this.#run!;
    const nowMs = this.#clock.now().monotonicMs;
    this.#startMs = nowMs;
    const untilMs = Math.max(0, run.deadlineMs! - nowMs);
    const wantsStarted = run.instance.timeoutMs > 0 || this.#limits !== null;
    const { claim, command } = this.#start!(run);
    this.#start = null;
    const { startAt } = run;
    return { type: "run", run: this.number, claim, command, untilMs, startAt, wantsStarted };
  }

  /** Freeze its processes, or let them continue. */
  async freeze(isFrozen: boolean): Promise<FreezeProblem | null> {
    this.#frozen?.({ type: "state", message: "another request has replaced this one" });
    const { promise, resolve } = Promise.withResolvers<FreezeProblem | null>();
    this.#frozen = resolve;
    this.#supervisor.send({ type: "freeze", run: this.number, isFrozen });
    const late = (): FreezeProblem => ({
      type: "state",
      message: "its supervisor does not respond",
    });
    return await inTime(promise, FREEZE_MS_MAX, { clock: this.#clock, late });
  }

  receive(message: CommandMessage): void {
    const run = this.#run;
    if (run === null) {
      if (message.type === "ended") this.#forget();
      return;
    }
    switch (message.type) {
      case "started":
        return this.#started(run, message.isBounded);
      case "frozen":
        return this.#frozen?.(message.problem);
      case "log":
        return this.#log(run, message);
      case "ended": {
        const { result, stderrTail, usage, agoMs = 0, aborted } = message;
        if (aborted !== undefined) run.wasAborted?.(aborted);
        if (usage !== null) run.sink.used(usage);
        if (agoMs > 0) run.sink.endedAgo(agoMs);
        if (result === null) return this.end({ type: "expired" });
        const { error } = result.type === "error" ? result : {};
        if (error?.name === MEMORY_LIMIT_ERROR) run.exceeded(error);
        const tookMs = this.#clock.now().monotonicMs - this.#startMs - agoMs;
        return this.end({
          type: "result",
          result: withTail(result, stderrTail),
          tookMs,
          isSilent: false,
        });
      }
    }
  }

  used(usage: LiveUsage): void {
    this.#run?.sink.used(usage);
  }

  #log(run: HostedRun, { first, entries }: LogMessage): void {
    const known = (this.#begun?.lines ?? 0) - first;
    const fresh = known <= 0 ? entries : withoutPrinted(entries, known);
    const mask = this.#mask;
    if (mask.isEmpty) return run.sink.log(fresh);
    run.sink.log(fresh.map((entry) => ({ ...entry, message: mask.text(entry.message) })));
  }

  /** It did not begin. */
  fail(thrown: unknown): void {
    const error = { name: "JobError", message: messageOf(thrown) };
    const type = isResourceError(thrown) && !(thrown instanceof JobError) ? "unstarted" : "error";
    this.end({
      type: "result",
      result: { type, error },
      tookMs: null,
      isSilent: true,
    });
  }

  end(ending: WorkerEnding): void {
    this.#forget()?.ended(ending);
  }

  missing(): string | null {
    return this.#run === null ? "it has ended" : this.#supervisor.missing(this);
  }

  get canLeave(): boolean {
    return this.#run !== null && this.#supervisor.canLeave;
  }

  leave(): boolean {
    if (this.#run === null || !this.#supervisor.leave(this)) return false;
    this.#forget();
    return true;
  }

  #forget(): HostedRun | null {
    const run = this.#run;
    this.#run = null;
    this.#isUnwanted = false;
    this.#supervisor.wakeAt(this, null);
    this.#report?.cancel();
    this.#usage?.stop();
    this.#frozen?.({ type: "state", message: "it has ended" });
    return run;
  }

  /** @param isBounded true if the kernel bounds its memory */
  #watchUsage(run: HostedRun, isBounded: boolean): void {
    const { cpuMs, memoryBytes } = this.#limits ?? NO_LIMITS;
    if (cpuMs === null && (isBounded || memoryBytes === null)) return;
    this.#usage = new UsageWatch({
      clock: this.#clock,
      spentMs,
      limits: { ...NO_LIMITS, cpuMs, memoryBytes: isBounded ? null : memoryBytes },
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

/** A result, with the last lines of stderr in its error. */
function withTail(result: AttemptResult, stderrTail: string): AttemptResult {
  if (result.type !== "error" || stderrTail === "") return result;
  const { error } = result;
  return { ...result, error: { ...error, message: `${error.message}: ${stderrTail}` } };
}

/** The entries behind the first `count` printed ones. */
function withoutPrinted(entries: readonly LogEntry[], count: number): readonly LogEntry[] {
  let left = count;
  const from = entries.findIndex((entry) => {
    if (left === 0) return true;
    if (isPrinted(entry)) left -= 1;
    return false;
  });
  return from < 0 ? [] : entries.slice(from);
}

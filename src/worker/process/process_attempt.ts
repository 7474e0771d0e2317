import { messageOf, toJobError } from "../../core/errors.ts";
import type { ErrorInfo, LogLevel } from "../../core/instance.ts";
import type { JobDefinition } from "../../core/job/job.ts";
import type { SecretMask } from "../../core/text/secret_mask.ts";
import type { Clock } from "../../platform/clock.ts";
import { isResourceError } from "../../platform/process/resources.ts";
import { abortInfo, isTimeLimit, maskOutcome } from "../attempt_errors.ts";
import { isBatchable } from "./batch.ts";
import type { GatedAttempt, GatedEnd } from "../batching/short_job_gate.ts";
import {
  type AbortCause,
  type Attempt,
  type AttemptOutcome,
  type AttemptSink,
  type AttemptTask,
  type FreezeProblem,
  HANDLER_MS_MAX,
} from "../executor.ts";
import { type AttemptResult, type TaskInstance, taskInstance } from "../protocol.ts";
import type { Exit } from "./worker_child.ts";
import type { WorkerEnding } from "./worker_ending.ts";
import type { FollowingRun, RunHost } from "./run_host.ts";

/** Longest time between the abort signal and SIGTERM. */
const TERM_AFTER_MS_MAX = 2_000;
/** Job code is killed this long before the deadline, to have ended by then. */
const KILL_MARGIN_MS = 50;
/** Longest time before the deadline at which an attempt with an unrenewed lease is aborted. */
const EXPIRE_MARGIN_MS_MAX = 1_000;
/** Most characters of arguments in one batch. */
const BATCH_LENGTH_MAX = 65_536;
/** Most times that a refused attempt is given to another worker. */
const REFUSALS_MAX = 3;
/** For the gate: the end of an attempt without a result. */
const UNKNOWN_END: GatedEnd = { tookMs: null, isSilent: false };

/** State shared by all attempts of an executor. */
export interface AttemptHost {
  readonly clock: Clock;
  readonly mask: SecretMask;
  /** Name of the executor, for messages. */
  readonly executedBy: string;
  /** True if a success after the time limit counts: the abort did not cause it. */
  readonly keepsLateSuccess: boolean;
  /** Find a host for an attempt of a job. @throws JobError if there is none */
  readonly acquire: (job: JobDefinition) => RunHost;
  readonly onEnd: (attempt: ProcessAttempt, end: GatedEnd) => void;
  /** It did not begin in its worker and waits for another one. */
  readonly onReturn: (attempt: ProcessAttempt) => void;
}

/** An attempt in a worker process: its time limit, the steps of its abort, and its outcome. */
export class ProcessAttempt implements Attempt, GatedAttempt, FollowingRun {
  readonly #ending = Promise.withResolvers<AttemptOutcome>();
  readonly outcome = this.#ending.promise;
  readonly job: JobDefinition;
  readonly instance: TaskInstance;
  readonly handler = null;
  readonly sink: AttemptSink;
  deadlineMs: number;
  readonly startAt: number | undefined;
  /** True if it may be queued behind others in a worker. */
  canFollow: boolean;
  readonly #host: AttemptHost;
  /** Null until it begins. */
  #worker: RunHost | null = null;
  #cause: AbortCause | null = null;
  /** True if it was aborted before its start. */
  #isUnstarted = false;
  #timeoutAtMs = Infinity;
  /** Remaining time limit when it was frozen. */
  #timeoutLeftMs = Infinity;
  #expireAtMs = Infinity;
  #termAtMs = Infinity;
  #killAtMs = Infinity;
  #decided: AttemptResult | null = null;
  #handlerEndMs = Infinity;
  #refusals = 0;
  #exceeded: ErrorInfo | null = null;
  #violation: ErrorInfo | null = null;
  #isOver = false;

  constructor(task: AttemptTask, sink: AttemptSink, host: AttemptHost) {
    const { job, instance, deadlineMs, startAt } = task;
    this.#host = host;
    this.job = job;
    this.instance = taskInstance(instance);
    this.sink = sink;
    this.deadlineMs = deadlineMs;
    this.startAt = startAt;
    this.canFollow = isBatchable(this.job, this.instance.timeoutMs);
    this.#setExpiry();
  }

  /**
   * Begin it in a worker. It ends at once if there is none, for example if its user was deleted.
   *
   * @param others attempts of the same job that may be queued behind it
   * @returns number of them queued
   */
  begin(others: readonly ProcessAttempt[]): number {
    if (this.#isOver) return 0;
    if (this.deadlineMs - KILL_MARGIN_MS <= this.#nowMs()) {
      this.giveUp();
      return 0;
    }
    let worker: RunHost;
    try {
      worker = this.#host.acquire(this.job);
    } catch (thrown) {
      const { message } = toJobError(thrown, `Cannot run job "${this.job.kind}"`);
      const type = isResourceError(thrown) ? "unstarted" : "error";
      this.#end({ type, error: { name: "JobError", message } }, null);
      return 0;
    }
    const followers = this.#followersOf(others.slice(0, worker.batchMax(this.job) - 1));
    for (const attempt of [this, ...followers]) attempt.#worker = worker;
    worker.run(this, followers);
    this.#schedule();
    return followers.length;
  }

  /** Continue it in its current place. */
  resume(worker: RunHost): void {
    this.#worker = worker;
    worker.run(this);
    // That daemon determines its end, and has not recorded it.
    if (worker.aborted) this.abort(worker.aborted);
    this.#schedule();
  }

  linesRecorded(lines: number): void {
    this.#worker?.linesRecorded?.(lines);
  }

  outcomeRecorded(): void {
    this.#worker?.outcomeRecorded?.();
  }

  get canLeave(): boolean {
    return !this.#isOver && this.#cause === null && this.#worker?.canLeave === true;
  }

  leave(): boolean {
    if (!this.canLeave || !this.#worker!.leave!()) return false;
    this.#isOver = true;
    this.#host.onEnd(this, UNKNOWN_END);
    return true;
  }

  /** The first attempts whose arguments fit into one message. */
  #followersOf(others: readonly ProcessAttempt[]): readonly ProcessAttempt[] {
    let length = this.instance.argumentsJson.length;
    const end = others.findIndex(({ instance }) => {
      length += instance.argumentsJson.length;
      return length > BATCH_LENGTH_MAX;
    });
    return end < 0 ? others : others.slice(0, end);
  }

  get isStarting(): boolean {
    return this.#worker !== null && !this.#worker.hasStarted;
  }

  promoted(): void {
    if (this.#cause !== null) this.#worker!.abort(this, this.#cause);
    this.started();
    this.#schedule();
  }

  returned(): void {
    this.#worker = null;
    this.canFollow = false;
    if (!this.#isOver) this.#host.onReturn(this);
  }

  takeBack(): void {
    if (!this.#isOver) this.#worker?.takeBack(this);
  }

  giveUp(): void {
    this.abort("drain");
  }

  extend(deadlineMs: number): void {
    if (this.#isOver) return;
    this.deadlineMs = deadlineMs;
    this.#setExpiry();
    if (this.#worker?.extend(this)) this.#schedule();
  }

  abort(cause: AbortCause): void {
    if (this.#isOver || this.#cause !== null) return;
    // No later run of its batch may begin. This also updates its state: ended, or not begun.
    this.#worker?.takeBack(this);
    if (this.#isOver) return;
    this.#cause = cause;
    if (this.#worker === null) {
      const error = abortInfo(cause, this.instance);
      return this.#end({ type: "aborted", cause, error, isUnstarted: true }, null);
    }
    if (!this.#worker.hasStarted) {
      this.#isUnstarted = true;
      return this.#worker.kill("SIGKILL");
    }
    const nowMs = this.#nowMs();
    const { killAfterMs } = this.job.options;
    this.#termAtMs = nowMs + Math.min(killAfterMs / 2, TERM_AFTER_MS_MAX);
    this.#killAtMs = nowMs + killAfterMs;
    this.#timeoutAtMs = Infinity;
    this.#worker.abort(this, cause);
    this.#schedule();
  }

  hurry(withinMs: number): void {
    if (this.#isOver) return;
    this.abort("drain");
    if (this.#isOver) return;
    this.#killAtMs = Math.min(this.#killAtMs, this.#nowMs() + withinMs);
    this.#schedule();
  }

  missing(): string | null {
    if (this.#isOver) return "its executor has ended it";
    return this.#worker?.missing(this) ?? null;
  }

  async freeze(isFrozen: boolean): Promise<FreezeProblem | null> {
    if (this.#isOver || this.#cause !== null) return { type: "state", message: "it is ending" };
    if (!this.#worker?.hasStarted) return { type: "state", message: "it has not started yet" };
    const problem = await this.#worker.freeze!(isFrozen);
    // Meanwhile an abort has let it continue.
    if (problem !== null || this.#cause !== null) return problem;
    if (isFrozen) this.#stopTimeout();
    else this.#timeoutAtMs = this.#nowMs() + this.#timeoutLeftMs;
    this.#schedule();
    return null;
  }

  #stopTimeout(): void {
    this.#timeoutLeftMs = this.#timeoutAtMs - this.#nowMs();
    this.#timeoutAtMs = Infinity;
  }

  started(agoMs = 0): void {
    const { timeoutMs } = this.instance;
    if (timeoutMs === 0 || this.#cause !== null) return;
    this.#timeoutAtMs = this.#nowMs() - agoMs + timeoutMs;
    if (this.#worker?.isFrozen) this.#stopTimeout();
    this.#schedule();
  }

  decided(result: AttemptResult): void {
    this.#decided = result;
    // Job code has ended. Only the handler has a limit now: it may clean up after a timeout.
    this.#handlerEndMs = this.#nowMs() + HANDLER_MS_MAX;
    this.#timeoutAtMs = Infinity;
    if (isTimeLimit(this.#cause)) {
      this.#termAtMs = Infinity;
      this.#killAtMs = Infinity;
    }
    this.#schedule();
  }

  wake(): void {
    if (this.#isOver) return;
    this.#worker!.takeBack(this);
    if (this.#isOver) return;
    const nowMs = this.#nowMs();
    if (nowMs >= this.#handlerEndMs) {
      this.#handlerEndMs = Infinity;
      this.#note(`A handler did not end within ${HANDLER_MS_MAX} ms and was stopped`, "error");
      return this.#kill();
    }
    if (nowMs >= Math.min(this.#killAtMs, this.deadlineMs - KILL_MARGIN_MS)) {
      this.#cause ??= "lease";
      this.#killAtMs = Infinity;
      return this.#kill();
    }
    if (nowMs >= this.#termAtMs) {
      this.#termAtMs = Infinity;
      this.#worker!.kill("SIGTERM");
    } else if (this.#cause === null && nowMs >= this.#timeoutAtMs) {
      return this.abort("timeout");
    } else if (this.#cause === null && nowMs >= this.#expireAtMs) {
      return this.abort("lease");
    }
    this.#schedule();
  }

  exceeded(error: ErrorInfo): void {
    this.#exceeded ??= error;
  }

  violated(error: ErrorInfo): void {
    this.#violation ??= error;
  }

  wasAborted(cause: AbortCause | null): void {
    if (cause !== null) this.#cause ??= cause;
    // It had already ended: the store decides whether the claim still counts.
    else if (this.#cause === "lease") this.#cause = null;
  }

  ended(ending: WorkerEnding): void {
    if (ending.type === "refused" && this.#cause === null && this.#refusals < REFUSALS_MAX) {
      this.#refusals += 1;
      try {
        this.#worker = this.#host.acquire(this.job);
        this.#worker.run(this);
        return this.#schedule();
      } catch (thrown) {
        // None of it ran: its user no longer exists, or there is no room for another worker.
        if (isResourceError(thrown)) return this.#end(unstarted(messageOf(thrown)), ending);
      }
    }
    this.#end(this.#outcomeOf(ending), ending);
  }

  #end(outcome: AttemptOutcome, ending: WorkerEnding | null): void {
    this.#isOver = true;
    this.#host.onEnd(this, ending?.type === "result" ? ending : UNKNOWN_END);
    this.#ending.resolve(maskOutcome(outcome, this.#host.mask));
  }

  #kill(): void {
    this.#worker!.kill("SIGKILL", this.#cause ?? undefined);
    this.#worker!.wakeAt(this, null);
  }

  #note(message: string, level: LogLevel = "info"): void {
    const at = this.#host.clock.now().wallMs;
    this.sink.log([{ at, level, source: "system", message }]);
  }

  #setExpiry(): void {
    const leftMs = this.deadlineMs - this.#nowMs();
    const marginMs = Math.min(this.job.options.killAfterMs, EXPIRE_MARGIN_MS_MAX, leftMs / 4);
    this.#expireAtMs = this.deadlineMs - Math.max(marginMs, KILL_MARGIN_MS);
  }

  #schedule(): void {
    const softMs = this.#cause === null
      ? Math.min(this.#timeoutAtMs, this.#expireAtMs)
      : this.#termAtMs;
    const hardMs = Math.min(this.#killAtMs, this.#handlerEndMs);
    const dueMs = Math.min(softMs, hardMs, this.deadlineMs - KILL_MARGIN_MS);
    this.#worker?.wakeAt(this, dueMs);
  }

  #nowMs(): number {
    return this.#host.clock.now().monotonicMs;
  }

  #outcomeOf(ending: WorkerEnding): AttemptOutcome {
    // Its earlier reports do not count.
    if (this.#violation !== null && (this.#cause === null || this.#cause === "drain")) {
      return { type: "error", error: this.#violation, ...this.#unasked(true) };
    }
    const result = this.#resultOf(ending);
    const mayDecide = this.#cause === null || this.#cause === "drain" || isTimeLimit(this.#cause);
    if (this.#decided !== null && mayDecide) return this.#decidedOutcome(result ?? this.#decided);
    const isLate = result?.type === "ok" && isTimeLimit(this.#cause);
    if (isLate && this.#host.keepsLateSuccess) return result;
    if (this.#cause !== null) {
      const ended = ending.type === "exit"
        ? { exitCode: ending.code ?? undefined, signal: ending.signal ?? undefined }
        : ending.type === "result" && ending.result.type === "error"
        ? ending.result.error
        : {};
      return {
        type: "aborted",
        cause: this.#cause,
        error: abortInfo(this.#cause, this.instance, ended),
        isUnstarted: this.#isUnstarted || isUnstarted(ending),
        ...this.#unasked(isTimeLimit(this.#cause) && ending.type === "exit"),
      };
    }
    if (this.#exceeded !== null) {
      return { type: "error", reason: "limit", error: this.#exceeded, ...this.#unasked(true) };
    }
    const { executedBy } = this.#host;
    switch (ending.type) {
      case "result":
        return this.#resultOutcome(ending.result);
      case "refused":
        return workerError("lost", `No worker took the attempt: ${REFUSALS_MAX} refused it`);
      case "unstarted":
        if (ending.whose === "system") return unstarted(ending.message);
        return ending.whose === "worker"
          ? workerError("lost", `The ${executedBy} could not be started: ${ending.message}`)
          : workerError("error", `The attempt did not begin: ${ending.message}`);
      case "exit":
        return { ...exitOutcome(executedBy, ending), ...this.#unasked(true) };
      case "expired":
        return workerError("lost", "It was killed because its lease was not extended in time");
    }
  }

  /** The worker's last reported result; it may have ended in a handler after that. */
  #resultOf(ending: WorkerEnding): AttemptResult | null {
    if (ending.type === "result") return ending.result;
    if (this.#decided === null) return null;
    if (ending.type === "exit" && this.#handlerEndMs !== Infinity) {
      this.#note(
        `A handler ended its worker with ${ending.signal ?? `code ${ending.code}`}`,
        "error",
      );
    }
    return this.#decided;
  }

  /** The outcome of an attempt whose handlers were called. */
  #decidedOutcome(result: AttemptResult): AttemptOutcome {
    if (result.type !== "error" || !isTimeLimit(this.#cause)) return result;
    return { ...result, type: "aborted", cause: this.#cause! };
  }

  #unasked(isUnasked: boolean): { readonly isUnasked?: boolean } {
    const { onTerminate, retryDelay } = this.job.hasHandler;
    return isUnasked && (onTerminate || retryDelay) ? { isUnasked } : {};
  }

  #resultOutcome(result: AttemptResult): AttemptOutcome {
    if (result.type !== "ok") return result;
    const { exitCode = 0, ...outcome } = result;
    if (exitCode !== 0) this.#note(`Exit code ${exitCode} counts as success`);
    return outcome;
  }
}

function isUnstarted(ending: WorkerEnding): boolean {
  return ending.type === "result" && ending.result.type === "unstarted";
}

function unstarted(why: string): AttemptOutcome {
  return workerError("unstarted", `Cannot start: ${why}`);
}

function workerError(type: "lost" | "unstarted" | "error", message: string): AttemptOutcome {
  return { type, error: { name: "WorkerError", message } };
}

function exitOutcome(host: string, { code, signal }: Exit): AttemptOutcome {
  if (signal !== null) {
    const message = `The ${host} was killed by ${signal} before a result`;
    return { type: "lost", error: { name: "WorkerKilledError", message, signal } };
  }
  const message = `The ${host} exited with code ${code} before a result`;
  const exitCode = code ?? undefined;
  return { type: "error", error: { name: "WorkerExitError", message, exitCode } };
}

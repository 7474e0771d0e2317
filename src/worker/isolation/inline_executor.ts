import type { LogEntry, Progress } from "../../core/instance.ts";
import { SecretMask } from "../../core/text/secret_mask.ts";
import type { Clock, Timer } from "../../platform/clock.ts";
import { loadStarvation } from "../../platform/process/resources.ts";
import { abortInfo, isTimeLimit, maskOutcome, refuse } from "../attempt_errors.ts";
import { AttemptScope, type ScopeHost } from "../attempt_scope.ts";
import {
  type AbortCause,
  type Attempt,
  type AttemptOutcome,
  type AttemptSink,
  type AttemptTask,
  type Executor,
  HANDLER_MS_MAX,
  type HandlerTask,
} from "../executor.ts";
import { encodeJobError } from "../job_stack.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import { OutputLimiter } from "../output/output_limiter.ts";
import { type AttemptResult, taskInstance } from "../protocol.ts";
import { type JobCode, loadCode, runAttempt, runHandler } from "../run_attempt.ts";

/** Options of the inline executor. */
export interface InlineExecutorOptions {
  readonly clock: Clock;
  readonly mask?: SecretMask;
}

/**
 * An executor that runs functions, and modules whose job asks for it, in this process.
 *
 * It is fast, but cannot end job code: an abort only signals. If an attempt does not end within the
 * job's `killAfterMs`, or by its lease's deadline, it is reported as aborted while its code may
 * still run. From then on the fence makes the store refuse that code's calls; other effects are not
 * prevented. A function that never yields blocks the whole process. Use worker processes for code
 * that must be stoppable.
 */
export function createInlineExecutor(options: InlineExecutorOptions): Executor {
  return new InlineExecutor(options);
}

class InlineExecutor implements Executor {
  readonly clock: Clock;
  readonly mask: SecretMask;
  readonly #attempts = new Set<InlineAttempt>();
  readonly #deadlines: LazyTimer;
  #isStopped = false;

  constructor({ clock, mask = new SecretMask() }: InlineExecutorOptions) {
    this.clock = clock;
    this.mask = mask;
    this.#deadlines = new LazyTimer(clock, () => this.#checkDeadlines());
  }

  start(): Promise<void> {
    this.#isStopped = false;
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    const running = [...this.#attempts];
    for (const attempt of running) attempt.abort("drain");
    await Promise.all(running.map((attempt) => attempt.outcome));
    this.#deadlines.cancel();
  }

  run(task: AttemptTask, sink: AttemptSink): Attempt {
    if (this.#isStopped) return refuse("lost", "Cannot run an attempt: the executor is stopped");
    const attempt = new InlineAttempt(task, sink, this);
    this.#attempts.add(attempt);
    this.watch(attempt);
    attempt.begin();
    return attempt;
  }

  /** The deadline of an attempt has changed. */
  watch({ deadlineMs }: InlineAttempt): void {
    this.#deadlines.setBy(deadlineMs);
  }

  ended(attempt: InlineAttempt): void {
    this.#attempts.delete(attempt);
    // Without attempts no timer may keep a clock busy.
    if (this.#attempts.size === 0) this.#deadlines.set(null);
  }

  async handle(task: HandlerTask): Promise<AttemptOutcome | null> {
    const { job, instance, call } = task;
    const { clock, mask } = this;
    const scope = new AttemptScope(taskInstance(instance), {
      workerId: "inline",
      clock,
      mask,
      log: (entries) =>
        task.log(entries.map((entry) => ({ ...entry, message: mask.text(entry.message) }))),
      progress: () => {},
      call: () => Promise.reject(new Error("A handler cannot call the manager")),
    }, call.type === "stateChange" ? call.state : "processing");
    const ended = loadCode(job).then(
      (code) => runHandler(code.handlers, scope, call),
      (error: unknown) => {
        scope.note("error", `A handler was not called: ${encodeJobError(error, mask).message}`);
        return null;
      },
    );
    const limit = Promise.withResolvers<null>();
    const timer = clock.timer(HANDLER_MS_MAX, () => {
      scope.note("error", overdue("A handler"));
      limit.resolve(null);
    });
    const outcome = await Promise.race([ended, limit.promise]);
    timer.cancel();
    scope.close();
    return outcome && maskOutcome(outcome, mask);
  }

  resize(_count: number): void {
    // There are no workers: the caller respects the capacity.
  }

  get waiting(): number {
    return 0;
  }

  stats(): { readonly alive: number; readonly busy: number } {
    return { alive: this.#attempts.size, busy: this.#attempts.size };
  }

  #checkDeadlines(): void {
    const nowMs = this.clock.now().monotonicMs;
    for (const attempt of [...this.#attempts]) {
      if (attempt.deadlineMs <= nowMs) attempt.expire();
      else this.watch(attempt);
    }
  }
}

function overdue(what: string): string {
  return `${what} did not end within ${HANDLER_MS_MAX} ms: its result does not count, its code may still run`;
}

class InlineAttempt implements Attempt, ScopeHost {
  readonly workerId = "inline";
  readonly clock: Clock;
  readonly mask: SecretMask;
  deadlineMs: number;
  readonly #task: AttemptTask;
  readonly #sink: AttemptSink;
  readonly #executor: InlineExecutor;
  readonly #scope: AttemptScope;
  readonly #ending = Promise.withResolvers<AttemptOutcome>();
  readonly outcome = this.#ending.promise;
  #limiter: OutputLimiter | null = null;
  #timeout: Timer | null = null;
  #kill: Timer | null = null;
  #decided: AttemptResult | null = null;
  #hasBegun = false;
  #hasEnded = false;

  constructor(task: AttemptTask, sink: AttemptSink, executor: InlineExecutor) {
    this.#task = task;
    this.#sink = sink;
    this.#executor = executor;
    this.clock = executor.clock;
    this.mask = executor.mask;
    this.deadlineMs = task.deadlineMs;
    this.#scope = new AttemptScope(task.instance, this);
  }

  begin(): void {
    const { source, signature } = this.#task.job;
    if (source.type === "function") return this.#execute({ ...source, signature });
    loadCode(this.#task.job).then(
      (code) => this.#execute(code),
      (error: unknown) => {
        const starvation = loadStarvation(error);
        const type = starvation === null ? "error" : "unstarted";
        this.#end({ type, error: encodeJobError(starvation ?? error, this.mask) });
      },
    );
  }

  extend(deadlineMs: number): void {
    this.deadlineMs = deadlineMs;
    this.#executor.watch(this);
  }

  abort(cause: AbortCause): void {
    if (this.#hasEnded || this.#scope.abortCause !== null) return;
    this.#scope.abort(cause);
    this.#kill = this.clock.timer(this.#task.job.options.killAfterMs, () => this.#giveUp());
  }

  /** The lease's deadline passed. */
  expire(): void {
    this.abort("lease");
    this.#giveUp();
  }

  log(entries: readonly LogEntry[]): void {
    if (this.#hasEnded) return;
    this.#limiter ??= new OutputLimiter(this.#task.job.options.output, this.mask);
    for (const { message, ...entry } of entries) {
      const kept = this.#limiter.push({ ...entry, text: message });
      if (kept) this.#sink.log([kept]);
    }
  }

  progress(progress: Progress): void {
    if (!this.#hasEnded) this.#sink.progress(progress);
  }

  call(method: string, args: readonly unknown[]): Promise<unknown> {
    return this.#sink.call(method, args);
  }

  #execute(code: JobCode): void {
    if (this.#hasEnded) return;
    // The caller has its attempt before job code runs.
    void Promise.resolve(this.#task.after).then(() => {
      if (this.#hasEnded) return;
      if (this.#scope.abortCause !== null) return this.#giveUp();
      const { timeoutMs } = this.#task.instance;
      if (timeoutMs > 0) this.#timeout = this.clock.timer(timeoutMs, () => this.abort("timeout"));
      this.#hasBegun = true;
      void runAttempt(code, this.#scope, (result) => this.#decide(result))
        .then((result) => this.#end(result));
    });
  }

  // Job code has ended. Only the handler has a limit now.
  #decide(result: AttemptResult): void {
    if (this.#hasEnded) return;
    this.#decided = result;
    this.#timeout?.cancel();
    this.#kill?.cancel();
    this.#kill = this.clock.timer(HANDLER_MS_MAX, () => {
      this.#scope.note("error", overdue("A handler"));
      this.#end(result);
    });
  }

  #giveUp(): void {
    this.#end({ type: "error", error: abortInfo(this.#scope.abortCause!, this.#task.instance) });
  }

  #end(result: AttemptOutcome): void {
    if (this.#hasEnded) return;
    this.#scope.close();
    const held = this.#limiter?.finish(this.clock.now().wallMs) ?? [];
    if (held.length > 0) this.#sink.log(held);
    this.#hasEnded = true;
    this.#timeout?.cancel();
    this.#kill?.cancel();
    this.#executor.ended(this);
    this.#ending.resolve(maskOutcome(this.#outcomeOf(result), this.mask));
  }

  #outcomeOf(result: AttemptOutcome): AttemptOutcome {
    const cause = this.#scope.abortCause;
    if (cause === null) return result;
    const { instance, job } = this.#task;
    if (this.#decided !== null && cause === "drain") return result;
    if (isTimeLimit(cause)) {
      if (this.#decided !== null) {
        return result.type === "error" ? { ...result, type: "aborted", cause } : result;
      }
      // Job code did not end in time, or there is no handler.
      const isUnasked = job.hasHandler.onTerminate || job.hasHandler.retryDelay;
      return { type: "aborted", cause, error: abortInfo(cause, instance), isUnasked };
    }
    const isUnstarted = !this.#hasBegun;
    return { type: "aborted", cause, error: abortInfo(cause, instance), isUnstarted };
  }
}

import type { ErrorInfo, LogEntry } from "../core/instance.ts";
import type { JobDefinition } from "../core/job.ts";
import type { JobState } from "../core/state.ts";
import type { Clock } from "../platform/clock.ts";
import type { Logger } from "../platform/logger.ts";
import { selfCommand } from "../platform/process.ts";
import { type Random, systemRandom } from "../platform/random.ts";
import type { Attempt, AttemptSink, AttemptTask, Executor } from "./executor.ts";
import { ProcessAttempt } from "./process_attempt.ts";
import { type TaskInstance, taskInstance } from "./protocol.ts";
import { refuse } from "./refused.ts";
import { toJobError } from "../core/errors.ts";
import type { WorkerEnvironment } from "./worker_launch.ts";
import { RECYCLE_DEFAULTS, WorkerPool } from "./worker_pool.ts";
import type { WorkerProcess } from "./worker_process.ts";
import type { WorkerEnding, WorkerRun } from "./worker_run.ts";

/** How long a state handler may take. */
export const NOTIFY_MS_MAX = 10_000;
/** Most state handlers that run at once, in workers beside those of attempts. */
const NOTIFY_WORKERS_MAX = 2;
/** Most state handlers that wait; further ones are dropped with a warning. */
const NOTIFY_WAITING_MAX = 10_000;

/** How worker processes are kept. */
export interface ProcessExecutorOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Workers at most. */
  readonly count: number;
  /** How long an idle worker lives on. */
  readonly idleMs: number;
  /** argv that runs this program, without the hidden subcommand; tests run a smaller one. */
  readonly command?: readonly string[];
  readonly random?: Random;
  /** Workers for modules that are kept ready; none by default. */
  readonly spare?: number;
  /** When a worker is replaced. */
  readonly recycle?: { readonly runs: number; readonly memoryBytes: number };
  /** Where the environment of workers comes from; that of this process by default. */
  readonly environment?: WorkerEnvironment;
}

type NotifyTask = Parameters<Executor["notify"]>[0];

/**
 * An executor that runs module and command jobs in worker processes.
 *
 * An abort is the attempt's abort signal at once (SIGTERM for a command), SIGTERM to the worker's process group after half of
 * the job's `killAfterMs` or two seconds, SIGKILL after `killAfterMs`; the lease's deadline cuts it short. A worker that had to be
 * signaled is replaced.
 */
export function createProcessExecutor(options: ProcessExecutorOptions): Executor {
  return new ProcessExecutor(options);
}

class ProcessExecutor implements Executor {
  readonly name = "process executor";
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #options: ProcessExecutorOptions;
  readonly #attempts = new Set<ProcessAttempt>();
  readonly #waiting: Notification[] = [];
  readonly #notifying = new Set<Notification>();
  #pool: WorkerPool;
  #isStopped = false;

  constructor(options: ProcessExecutorOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#pool = this.#makePool(options.count);
  }

  start(): Promise<void> {
    if (this.#isStopped) this.#pool = this.#makePool(this.#options.count);
    this.#isStopped = false;
    this.#pool.prepare();
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    const running = [...this.#attempts];
    for (const attempt of running) attempt.abort("drain");
    for (const waiting of this.#waiting.splice(0)) waiting.drop();
    await Promise.all([
      ...running.map((attempt) => attempt.outcome),
      ...[...this.#notifying].map((notification) => notification.done),
    ]);
    await this.#pool.stop();
  }

  run(task: AttemptTask, sink: AttemptSink): Attempt {
    if (this.#isStopped) return refuse("lost", "Cannot run an attempt: the executor is stopped");
    const { type } = task.job.source;
    if (type !== "module" && type !== "command") {
      return refuse(
        "error",
        `Cannot run job "${task.job.kind}" in a worker process: its source is a ${type}, not a module or a command`,
      );
    }
    const { source } = task.job;
    if (source.type === "module" && source.problem) return refuse("error", source.problem);
    try {
      const attempt = new ProcessAttempt({
        clock: this.#clock,
        task,
        sink,
        acquire: (job) => this.#pool.acquire(job),
        onEnd: (ended) => this.#attempts.delete(ended),
      });
      this.#attempts.add(attempt);
      return attempt;
    } catch (error) {
      // Such as a user that is gone since the start.
      return refuse("error", toJobError(error, `Cannot run job "${task.job.kind}"`).message);
    }
  }

  notify(task: NotifyTask): Promise<void> {
    const fields = { kind: task.job.kind, instance: task.instance.id, state: task.state };
    if (this.#isStopped || this.#waiting.length >= NOTIFY_WAITING_MAX) {
      this.#logger.warn("onStateChange not called: too many are waiting or we stop", fields);
      return Promise.resolve();
    }
    if (task.job.source.type !== "module") return Promise.resolve();
    const notification = new Notification(task, this.#clock, this.#logger);
    this.#waiting.push(notification);
    this.#notifyNext();
    return notification.done;
  }

  resize(count: number): void {
    this.#pool.resize(count);
  }

  stats(): { readonly alive: number; readonly busy: number } {
    return this.#pool.stats;
  }

  #notifyNext(): void {
    if (this.#notifying.size >= NOTIFY_WORKERS_MAX) return;
    // The states of one instance are told in their order.
    const busy = new Set([...this.#notifying].map((notification) => notification.instance.id));
    const index = this.#waiting.findIndex(({ instance }) => !busy.has(instance.id));
    if (index < 0) return;
    const [notification] = this.#waiting.splice(index, 1);
    this.#notifying.add(notification!);
    void notification!.done.then(() => {
      this.#notifying.delete(notification!);
      this.#notifyNext();
    });
    notification!.begin((job) => this.#pool.acquire(job));
  }

  #makePool(count: number): WorkerPool {
    const { clock, logger, idleMs, command, random, recycle, environment } = this.#options;
    return new WorkerPool({
      clock,
      logger,
      random: random ?? systemRandom,
      count,
      idleMs,
      spare: this.#options.spare ?? 0,
      recycle: recycle ?? RECYCLE_DEFAULTS,
      environment: environment ?? "own",
      command: command ?? selfCommand(),
      onLate: (worker, run, error) => this.#late(worker, run, error),
    });
  }

  #late(worker: WorkerProcess, run: WorkerRun | null, error: ErrorInfo): void {
    const message = `Uncaught after the attempt had ended: ${error.stack ?? error.message}`;
    const fields = { worker: worker.id, kind: run?.job.kind, instance: run?.instance.id };
    this.#logger.warn(message, fields);
    run?.log([{ at: this.#clock.now().wallMs, level: "error", source: "system", message }]);
    this.#pool.retire(worker);
  }
}

/** One call of `onStateChange` in a worker. */
class Notification implements WorkerRun {
  readonly job: JobDefinition;
  readonly instance: TaskInstance;
  readonly notify: JobState;
  /** No lease limits a handler that runs after the commit, but a frozen daemon must not leave it running. */
  deadlineMs = 0;
  readonly done: Promise<void>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #worker: WorkerProcess | null = null;
  #resolve!: () => void;

  constructor(task: NotifyTask, clock: Clock, logger: Logger) {
    this.job = task.job;
    this.instance = { ...taskInstance(task.instance), timeoutMs: 0 };
    this.notify = task.state;
    this.#clock = clock;
    this.#logger = logger;
    this.done = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  begin(acquire: (job: JobDefinition) => WorkerProcess): void {
    let worker: WorkerProcess;
    try {
      worker = acquire(this.job);
    } catch (error) {
      const { message } = toJobError(error, "Cannot call onStateChange");
      return this.ended({ type: "unstarted", message, isJobFault: true });
    }
    const nowMs = this.#clock.now().monotonicMs;
    this.#worker = worker;
    this.deadlineMs = nowMs + 2 * NOTIFY_MS_MAX;
    worker.run(this);
    worker.wakeAt(nowMs + NOTIFY_MS_MAX);
  }

  drop(): void {
    this.#resolve();
  }

  started(): void {
    // Its time limit counts from its begin.
  }

  wake(): void {
    this.#worker!.kill("SIGKILL");
  }

  exceeded({ message }: ErrorInfo): void {
    this.#logger.warn(message, { kind: this.job.kind, instance: this.instance.id });
  }

  log(entries: readonly LogEntry[]): void {
    for (const { level, message } of entries) {
      this.#logger[level](message, { kind: this.job.kind, instance: this.instance.id });
    }
  }

  progress(): void {
    // A handler has none.
  }

  call(method: string): Promise<unknown> {
    return Promise.reject(new Error(`A state handler cannot call "${method}" of the manager`));
  }

  ended(ending: WorkerEnding): void {
    if (ending.type !== "result" || ending.result.type === "error") {
      const message = ending.type === "result" && ending.result.type === "error"
        ? ending.result.error.message
        : `its worker ended: ${ending.type}`;
      const fields = { kind: this.job.kind, instance: this.instance.id, message };
      this.#logger.warn("onStateChange failed", fields);
    }
    this.#resolve();
  }
}

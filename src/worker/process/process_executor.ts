import { availableParallelism } from "node:os";
import type { ErrorInfo } from "../../core/instance.ts";
import { type JobDefinition, secretsOf } from "../../core/job/job.ts";
import { SecretMask } from "../../core/text/secret_mask.ts";
import { selfCommand } from "../../platform/system/runtime.ts";
import { systemRandom } from "../../platform/random.ts";
import { refuse } from "../attempt_errors.ts";
import { ShortJobGate } from "../batching/short_job_gate.ts";
import type {
  Attempt,
  AttemptOutcome,
  AttemptSink,
  AttemptTask,
  Executor,
  HandlerTask,
} from "../executor.ts";
import { HandlerRun, noteTo } from "./handler_run.ts";
import { type AttemptHost, ProcessAttempt } from "./process_attempt.ts";
import { WorkerPool, type WorkerSettings } from "./worker_pool.ts";
import type { WorkerProcess } from "./worker_process.ts";
import type { HostedRun } from "./run_host.ts";

/** Most concurrent handlers, in workers beside those for attempts. */
const HANDLER_WORKERS_MAX = 2;
/** Most waiting handlers; further ones are dropped with a note on the instance. */
const HANDLERS_WAITING_MAX = 10_000;
/** A start costs as much as a thousand empty runs, so workers live longer than that. */
const RECYCLE_DEFAULTS = { runs: 10_000, memoryBytes: 512_000_000 };

/** Settings of worker processes. By default none is spare, and they inherit our environment. */
type ProcessExecutorOptions =
  & Partial<WorkerSettings>
  & Pick<WorkerSettings, "clock" | "logger" | "count" | "idleMs">;

/**
 * An executor that runs module jobs in worker processes.
 *
 * An abort is the attempt's abort signal at once, SIGTERM to the worker's process group after half
 * of the job's `killAfterMs` or two seconds, and SIGKILL after `killAfterMs`; the lease's deadline
 * cuts it short. A signaled worker is replaced.
 */
export function createProcessExecutor(options: ProcessExecutorOptions): Executor {
  return new ProcessExecutor(options);
}

class ProcessExecutor implements Executor {
  readonly #settings: WorkerSettings;
  readonly #attempts = new Set<ProcessAttempt>();
  readonly #waitingHandlers: HandlerRun[] = [];
  readonly #runningHandlers = new Set<HandlerRun>();
  readonly #gate: ShortJobGate<ProcessAttempt>;
  readonly #host: AttemptHost;
  #pool: WorkerPool;
  /** Attempts that take none of the `count` workers. */
  #slotless = 0;
  #isStopped = false;

  constructor(options: ProcessExecutorOptions) {
    this.#settings = {
      random: systemRandom,
      spare: 0,
      recycle: RECYCLE_DEFAULTS,
      environment: "own",
      command: selfCommand(),
      mask: new SecretMask(),
      ...options,
    };
    this.#gate = new ShortJobGate(options.clock, {
      groupsMax: availableParallelism() + 1,
      capacity: () => this.#capacity,
      begin: (first, others) => first.begin(others),
    });
    const { clock, mask } = this.#settings;
    this.#host = {
      clock,
      mask,
      executedBy: "worker",
      keepsLateSuccess: true,
      acquire: (job) => this.#pool.acquire(job),
      onEnd: (attempt, end) => {
        this.#attempts.delete(attempt);
        if (isSlotless(attempt.job)) this.#slotless -= 1;
        this.#gate.leave(attempt, end);
      },
      onReturn: (attempt) => this.#gate.readmit(attempt),
    };
    this.#pool = this.#makePool(options.count);
  }

  start(): Promise<void> {
    if (this.#isStopped) this.#pool = this.#makePool(this.#pool.count);
    this.#isStopped = false;
    this.#pool.prepare();
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    const running = [...this.#attempts];
    for (const attempt of running) attempt.abort("drain");
    for (const handler of this.#waitingHandlers.splice(0)) handler.drop("the executor stops");
    await Promise.all([
      ...running.map((attempt) => attempt.outcome),
      ...[...this.#runningHandlers].map((handler) => handler.done),
    ]);
    await this.#pool.stop();
  }

  run(task: AttemptTask, sink: AttemptSink): Attempt {
    if (this.#isStopped) return refuse("lost", "Cannot run an attempt: the executor is stopped");
    const { source } = task.job;
    if (source.type !== "module") {
      return refuse(
        "error",
        `Cannot run job "${task.job.kind}" in a worker process: its source is a ${source.type}, not a module`,
      );
    }
    if (source.problem) return refuse("error", source.problem);
    this.#settings.mask.add(secretsOf(source));
    const attempt = new ProcessAttempt(task, sink, this.#host);
    this.#attempts.add(attempt);
    if (isSlotless(task.job)) this.#slotless += 1;
    this.#gate.enter(attempt);
    return attempt;
  }

  async handle(task: HandlerTask): Promise<AttemptOutcome | null> {
    if (task.job.source.type !== "module") return null;
    const { clock, mask } = this.#settings;
    if (this.#isStopped || this.#waitingHandlers.length >= HANDLERS_WAITING_MAX) {
      noteTo(task, clock, "A handler was not called: too many are waiting, or we stop");
      return null;
    }
    mask.add(secretsOf(task.job.source));
    const run = new HandlerRun(task, clock, mask);
    this.#waitingHandlers.push(run);
    this.#handleNext();
    return await run.done;
  }

  get waiting(): number {
    return this.#gate.waiting;
  }

  /** Number of attempts that may still begin: none without workers, not even slotless ones. */
  get #capacity(): number {
    const { count } = this.#pool;
    return count === 0 ? 0 : count - (this.#attempts.size - this.#slotless - this.waiting);
  }

  resize(count: number): void {
    this.#pool.resize(count);
    if (count === 0) this.#gate.withdraw();
  }

  stats(): ReturnType<Executor["stats"]> {
    return this.#pool.stats;
  }

  #handleNext(): void {
    if (this.#runningHandlers.size >= HANDLER_WORKERS_MAX) return;
    // The handlers of one instance see its states in order.
    const busy = new Set([...this.#runningHandlers].map(({ instance }) => instance.id));
    const index = this.#waitingHandlers.findIndex(({ instance }) => !busy.has(instance.id));
    if (index < 0) return;
    const run = this.#waitingHandlers.splice(index, 1)[0]!;
    this.#runningHandlers.add(run);
    void run.done.then(() => {
      this.#runningHandlers.delete(run);
      this.#handleNext();
    });
    run.begin((job) => this.#pool.acquire(job));
  }

  #makePool(count: number): WorkerPool {
    return new WorkerPool({
      ...this.#settings,
      count,
      slotless: () => this.#slotless,
      onLate: (worker, run, error) => this.#late(worker, run, error),
    });
  }

  #late(worker: WorkerProcess, run: HostedRun | null, thrown: ErrorInfo): void {
    const { clock, logger, mask } = this.#settings;
    const error = mask.error(thrown);
    const message = `Uncaught after the attempt had ended: ${error.stack ?? error.message}`;
    logger.warn(message, { worker: worker.id, kind: run?.job.kind, instance: run?.instance.id });
    run?.sink.log([{ at: clock.now().wallMs, level: "error", source: "system", message }]);
    this.#pool.retire(worker);
  }
}

/** True if its attempts take no worker of {@link Executor.resize}. */
function isSlotless({ options }: JobDefinition): boolean {
  return options.workerSlot === false;
}

import type { ErrorInfo } from "../../core/instance.ts";
import { secretsOf } from "../../core/job/job.ts";
import { SecretMask } from "../../core/text/secret_mask.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import { processorCount, selfCommand } from "../../platform/process/process.ts";
import { type Random, systemRandom } from "../../platform/random.ts";
import type {
  Attempt,
  AttemptOutcome,
  AttemptSink,
  AttemptTask,
  Executor,
  HandlerTask,
} from "../executor.ts";
import { HandlerRun, noteTo } from "./handler_run.ts";
import { ProcessAttempt } from "./process_attempt.ts";
import { refuse } from "../refused.ts";
import { type GatedEnd, ShortJobGate } from "../batching/short_job_gate.ts";
import type { WorkerEnvironment } from "./worker_launch.ts";
import { RECYCLE_DEFAULTS, WorkerPool } from "./worker_pool.ts";
import type { WorkerProcess } from "./worker_process.ts";
import type { WorkerRun } from "./worker_run.ts";

/** Most handlers that run at once, in workers beside those of attempts. */
const HANDLER_WORKERS_MAX = 2;
/** Most handlers that wait; further ones are dropped with a note on the instance. */
const HANDLERS_WAITING_MAX = 10_000;

/** The end of an attempt without a result. */
const UNKNOWN_END: GatedEnd = { tookMs: null, isSilent: false };

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
  /** Masks secrets in output, results and errors; secrets of running jobs are added to it. */
  readonly mask?: SecretMask;
}

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
  readonly #mask: SecretMask;
  readonly #attempts = new Set<ProcessAttempt>();
  readonly #waiting: HandlerRun[] = [];
  readonly #handling = new Set<HandlerRun>();
  readonly #gate: ShortJobGate<ProcessAttempt>;
  #pool: WorkerPool;
  #count: number;
  /** Attempts that take none of the workers of `count`. */
  #beside = 0;
  #isStopped = false;

  constructor(options: ProcessExecutorOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#mask = options.mask ?? new SecretMask();
    this.#count = options.count;
    this.#gate = new ShortJobGate(options.clock, {
      groupsMax: processorCount() + 1,
      capacity: () => this.#count - (this.#attempts.size - this.#beside - this.waiting),
      begin: (attempt, others) => attempt.begin(others),
    });
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
    for (const waiting of this.#waiting.splice(0)) waiting.drop("the executor stops");
    await Promise.all([
      ...running.map((attempt) => attempt.outcome),
      ...[...this.#handling].map((handling) => handling.done),
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
    this.#mask.add(secretsOf(source));
    const isBeside = task.job.options.workerSlot === false;
    const attempt = new ProcessAttempt({
      clock: this.#clock,
      mask: this.#mask,
      task,
      sink,
      acquire: (job) => this.#pool.acquire(job),
      onEnd: (ended, ending) => {
        this.#attempts.delete(ended);
        if (isBeside) this.#beside -= 1;
        this.#gate.leave(ended, ending?.type === "result" ? ending : UNKNOWN_END);
      },
      onReturn: (returned) => this.#gate.readmit(returned),
    });
    this.#attempts.add(attempt);
    if (isBeside) this.#beside += 1;
    this.#gate.enter(attempt);
    return attempt;
  }

  async handle(task: HandlerTask): Promise<AttemptOutcome | null> {
    if (task.job.source.type !== "module") return null;
    if (this.#isStopped || this.#waiting.length >= HANDLERS_WAITING_MAX) {
      noteTo(task, this.#clock, "A handler was not called: too many are waiting, or we stop");
      return null;
    }
    this.#mask.add(secretsOf(task.job.source));
    const run = new HandlerRun(task, this.#clock, this.#mask);
    this.#waiting.push(run);
    this.#handleNext();
    return await run.done;
  }

  get waiting(): number {
    return this.#gate.waiting;
  }

  resize(count: number): void {
    this.#count = count;
    this.#pool.resize(count);
  }

  stats(): { readonly alive: number; readonly busy: number } {
    return this.#pool.stats;
  }

  #handleNext(): void {
    if (this.#handling.size >= HANDLER_WORKERS_MAX) return;
    // The states of one instance are told in their order.
    const busy = new Set([...this.#handling].map(({ instance }) => instance.id));
    const index = this.#waiting.findIndex(({ instance }) => !busy.has(instance.id));
    if (index < 0) return;
    const run = this.#waiting.splice(index, 1)[0]!;
    this.#handling.add(run);
    void run.done.then(() => {
      this.#handling.delete(run);
      this.#handleNext();
    });
    run.begin((job) => this.#pool.acquire(job));
  }

  #makePool(count: number): WorkerPool {
    const { clock, logger, idleMs, command, random, recycle, environment } = this.#options;
    return new WorkerPool({
      clock,
      logger,
      random: random ?? systemRandom,
      count,
      beside: () => this.#beside,
      idleMs,
      spare: this.#options.spare ?? 0,
      recycle: recycle ?? RECYCLE_DEFAULTS,
      environment: environment ?? "own",
      command: command ?? selfCommand(),
      mask: this.#mask,
      onLate: (worker, run, error) => this.#late(worker, run, error),
    });
  }

  #late(worker: WorkerProcess, run: WorkerRun | null, thrown: ErrorInfo): void {
    const error = this.#mask.error(thrown);
    const message = `Uncaught after the attempt had ended: ${error.stack ?? error.message}`;
    const fields = { worker: worker.id, kind: run?.job.kind, instance: run?.instance.id };
    this.#logger.warn(message, fields);
    run?.log([{ at: this.#clock.now().wallMs, level: "error", source: "system", message }]);
    this.#pool.retire(worker);
  }
}

import { type JobDefinition, type JobSource, secretsOf } from "../core/job/job.ts";
import { SecretMask } from "../core/text/secret_mask.ts";
import { systemRandom } from "../platform/random.ts";
import { selfCommand } from "../platform/system/runtime.ts";
import { refuse } from "../worker/attempt_errors.ts";
import type {
  Attempt,
  AttemptOutcome,
  AttemptSink,
  AttemptTask,
  Executor,
} from "../worker/executor.ts";
import { type AttemptHost, ProcessAttempt } from "../worker/process/process_attempt.ts";
import { usageLimits } from "../worker/process/worker_launch.ts";
import { commandLaunch } from "./command_launch.ts";
import { CommandSurvivors } from "./command_survivors.ts";
import { markerOfRun } from "./protocol.ts";
import { SupervisedCommand } from "./supervised_command.ts";
import { SupervisorPool, type SupervisorPoolOptions } from "./supervisor_pool.ts";
import { SYSTEM } from "./supervisor_system.ts";

/** A start costs as much as a few hundred commands. */
const RECYCLE_DEFAULTS = { runs: 10_000, memoryBytes: 512_000_000 };

/** Settings for running commands. By default they end with this process. */
type CommandExecutorOptions =
  & Partial<SupervisorPoolOptions>
  & Pick<SupervisorPoolOptions, "clock" | "logger" | "idleMs">
  & {
    /** Masks secrets in output, results and errors; secrets of running jobs are added to it. */
    readonly mask?: SecretMask;
  };

/**
 * An executor that runs commands in supervisors: one process that runs all of them, or one for each
 * user and priority that commands have.
 *
 * An abort is SIGTERM to the command's process group at once, and again after half of the job's
 * `killAfterMs` or two seconds, and SIGKILL to all of its processes after `killAfterMs`; the
 * lease's deadline cuts it short.
 */
export function createCommandExecutor(options: CommandExecutorOptions): Executor {
  const { mask = new SecretMask(), ...given } = options;
  const pool = {
    command: selfCommand(),
    hasCgroups: true,
    random: systemRandom,
    recycle: RECYCLE_DEFAULTS,
    outliving: null,
    onWork: () => {},
    system: SYSTEM,
    ...given,
  };
  return new CommandExecutor(pool, mask);
}

class CommandExecutor implements Executor {
  readonly waiting = 0;
  readonly survivors: CommandSurvivors | undefined;
  readonly #options: SupervisorPoolOptions;
  readonly #mask: SecretMask;
  readonly #pool: SupervisorPool;
  readonly #host: AttemptHost;
  readonly #attempts = new Set<ProcessAttempt>();
  #isStopped = false;

  constructor(options: SupervisorPoolOptions, mask: SecretMask) {
    const { clock, logger, outliving, system } = options;
    this.#options = options;
    this.#mask = mask;
    this.#pool = new SupervisorPool(options);
    this.#host = {
      clock,
      mask,
      executedBy: "supervisor of commands",
      // A command may exit because of the abort.
      keepsLateSuccess: false,
      acquire: (job) => this.#acquire(job),
      onEnd: (attempt) => this.#attempts.delete(attempt),
      onReturn: () => {},
    };
    this.survivors = outliving === null ? undefined : new CommandSurvivors({
      clock,
      logger,
      mask,
      system,
      folder: outliving.folder,
      pool: this.#pool,
      resume: (task, sink, command) => this.#resume(task, sink, command),
    });
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
    this.survivors?.leave();
    await this.#pool.close();
  }

  kill(): void {
    this.#pool.kill();
  }

  run(task: AttemptTask, sink: AttemptSink): Attempt {
    if (this.#isStopped) return refuse("lost", "Cannot run a command: the executor is stopped");
    const { kind, source } = task.job;
    if (source.type !== "command") {
      return refuse(
        "error",
        `Cannot run job "${kind}" as a command: its source is a ${source.type}`,
      );
    }
    const attempt = this.#attempt(task, sink);
    this.#options.onWork();
    attempt.begin([]);
    return attempt;
  }

  keepsStartAt(): boolean {
    return true;
  }

  prepare({ source }: JobDefinition): void {
    if (this.#isStopped || source.type !== "command") return;
    try {
      this.#pool.prepare(source.command);
    } catch {
      // The attempt will report the fault.
    }
  }

  #resume(task: AttemptTask, sink: AttemptSink, command: SupervisedCommand): Attempt {
    const attempt = this.#attempt(task, sink);
    attempt.resume(command);
    return attempt;
  }

  #attempt(task: AttemptTask, sink: AttemptSink): ProcessAttempt {
    this.#mask.add(secretsOf(task.job.source));
    const attempt = new ProcessAttempt(task, sink, this.#host);
    this.#attempts.add(attempt);
    return attempt;
  }

  handle(): Promise<AttemptOutcome | null> {
    return Promise.resolve(null);
  }

  resize(): void {}

  stats(): ReturnType<Executor["stats"]> {
    return { ...this.#pool.stats(), busy: this.#attempts.size };
  }

  #acquire(job: JobDefinition): SupervisedCommand {
    // Nothing else gets this far.
    const { command: spec } = job.source as Extract<JobSource, { readonly type: "command" }>;
    const supervisor = this.#pool.acquire(spec);
    const number = this.#pool.nextRun();
    const marker = markerOfRun(supervisor.token, number);
    return new SupervisedCommand(supervisor, {
      clock: this.#options.clock,
      mask: this.#mask,
      number,
      marker,
      limits: usageLimits(job),
      start: ({ instance }) => ({
        claim: this.#pool.records.seal(instance, marker),
        command: commandLaunch(job, spec, { instance, marker }),
      }),
    });
  }
}

import { type CommandSpec, type JobDefinition, secretsOf } from "../core/job/job.ts";
import { SecretMask } from "../core/text/secret_mask.ts";
import type { Clock } from "../platform/clock.ts";
import { LazyTimer } from "../platform/lazy_timer.ts";
import type { Logger } from "../platform/logger.ts";
import { selfCommand } from "../platform/process/process.ts";
import { type Random, systemRandom } from "../platform/random.ts";
import { refuse } from "../worker/attempt_errors.ts";
import type {
  Attempt,
  AttemptOutcome,
  AttemptSink,
  AttemptTask,
  Executor,
} from "../worker/executor.ts";
import { ProcessAttempt } from "../worker/process/process_attempt.ts";
import { usageLimits } from "../worker/process/worker_launch.ts";
import type { WorkerRun } from "../worker/process/worker_run.ts";
import { commandLaunch, supervisorKey, supervisorLaunch } from "./command_launch.ts";
import { SupervisedCommand } from "./supervised_command.ts";
import { SupervisorProcess } from "./supervisor_process.ts";

/** How often the memory of a supervisor is checked. */
const MEMORY_EVERY_MS = 250;

/** How supervisors are started and kept. */
interface CommandExecutorOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long an idle supervisor is kept. */
  readonly idleMs: number;
  /** argv that runs this program, without the hidden subcommand; tests run a smaller one. */
  readonly command?: readonly string[];
  readonly random?: Random;
  /** When a supervisor is replaced, so that a leak of memory is bounded. */
  readonly recycle?: { readonly runs: number; readonly memoryBytes: number };
  /** Masks secrets in output, results and errors; secrets of running jobs are added to it. */
  readonly mask?: SecretMask;
}

/** A start costs as much as some hundred commands. */
const RECYCLE_DEFAULTS = { runs: 10_000, memoryBytes: 512_000_000 };

/**
 * An executor that runs commands in supervisors: one process that runs all of them, or one for each
 * user and priority that commands have.
 *
 * An abort is SIGTERM to the command's process group at once, and again after half of the job's
 * `killAfterMs` or two seconds, and SIGKILL to all of its processes after `killAfterMs`; the
 * lease's deadline cuts it short.
 */
export function createCommandExecutor(options: CommandExecutorOptions): Executor {
  return new CommandExecutor(options);
}

class CommandExecutor implements Executor {
  readonly waiting = 0;
  readonly #options: Required<CommandExecutorOptions>;
  readonly #attempts = new Set<ProcessAttempt>();
  /** By key, those that take commands. */
  readonly #supervisors = new Map<string, SupervisorProcess>();
  readonly #all = new Set<SupervisorProcess>();
  readonly #reaper: LazyTimer;
  #commands = 0;
  #memorySeenMs = -Infinity;
  #failedStarts = 0;
  #isStopped = false;
  #onEmpty: (() => void) | null = null;

  constructor(options: CommandExecutorOptions) {
    this.#options = {
      command: selfCommand(),
      random: systemRandom,
      recycle: RECYCLE_DEFAULTS,
      mask: new SecretMask(),
      ...options,
    };
    this.#reaper = new LazyTimer(options.clock, () => this.#reap());
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
    this.#reaper.cancel();
    for (const supervisor of this.#all) supervisor.close();
    if (this.#all.size === 0) return;
    await new Promise<void>((resolve) => this.#onEmpty = resolve);
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
    const { clock, mask } = this.#options;
    mask.add(secretsOf(source));
    const attempt = new ProcessAttempt({
      ...{ clock, mask, task },
      sink: maskedSink(sink, mask),
      acquire: (job) => this.#acquire(job, source.command),
      onEnd: (ended) => this.#attempts.delete(ended),
      onReturn: () => {},
    });
    this.#attempts.add(attempt);
    attempt.begin([]);
    return attempt;
  }

  handle(): Promise<AttemptOutcome | null> {
    return Promise.resolve(null);
  }

  resize(): void {}

  stats(): ReturnType<Executor["stats"]> {
    const failedStarts = this.#failedStarts === 0 ? {} : { failedStarts: this.#failedStarts };
    return { alive: this.#all.size, busy: this.#attempts.size, ...failedStarts };
  }

  #acquire(job: JobDefinition, spec: CommandSpec): SupervisedCommand {
    const supervisor = this.#supervisorOf(spec);
    const number = this.#commands += 1;
    const marker = `${supervisor.token}.${number}`;
    return new SupervisedCommand(supervisor, {
      ...{ clock: this.#options.clock, number, marker },
      limits: usageLimits(job),
      launch: ({ instance }: WorkerRun) => commandLaunch(job, spec, { instance, marker }),
    });
  }

  #supervisorOf(spec: CommandSpec): SupervisorProcess {
    const key = supervisorKey(spec);
    const found = this.#supervisors.get(key);
    if (found !== undefined && !found.isRetired) return found;
    const { clock, logger, command, random } = this.#options;
    const token = Buffer.from(random.bytes(16)).toString("hex");
    const supervisor = new SupervisorProcess({
      ...{ clock, logger, token },
      launch: supervisorLaunch(spec, { command, marker: token }),
      onEnd: (each) => this.#ended(each),
      onGone: (each) => this.#forget(key, each),
    });
    this.#supervisors.set(key, supervisor);
    this.#all.add(supervisor);
    logger.debug("supervisor of commands started", { pid: supervisor.pid });
    return supervisor;
  }

  #ended(supervisor: SupervisorProcess): void {
    this.#failedStarts = 0;
    if (this.#isWornOut(supervisor)) supervisor.isRetired = true;
    if (supervisor.busy > 0) return;
    if (supervisor.isRetired) return supervisor.end();
    supervisor.idleSinceMs = this.#nowMs();
    this.#reaper.setBy(supervisor.idleSinceMs + this.#options.idleMs);
  }

  #isWornOut(supervisor: SupervisorProcess): boolean {
    const { runs, memoryBytes } = this.#options.recycle;
    if (supervisor.runs >= runs) return true;
    const nowMs = this.#nowMs();
    if (nowMs - this.#memorySeenMs < MEMORY_EVERY_MS) return false;
    this.#memorySeenMs = nowMs;
    return supervisor.memoryBytes > memoryBytes;
  }

  #reap(): void {
    const nowMs = this.#nowMs();
    for (const supervisor of this.#supervisors.values()) {
      if (supervisor.busy > 0 || supervisor.isRetired) continue;
      const endMs = supervisor.idleSinceMs + this.#options.idleMs;
      if (endMs > nowMs) this.#reaper.setBy(endMs);
      else supervisor.end();
    }
  }

  #forget(key: string, supervisor: SupervisorProcess): void {
    if (this.#supervisors.get(key) === supervisor) this.#supervisors.delete(key);
    this.#all.delete(supervisor);
    if (!supervisor.hasStarted) this.#failedStarts += 1;
    const { logger } = this.#options;
    logger.debug("supervisor of commands ended", { pid: supervisor.pid, runs: supervisor.runs });
    if (this.#all.size === 0) this.#onEmpty?.();
  }

  #nowMs(): number {
    return this.#options.clock.now().monotonicMs;
  }
}

/** The supervisor masks only the secrets of a command itself. */
function maskedSink(sink: AttemptSink, mask: SecretMask): AttemptSink {
  return {
    log(entries) {
      if (mask.isEmpty) return sink.log(entries);
      sink.log(entries.map((entry) => ({ ...entry, message: mask.text(entry.message) })));
    },
    progress: (progress) => sink.progress(progress),
    used: (usage) => sink.used(usage),
    call: (method, args) => sink.call(method, args),
  };
}

import { errorCode, toJobError } from "../core/errors.ts";
import {
  type CommandSpec,
  type JobDefinition,
  type JobSource,
  secretsOf,
} from "../core/job/job.ts";
import { SecretMask } from "../core/text/secret_mask.ts";
import type { Clock } from "../platform/clock.ts";
import { LazyTimer } from "../platform/lazy_timer.ts";
import type { Logger } from "../platform/logger.ts";
import { selfCommand } from "../platform/system/runtime.ts";
import { thisProcess } from "../platform/process/process_identity.ts";
import { type Random, systemRandom } from "../platform/random.ts";
import { VERSION } from "../platform/version.ts";
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
import {
  commandLaunch,
  isForeignCommand,
  supervisorKey,
  supervisorLaunch,
} from "./command_launch.ts";
import { ClaimSeal } from "./claim_seal.ts";
import { LAST_RUN_MAX, markerOfRun } from "./protocol.ts";
import type { FoundSupervisor } from "./find_supervisors.ts";
import { CommandSurvivors } from "./command_survivors.ts";
import { isStartedAlike } from "./started_alike.ts";
import { SupervisedCommand } from "./supervised_command.ts";
import {
  openFolder,
  placeOf,
  removeEnded,
  removePlace,
  removeUnused,
  type SupervisorPlace,
  type SupervisorRecord,
  writeRecord,
} from "./supervisor_folder.ts";
import type { SupervisorPeer } from "./supervisor_peer.ts";
import { SupervisorProcess } from "./supervisor_process.ts";
import { type SupervisorSystem, SYSTEM } from "./supervisor_system.ts";
import { WaitingClaims } from "./waiting_claims.ts";

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
  /** False to run commands without control groups, as on systems that have none. */
  readonly hasCgroups?: boolean;
  readonly random?: Random;
  /** When a supervisor is replaced, so that a leak of memory is bounded. */
  readonly recycle?: { readonly runs: number; readonly memoryBytes: number };
  /** Masks secrets in output, results and errors; secrets of running jobs are added to it. */
  readonly mask?: SecretMask;
  /** How commands outlive this process; null: they do not. */
  readonly outliving?: OutlivingOptions | null;
  /** Called when a command begins, and when it has ended. */
  readonly onWork?: () => void;
  /** What it does to processes; tests replace it. */
  readonly system?: SupervisorSystem;
}

/** Where the next daemon finds supervisors, and how long they wait for it. */
export interface OutlivingOptions {
  /**
   * Path of a folder of the daemon's store and node alone, which is the same for every daemon that
   * could take their claims back. It is created, for this user only.
   */
  readonly folder: () => string;
  /** See {@link SupervisorRecord.graceMs}. */
  readonly graceMs: number | null;
}

/** How long after a record could not be written another is tried. */
const RECORD_AGAIN_MS = 10_000;
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
  readonly #host: AttemptHost;
  readonly #attempts = new Set<ProcessAttempt>();
  /** By key, those that take commands. */
  readonly #supervisors = new Map<string, SupervisorProcess>();
  readonly #all = new Set<SupervisorProcess>();
  /** Those that take commands if they are as this daemon would start them. */
  readonly #unchecked = new Map<SupervisorProcess, FoundSupervisor>();
  readonly survivors: CommandSurvivors | undefined;
  readonly #reaper: LazyTimer;
  #commands = 0;
  /** Those that no daemon could find because their record could not be written. */
  readonly #unrecorded = new Set<SupervisorProcess>();
  /** When a record is tried again, in monotonic ms; null if the last one was written. */
  #recordAgainMs: number | null = null;
  /** Null until a supervisor can be found by the next daemon. */
  #seal: ClaimSeal | null = null;
  #memorySeenMs = -Infinity;
  #failedStarts = 0;
  #isStopped = false;
  #onEmpty: (() => void) | null = null;

  constructor(options: CommandExecutorOptions) {
    this.#options = {
      command: selfCommand(),
      hasCgroups: true,
      random: systemRandom,
      recycle: RECYCLE_DEFAULTS,
      mask: new SecretMask(),
      outliving: null,
      onWork: () => {},
      system: SYSTEM,
      ...options,
    };
    const { clock, logger, mask, outliving, system } = this.#options;
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
      supervise: (found) => this.#supervise(found),
      reuse: (supervisor, found) => this.#reuse(supervisor, found),
      resume: (task, sink, command) => this.#resume(task, sink, command),
    });
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
    this.survivors?.leave();
    for (const supervisor of this.#all) supervisor.close();
    if (this.#all.size > 0) await new Promise<void>((resolve) => this.#onEmpty = resolve);
    const { outliving } = this.#options;
    if (outliving !== null) removeUnused(outliving.folder());
  }

  kill(): void {
    for (const supervisor of this.#all) if (!supervisor.hasLeft) supervisor.giveUp();
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
      const supervisor = this.#supervisorOf(source.command);
      if (supervisor.busy === 0) this.#rest(supervisor);
    } catch {
      // The attempt will say what is wrong.
    }
  }

  #resume(task: AttemptTask, sink: AttemptSink, command: SupervisedCommand): Attempt {
    const attempt = this.#attempt(task, sink);
    attempt.resume(command);
    return attempt;
  }

  #attempt(task: AttemptTask, sink: AttemptSink): ProcessAttempt {
    const { mask } = this.#options;
    mask.add(secretsOf(task.job.source));
    const attempt = new ProcessAttempt(task, sink, this.#host);
    this.#attempts.add(attempt);
    return attempt;
  }

  handle(): Promise<AttemptOutcome | null> {
    return Promise.resolve(null);
  }

  resize(): void {}

  stats(): ReturnType<Executor["stats"]> {
    const failedStarts = this.#failedStarts === 0 ? {} : { failedStarts: this.#failedStarts };
    const silent = [...this.#all].filter(({ isSilent }) => isSilent).length;
    return {
      ...{ alive: this.#all.size, busy: this.#attempts.size, ...failedStarts },
      ...(silent === 0 ? {} : { silent }),
    };
  }

  #acquire(job: JobDefinition): SupervisedCommand {
    // Nothing else gets this far.
    const { command: spec } = job.source as Extract<JobSource, { readonly type: "command" }>;
    const supervisor = this.#supervisorOf(spec);
    const number = this.#commands += 1;
    const marker = markerOfRun(supervisor.token, number);
    return new SupervisedCommand(supervisor, {
      clock: this.#options.clock,
      mask: this.#options.mask,
      number,
      marker,
      limits: usageLimits(job),
      start: ({ instance }) => {
        const { id, fence } = instance;
        const claim = this.#seal?.seal(instance, marker) ?? { id, fence, seal: "" };
        return { claim, command: commandLaunch(job, spec, { instance, marker }) };
      },
    });
  }

  #supervisorOf(spec: CommandSpec): SupervisorProcess {
    const key = supervisorKey(spec);
    const known = this.#supervisors.get(key);
    const isUsable = known !== undefined && !known.isRetired && this.#suits(known, spec);
    if (isUsable && !this.#unrecorded.has(known)) return known;
    const { clock, logger, command, hasCgroups, outliving, system } = this.#options;
    const token = this.#secret(16);
    const isForeign = isForeignCommand(spec);
    const place = this.#place({ token, key, isForeign });
    if (isUsable && place === null) return known;
    known?.end();
    const launch = supervisorLaunch(spec, { command, place, marker: token, hasCgroups });
    const peer = system.start(launch, clock);
    const supervisor = this.#add({ peer, token, isForeign, key, place });
    this.#supervisors.set(key, supervisor);
    if (place === null && outliving !== null) this.#unrecorded.add(supervisor);
    logger.debug("supervisor of commands started", { pid: supervisor.pid });
    return supervisor;
  }

  #supervise({ peer, place, record }: FoundSupervisor): SupervisorProcess {
    const { token, isForeign, key } = record;
    const { logger } = this.#options;
    logger.debug("supervisor of commands adopted", { pid: peer.pid });
    return this.#add({ peer, token, isForeign, key, place });
  }

  /** Take a supervisor of an earlier daemon for new commands, if it is of this program. */
  #reuse(supervisor: SupervisorProcess, found: FoundSupervisor): boolean {
    const { record: { key, graceMs }, program, lastRun } = found;
    const { outliving } = this.#options;
    const isSame = program === VERSION && graceMs === outliving?.graceMs;
    if (!isSame || lastRun > LAST_RUN_MAX || this.#supervisors.has(key)) return false;
    // The next daemon will know their claims by it.
    this.#seal ??= ClaimSeal.read(outliving.folder());
    if (this.#seal === null) return false;
    // What its commands have left is known by their numbers.
    this.#commands = Math.max(this.#commands, lastRun);
    supervisor.isRetired = false;
    this.#supervisors.set(key, supervisor);
    this.#unchecked.set(supervisor, found);
    if (supervisor.busy === 0) this.#rest(supervisor);
    return true;
  }

  /** Check a supervisor that was found before its first new command; another one ends. */
  #suits(supervisor: SupervisorProcess, spec: CommandSpec): boolean {
    const found = this.#unchecked.get(supervisor);
    if (found === undefined) return true;
    this.#unchecked.delete(supervisor);
    const { command, hasCgroups } = this.#options;
    const { place, record: { token: marker } } = found;
    const launch = supervisorLaunch(spec, { command, place, marker, hasCgroups });
    if (isStartedAlike(supervisor.pid!, launch, spec.nice ?? null)) return true;
    supervisor.end();
    return false;
  }

  #add(
    { key, place, ...parts }: Pick<SupervisorRecord, "token" | "isForeign" | "key"> & {
      readonly peer: SupervisorPeer;
      readonly place: SupervisorPlace | null;
    },
  ): SupervisorProcess {
    const { clock, logger, system } = this.#options;
    const { process: daemon } = thisProcess();
    const hasWaiting = place !== null && daemon !== null;
    const { peer } = parts;
    const supervisor = new SupervisorProcess({
      ...{ ...parts, clock, logger, system },
      waiting: hasWaiting ? new WaitingClaims(place, { clock, daemon }) : null,
      onEnd: (each) => this.#ended(each),
      onGone: (each) => {
        if (place !== null && !each.hasLeft) {
          removePlace(place);
          // What it wrote before this daemon, or what is lost with it, has been reported here.
          if (peer.pid !== null) removeEnded(place);
        }
        this.#forget(key, each);
      },
    });
    this.#all.add(supervisor);
    return supervisor;
  }

  /** Record a supervisor that is about to start; null if the next daemon cannot find it. */
  #place(
    supervisor: Pick<SupervisorRecord, "token" | "key" | "isForeign">,
  ): SupervisorPlace | null {
    const { outliving, logger } = this.#options;
    const nowMs = this.#nowMs();
    if (outliving === null || nowMs < (this.#recordAgainMs ?? 0)) return null;
    const { graceMs } = outliving;
    const folder = outliving.folder();
    const { process: daemon } = thisProcess();
    const record = { ...supervisor, secret: this.#secret(32), graceMs, daemon };
    try {
      const place = this.#record(folder, record);
      if (this.#recordAgainMs !== null) logger.info("New commands outlive the daemon again");
      this.#recordAgainMs = null;
      return place;
    } catch (error) {
      const { message, hint } = toJobError(error, `Cannot write into "${folder}"`);
      if (this.#recordAgainMs === null) {
        logger.warn("Commands will end with the daemon", { problem: message, hint });
      }
      this.#recordAgainMs = nowMs + RECORD_AGAIN_MS;
      return null;
    }
  }

  #record(folder: string, record: SupervisorRecord): SupervisorPlace {
    const place = placeOf(folder, record.token);
    for (let isAgain = false;; isAgain = true) {
      try {
        openFolder(folder);
        this.#seal ??= ClaimSeal.open(folder, this.#options.random);
        this.#seal.keepIn(folder);
        writeRecord(place, record);
        // A supervisor that has ended may have removed it before it saw the record.
        this.#seal.keepIn(folder);
        return place;
      } catch (error) {
        // The same, before the record was there.
        if (isAgain || errorCode(error) !== "ENOENT") throw error;
      }
    }
  }

  #secret(bytes: number): string {
    return Buffer.from(this.#options.random.bytes(bytes)).toString("hex");
  }

  #ended(supervisor: SupervisorProcess): void {
    this.#failedStarts = 0;
    this.#options.onWork();
    if (this.#isWornOut(supervisor)) supervisor.isRetired = true;
    if (supervisor.busy > 0) return;
    if (supervisor.isRetired) return supervisor.end();
    this.#rest(supervisor);
  }

  /** It runs nothing now: end it when that lasts. */
  #rest(supervisor: SupervisorProcess): void {
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
    this.#unchecked.delete(supervisor);
    this.#unrecorded.delete(supervisor);
    if (!supervisor.hasStarted) this.#failedStarts += 1;
    const { logger } = this.#options;
    logger.debug("supervisor of commands ended", { pid: supervisor.pid, runs: supervisor.runs });
    if (this.#all.size === 0) this.#onEmpty?.();
  }

  #nowMs(): number {
    return this.#options.clock.now().monotonicMs;
  }
}

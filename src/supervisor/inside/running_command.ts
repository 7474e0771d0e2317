import { accessSync, closeSync, constants, existsSync, statSync } from "node:fs";
import { encodeJobError } from "../../worker/job_stack.ts";
import {
  type AttemptUsage,
  countPrinted,
  type ErrorInfo,
  type LogEntry,
} from "../../core/instance.ts";
import { commandEnd } from "../../core/text/command_end.ts";
import { errorCode, JobError, messageOf } from "../../core/errors.ts";
import { withoutUndefined } from "../../core/text/object_keys.ts";
import { formatSize } from "../../core/text/size.ts";
import type { DueTimes } from "../../platform/due_times.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import { killGroup } from "../../platform/process/descendants.ts";
import type { ProcessExit } from "../../platform/process/native_spawn.ts";
import type { OutputName } from "../../platform/process/output_pipe.ts";
import { withOpenFilesMax } from "../../platform/process/process_setup.ts";
import { isResourceError } from "../../platform/process/resources.ts";
import type { ProgramEvents, ProgramStarter } from "../../platform/process/start_program.ts";
import type { FreezeProblem } from "../../worker/executor.ts";
import type { AttemptResult } from "../../worker/protocol.ts";
import {
  type CommandLaunch,
  type FoundRun,
  type FromSupervisor,
  MEMORY_LIMIT_ERROR,
  type ToSupervisor,
} from "../protocol.ts";
import { type CommandCgroup, type CommandCgroups, entering } from "./command_cgroups.ts";
import type { EarlyStarts } from "./early_starts.ts";
import type { Leftovers } from "./command_families.ts";
import { CommandOutput, type OutputHost } from "./command_output.ts";
import { type ResultFile, ResultFiles } from "./result_file.ts";
import { openUnnamedFile } from "./unnamed_file.ts";

/** After this time output is read as it comes, and before by {@link RunningCommand.look}. */
const LISTEN_AFTER_MS = 15;
/** Time for pending output once the command has ended. */
const DRAIN_MS_MAX = 1_000;
/** The same for leftovers that may run: they may keep its output open forever. */
const LEFT_DRAIN_MS = 50;

/** Interval between checks, once a command has ended, for room for its result. */
const ROOM_EVERY_MS = 250;

/** The result of a command that was aborted before it could begin. */
const WITHDRAWN: AttemptResult = {
  type: "unstarted",
  error: { name: "AbortError", message: "Aborted before its time" },
};

/** A command that was never frozen. */
export const NO_STANDSTILL = { isFrozen: false, frozenMs: 0 };

type RunMessage = Extract<ToSupervisor, { readonly type: "run" }>;

/** Dependencies of running commands on their supervisor. */
export interface CommandHost extends OutputHost {
  /** When commands expire. */
  readonly deadlines: DueTimes<RunningCommand>;
  readonly starter: ProgramStarter;
  readonly starts: EarlyStarts<RunningCommand>;
  readonly files: ResultFiles;
  /** Null if commands have no control groups. */
  readonly cgroups: CommandCgroups | null;
  /** True while a lot of unrecorded data is kept. */
  readonly isFull: () => boolean;
  readonly send: (message: FromSupervisor) => void;
  readonly onStart: (command: RunningCommand) => void;
  /** Its first process has ended. Call {@link RunningCommand.settle} next. */
  readonly onExit: (command: RunningCommand) => void;
  /** Kill all of its processes. */
  readonly kill: (command: RunningCommand) => void;
  /** Resource use of all its processes, given the first one's; null if unknown. */
  readonly usageOf: (
    command: RunningCommand,
    exit: AttemptUsage | null,
  ) => AttemptUsage | null;
  /** Move running commands into control groups. */
  readonly gather: (commands: readonly RunningCommand[]) => void;
  /** It is over; its output is still read while a leftover process holds it open. */
  readonly onEnd: (command: RunningCommand, output: CommandOutput) => void;
}

/**
 * A command in a separate session. It reads its `stdin`, by default nothing. An exit code in
 * `successCodes` is success; the result is the content of `$JOB_RESULT_FILE`.
 */
export class RunningCommand implements ProgramEvents {
  readonly run: number;
  readonly marker: string;
  /** Its first process; 0 until it has started. */
  leader = 0;
  /** Its control group; null without one. */
  cgroup: CommandCgroup | null = null;
  readonly #program: string;
  readonly #successCodes: readonly number[];
  readonly #leavesChildren: boolean;
  readonly #wantsStarted: boolean;
  readonly #host: CommandHost;
  readonly #output: CommandOutput;
  /** Set while something holds the output open after the command has ended. */
  #drain: LazyTimer | null = null;
  /** Printed lines that were sent. */
  #lines = 0;
  #file: ResultFile | null = null;
  #startMs = 0;
  /** Start of its freeze, in monotonic ms; null if it is not frozen. */
  #frozenSinceMs: number | null = null;
  /** Time that it was frozen before that. */
  #frozenMs = 0;
  /** Monotonic ms from which output is read as it comes. */
  #listenMs = 0;
  #isTooLarge = false;
  #isExpired = false;
  #isAborted = false;
  #exit: ProcessExit | null = null;
  #isSettled = false;
  /** True while only the report of its end is missing, and there is no room for it. */
  #isHeld = false;
  /** True if the search found no leftovers. */
  #hasNone = false;
  #isOver = false;

  constructor({ run, command: launch, wantsStarted }: RunMessage, host: CommandHost) {
    const { argv, marker, output: limits, secrets, successCodes, leavesChildren } = launch;
    this.run = run;
    this.marker = marker;
    this.#program = argv[0]!;
    this.#successCodes = successCodes;
    this.#leavesChildren = leavesChildren;
    this.#wantsStarted = wantsStarted;
    this.#host = host;
    this.#output = new CommandOutput(host, this, { limits, secrets });
  }

  /** True if its leftover processes may keep running. */
  get isLeft(): boolean {
    return this.#leavesChildren && !this.#isAborted && !this.#isTooLarge;
  }

  /** Start it when it may begin; if that fails, it ends at once. Its environment is not kept. */
  start({ command: launch, untilMs, startAt = 0 }: RunMessage): void {
    this.extend(untilMs);
    this.#host.starts.at(startAt, this, () => this.#begin(launch));
  }

  #begin(launch: CommandLaunch): void {
    this.#file = this.#host.files.take();
    try {
      this.#start(launch);
    } catch (error) {
      this.#end(failed(error));
    }
  }

  #start(launch: CommandLaunch): void {
    const { argv, env, umask, stdin: text, openFiles, memoryBytes } = launch;
    const { starter, cgroups } = this.#host;
    const file = this.#file;
    this.cgroup = cgroups?.take(memoryBytes) ?? null;
    const isStartedIn = this.cgroup !== null && cgroups!.canStart;
    const limited = openFiles === null ? argv : withOpenFilesMax(openFiles, argv);
    const stdin = text === null ? null : openUnnamedFile({ text, isWritable: false });
    try {
      const pipes = starter.start({
        argv: this.cgroup === null || isStartedIn ? limited : entering(this.cgroup, limited),
        env: file === null ? env : { ...env, JOB_RESULT_FILE: file.path },
        cwd: directoryOf(launch),
        umask,
        stdin,
        fourth: file?.descriptor ?? null,
        cgroup: isStartedIn ? this.cgroup!.openFolder() : null,
      }, this);
      this.#output.attach(pipes);
    } catch (error) {
      throw error instanceof JobError ? error : startError(this.#program, error as Error);
    } finally {
      this.cgroup?.started();
      if (stdin !== null) closeSync(stdin);
    }
  }

  /** It may run this long from now on. */
  extend(untilMs: number): void {
    if (!this.#isOver) this.#host.deadlines.setIn(this, untilMs);
  }

  expire(): void {
    this.#isExpired = true;
    if (this.#host.starts.remove(this)) this.#end(null);
    else this.#host.kill(this);
  }

  signal(signal: "SIGTERM" | "SIGKILL"): void {
    this.#isAborted = true;
    if (this.#host.starts.remove(this)) return this.#end(WITHDRAWN);
    if (this.#isHeld) this.#end(this.#result());
    if (this.leader === 0 || this.#exit !== null) return;
    if (signal === "SIGKILL") return this.#host.kill(this);
    // It may handle the signal, which it cannot while it is frozen.
    if (this.#frozenSinceMs !== null) this.#freeze(false);
    killGroup(this.leader, "SIGTERM");
  }

  get hasExited(): boolean {
    return this.#exit !== null;
  }

  /** Time that it has run; null if it does not run. */
  ageMs(nowMs: number): number | null {
    return this.leader === 0 || this.#exit !== null ? null : nowMs - this.#startMs;
  }

  freeze(isFrozen: boolean): void {
    this.#host.send({ type: "frozen", run: this.run, problem: this.#freeze(isFrozen) });
  }

  /** True if it is frozen, and the total time of that. */
  freezeState(nowMs: number): Pick<FoundRun, "isFrozen" | "frozenMs"> {
    const sinceMs = this.#frozenSinceMs;
    const frozenMs = this.#frozenMs + (sinceMs === null ? 0 : nowMs - sinceMs);
    return { isFrozen: sinceMs !== null, frozenMs: Math.floor(frozenMs) };
  }

  #freeze(isFrozen: boolean): FreezeProblem | null {
    if (this.leader === 0 || this.#exit !== null) return { type: "state", message: "it has ended" };
    if (this.cgroup === null) this.#host.gather([this]);
    if (this.cgroup === null) {
      return { type: "groups", message: "its command has no control group" };
    }
    try {
      this.cgroup.freeze(isFrozen);
      const nowMs = this.#host.clock.now().monotonicMs;
      ({ frozenMs: this.#frozenMs } = this.freezeState(nowMs));
      this.#frozenSinceMs = isFrozen ? nowMs : null;
      return null;
    } catch (error) {
      return { type: "groups", message: `the system refuses it: ${messageOf(error)}` };
    }
  }

  /** Its leftover processes are known, and gone unless they may keep running. */
  settle({ names, found, isComplete }: Leftovers): void {
    this.#isSettled = true;
    this.#hasNone = isComplete && found === 0;
    if (found > 0 && !this.#isAborted) {
      const list = names.join(", ") +
        (found > names.length ? ` and ${found - names.length} more` : "");
      this.#output.note(
        this.isLeft
          ? `Left running by the command: ${list}`
          : `Ended with the command, which left them running: ${list}; ` +
            "leave_children = true in the job's table keeps them",
      );
    }
    this.#output.drain();
    if (this.#isOver || this.#output.isEnded) return this.#finishIfDrained();
    this.#output.listen();
    const isLeft = found > 0 && this.isLeft;
    this.#awaitEnd(isLeft ? LEFT_DRAIN_MS : DRAIN_MS_MAX);
  }

  #awaitEnd(limitMs: number): void {
    this.#drain ??= new LazyTimer(this.#host.clock, () => this.#giveUp());
    this.#drain.setIn(limitMs);
  }

  onStart(pid: number): void {
    const { clock, files, cgroups, onStart } = this.#host;
    this.leader = pid;
    this.#startMs = clock.now().monotonicMs;
    // It may just have turned out that programs cannot be started in a group.
    if (this.cgroup !== null && !cgroups!.canStart) this.cgroup.add(pid);
    onStart(this);
    this.#listenMs = this.#startMs + LISTEN_AFTER_MS;
    if (this.#wantsStarted) this.#sendStarted();
    if (this.#file === null) return;
    files.watch(this.#file, () => {
      this.#isTooLarge = true;
      this.#host.kill(this);
    });
  }

  /** Read its output so far. @returns true to repeat this; false once output is read as it comes */
  look(nowMs: number): boolean {
    if (this.#exit !== null || this.#isOver) return false;
    this.#output.drain();
    if (nowMs < this.#listenMs) return true;
    if (!this.#wantsStarted) this.#sendStarted();
    this.#output.listen();
    return false;
  }

  #sendStarted(): void {
    const { cgroup } = this;
    // Without a memory limit it was moved later, which may have failed.
    const isBounded = cgroup !== null && cgroup.memoryBytes !== null &&
      this.#host.cgroups!.canStart;
    this.#host.send({ type: "started", run: this.run, pid: this.leader, isBounded });
  }

  /** True if no process of it runs, as far as anyone can know. */
  get #isAlone(): boolean {
    return this.#hasNone && this.#output.isEnded;
  }

  onFail(error: Error): void {
    this.#end(failed(startError(this.#program, error)));
  }

  onOutput(name: OutputName, chunk: Uint8Array): void {
    this.#output.read(name, chunk);
  }

  onPipeEnd(): void {
    this.#finishIfDrained();
    this.#output.pipeEnded();
  }

  onExit(exit: ProcessExit): void {
    this.#exit = exit;
    this.#host.deadlines.set(this, null);
    this.#host.onExit(this);
  }

  sendLines(entries: readonly LogEntry[]): void {
    const first = this.#lines;
    this.#lines += countPrinted(entries);
    this.#host.send({ type: "log", run: this.run, first, entries });
  }

  #finishIfDrained(): void {
    if (this.#isSettled && !this.#isOver && this.#output.isEnded) this.#finish();
  }

  /** A process that was left running, or not found, holds the output open. */
  #giveUp(): void {
    // Only output that is available now is the command's.
    if (this.#output.isEmpty === false) return this.#awaitEnd(LEFT_DRAIN_MS);
    this.#finish();
  }

  /** It is over once there is room for its result, which stays in its file until then. */
  #finish(): void {
    this.#isHeld = !this.#isAborted && this.#host.isFull() && this.#file?.isEmpty === false;
    if (this.#isHeld) this.#awaitEnd(ROOM_EVERY_MS);
    else this.#end(this.#result());
  }

  #end(result: AttemptResult | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#host.deadlines.set(this, null);
    this.#drain?.cancel();
    if (this.#file !== null) this.#host.files.release(this.#file, this.#isAlone);
    this.#output.finish();
    const { stderrTail } = this.#output;
    const usage = this.#host.usageOf(this, this.#exit?.usage ?? null);
    this.#host.send({ type: "ended", run: this.run, result, stderrTail, usage });
    if (!this.isLeft) this.#output.close();
    if (this.cgroup !== null) this.#host.cgroups!.release(this.cgroup);
    this.#host.onEnd(this, this.#output);
  }

  #result(): AttemptResult | null {
    if (this.#isExpired) return null;
    const { code, signal } = this.#exit!;
    // If the file is too large, reading it throws the error of the attempt.
    const isSuccess = this.#isTooLarge || (code !== null && this.#successCodes.includes(code));
    if (isSuccess) return succeeded(code ?? 0, this.#file);
    const found = { exitCode: code ?? undefined, signal: signal ?? undefined };
    if (this.cgroup?.isOverMemory) return overMemory(this.cgroup.memoryBytes!, found);
    const message = `Command "${this.#program}" ${commandEnd(found)}`;
    const error = { name: "CommandError", message };
    return { type: "error", error: withoutUndefined({ ...error, ...found }) };
  }
}

function directoryOf({ cwd, home }: CommandLaunch): string {
  const wanted = cwd ?? (existsSync(home) ? home : "/");
  let problem = "not a directory";
  try {
    if (statSync(wanted).isDirectory()) {
      // Otherwise the start would fail as if the program were not executable.
      accessSync(wanted, constants.X_OK);
      return wanted;
    }
  } catch (error) {
    problem = errorCode(error) ?? "cannot be read";
  }
  throw new JobError("invalid_argument", `Cannot run the command in "${wanted}": ${problem}`, {
    hint: 'Set "cwd" to a directory that exists and that its user may enter',
  });
}

function startError(program: string, error: Error): JobError {
  const code = errorCode(error);
  const found = code === "ENOENT"
    ? "not found"
    : code === "EACCES"
    ? "not executable, or its user may not enter the directory"
    : code === "ENOEXEC"
    ? "not a program; a script needs a first line such as #!/bin/sh"
    : code === "E2BIG"
    ? "its arguments are too long for the system"
    : error.message;
  return new JobError("invalid_argument", `Cannot run the command "${program}": ${found}`, {
    cause: error,
    hint: code === "E2BIG"
      ? "Give long text by the standard input: stdin = { arg = … } in the table of the job"
      : "Name the program by its absolute path, or set PATH in env",
  });
}

function failed(error: unknown): AttemptResult {
  return { type: isResourceError(error) ? "unstarted" : "error", error: encodeJobError(error) };
}

function overMemory(bytes: number, found: Pick<ErrorInfo, "exitCode" | "signal">): AttemptResult {
  const message = `Stopped: it used more than the ${formatSize(bytes)} of "memory"`;
  return {
    type: "error",
    error: withoutUndefined({ name: MEMORY_LIMIT_ERROR, message, ...found }),
  };
}

function succeeded(code: number, file: ResultFile | null): AttemptResult {
  try {
    return { type: "ok", resultsJson: file?.read() ?? "[]", exitCode: code };
  } catch (error) {
    return { type: "error", error: encodeJobError(error) };
  }
}

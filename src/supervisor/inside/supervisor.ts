import type { LiveUsage } from "../../core/instance.ts";
import { systemClock } from "../../platform/clock.ts";
import { DueTimes } from "../../platform/due_times.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import { ownTree } from "../../platform/process/cgroup_tree.ts";
import { spentMs } from "../../platform/system/runtime.ts";
import { BusyMemory } from "../../platform/process/busy_memory.ts";
import { createProgramStarter } from "../../platform/process/start_program.ts";
import { VERSION } from "../../platform/version.ts";
import { TransferBudget } from "../../worker/output/transfer_budget.ts";
import {
  ENTRIES_MAX,
  type FoundRun,
  type FromSupervisor,
  SUPERVISOR_VERSION,
  type ToSupervisor,
} from "../protocol.ts";
import { CommandCgroups } from "./command_cgroups.ts";
import { CommandFamilies } from "./command_families.ts";
import { CommandUsages } from "./command_usages.ts";
import { EarlyStarts } from "./early_starts.ts";
import type { CommandOutput } from "./command_output.ts";
import type { EndedFile } from "./ended_file.ts";
import { KeptRuns } from "./kept_runs.ts";
import { ResultFiles } from "./result_file.ts";
import { type CommandHost, NO_STANDSTILL, RunningCommand } from "./running_command.ts";

/**
 * Interval between reads of the output of young commands: that costs less than waiting for it, and
 * keeps the order of stdout and stderr well enough.
 */
const LOOK_EVERY_MS = 1;
/** Time after which commands are moved into groups, if they were not started in them. */
const GATHER_MS = 1_000;
/** Most commands that are moved at once. */
const GATHERED_MAX = 200;
/** Most outputs kept open by leftover processes; beyond that, the oldest is closed. */
const KEPT_MAX = 100;
/** Bytes that the daemon may leave unread before commands have to wait with their output. */
const UNREAD_BYTES_MAX = 1_048_576;
/** The same for unrecorded data: recording takes at least 100 ms. Results then wait, too. */
const KEPT_BYTES_MAX = 33_554_432;
/** Time that a supervisor without a daemon may need after the last deadline. */
const LAST_MS = 1_000;

/** A supervisor's connection to its daemon. */
export interface SupervisorLink {
  send(message: FromSupervisor): void;
  /** Bytes sent that the daemon has not read yet, not counting bytes in the kernel. */
  readonly unreadBytes: number;
  close(): void;
}

/** Fate of commands whose daemon is gone. */
export interface Adoption {
  /** Time for which they may run from then on, in milliseconds; null: until their own deadlines. */
  readonly graceMs: number | null;
  /** Keeps ends of commands without a daemon, longer than this process; null: they are lost. */
  readonly ends: Pick<EndedFile, "write" | "done"> | null;
}

/** Properties of a supervisor, and its calls on its process. */
interface SupervisorOptions {
  /** Null if it ends with its daemon. */
  readonly adoption: Adoption | null;
  /** Ends the process: nothing is left to do, or nothing may run any longer. */
  readonly onEnd: () => void;
  /** It waits for a daemon from now on; see {@link Supervisor.isAlone}. */
  readonly onAlone: () => void;
}

/**
 * Runs commands for a daemon.
 *
 * With an {@link Adoption} it outlives its daemon: its commands run on until their deadlines, and
 * their events are kept until a daemon has recorded them. Without an adoption it ends with the
 * daemon.
 */
export class Supervisor {
  readonly #commands = new Map<number, RunningCommand>();
  readonly #memory = new BusyMemory(systemClock);
  readonly #families = new CommandFamilies();
  readonly #usages: CommandUsages<RunningCommand>;
  readonly #host: CommandHost;
  /** Commands whose output is not yet read as it comes. */
  readonly #young = new Set<RunningCommand>();
  readonly #old = new LazyTimer(systemClock, () => this.#gatherOld());
  readonly #look = new LazyTimer(systemClock, () => this.#lookAtYoung());
  /** Commands to kill in this turn of the event loop. */
  readonly #doomed = new Set<RunningCommand>();
  /** Commands whose first process has ended in this turn of the event loop. */
  #ended: RunningCommand[] = [];
  /** Outputs that leftover processes still have open. They are read, and discarded. */
  readonly #kept = new Set<CommandOutput>();
  readonly #adoption: Adoption | null;
  readonly #runs: KeptRuns | null;
  readonly #onEnd: () => void;
  readonly #onAlone: () => void;
  readonly #lastEnd = new LazyTimer(systemClock, () => this.#endAlone());
  /** Null while no daemon is connected. */
  #link: SupervisorLink | null;
  /** Daemons that have connected to look, until they are answered. */
  readonly #callers = new Set<SupervisorLink>();
  /** Daemons that know its commands, and may take them over. */
  readonly #lookers = new Set<SupervisorLink>();
  /** True if it ends as soon as no daemon may take over any more. */
  #isOverdue = false;
  /** False once a command could not be moved into a group. */
  #canGather = true;
  #isEnding = false;
  /** The highest number of a command yet. */
  #lastRun = 0;

  constructor(link: SupervisorLink, { adoption, onEnd, onAlone }: SupervisorOptions) {
    this.#link = link;
    this.#adoption = adoption;
    this.#runs = adoption === null ? null : new KeptRuns();
    this.#onEnd = onEnd;
    this.#onAlone = onAlone;
    this.#usages = new CommandUsages({
      clock: systemClock,
      spentMs,
      find: (commands) => this.#families.look(commands),
      report: (usages) => this.#report(usages),
    });
    const starter = createProgramStarter();
    const tree = ownTree();
    this.#host = {
      clock: systemClock,
      starter,
      starts: new EarlyStarts(systemClock),
      deadlines: new DueTimes(systemClock, (command) => command.expire()),
      cgroups: tree && new CommandCgroups(tree, { canStart: () => starter.entersCgroups }),
      gather: (commands) => this.#gather(commands),
      files: new ResultFiles(systemClock),
      budget: new TransferBudget(systemClock),
      isStalled: () => this.#isStalled,
      isFull: () => this.#isFull,
      send: (message) => this.#send(message),
      onStart: (command) => this.#started(command),
      onExit: (command) => this.#exited(command),
      kill: (command) => this.#kill(command),
      usageOf: (command, exit) => this.#usages.end(command, exit),
      onEnd: (command, output) => this.#over(command, output),
    };
  }

  greet(): void {
    this.#link?.send(this.hello);
  }

  get hello(): Extract<FromSupervisor, { readonly type: "hello" }> {
    const isAdoptable = this.#adoption !== null;
    const program = this.#isEnding ? null : VERSION;
    const { pid } = process;
    const lastRun = this.#lastRun;
    return { type: "hello", version: SUPERVISOR_VERSION, pid, isAdoptable, program, lastRun };
  }

  get isAlone(): boolean {
    return this.#link === null;
  }

  receive(message: ToSupervisor): void {
    switch (message.type) {
      case "run":
        return this.#begin(message);
      case "until":
        return this.#extend(message.runs, message.untilMs);
      case "signal": {
        const { run, signal, cause } = message;
        const command = this.#commands.get(run);
        if (cause !== undefined && command?.hasExited === false) this.#runs?.abort(run, cause);
        return command?.signal(signal);
      }
      case "freeze":
        return this.#commands.get(message.run)?.freeze(message.isFrozen);
      case "ack":
        for (const [run, lines] of message.lines) this.#runs?.recorded(run, lines);
        for (const run of message.done) {
          this.#runs?.done(run);
          this.#adoption?.ends?.done(run);
        }
        return this.#endIfIdle();
      case "check":
        return this.#send({ type: "running", runs: [...this.#commands.keys()] });
      case "detach":
        return this.#detach();
      case "end":
        this.#isEnding = true;
        return this.#endIfIdle();
      case "quit":
        return this.#onEnd();
    }
  }

  /** All commands that run, or whose outcome no daemon has recorded. */
  list(): readonly FoundRun[] {
    const nowMs = systemClock.now().monotonicMs;
    return (this.#runs?.list(nowMs) ?? []).map((kept) => {
      return { ...kept, ...this.#commands.get(kept.run)?.freezeState(nowMs) ?? NO_STANDSTILL };
    });
  }

  /** A daemon takes over: send it everything unrecorded. */
  attach(link: SupervisorLink): void {
    const before = this.#link;
    this.#link = link;
    before?.close();
    this.#lookers.delete(link);
    this.#isOverdue = false;
    this.#lastEnd.cancel();
    const { monotonicMs } = systemClock.now();
    for (const message of this.#runs?.messages(monotonicMs) ?? []) link.send(message);
  }

  /**
   * A daemon is gone. Nothing is killed yet if another one can take over: each command has a
   * deadline, before which no one else may begin its instance again.
   */
  lost(link: SupervisorLink): void {
    if (this.#link !== link) return;
    this.#link = null;
    if (this.#adoption === null || this.#runs!.isEmpty) return this.#onEnd();
    this.#adoption.ends?.write(this.#runs!.ended(systemClock.now().monotonicMs));
    this.#wait();
    this.#onAlone();
  }

  /**
   * A daemon has connected to look, and is to be answered soon: on a busy host, printing commands
   * would use up all the time of this process.
   */
  called(link: SupervisorLink): void {
    this.#callers.add(link);
  }

  /** It has been answered. */
  answered(link: SupervisorLink): void {
    this.#callers.delete(link);
  }

  /** The connection of a daemon has ended. */
  closed(link: SupervisorLink): void {
    this.#callers.delete(link);
    if (this.#lookers.delete(link) && this.#isOverdue) this.#endAlone();
  }

  /** A daemon looks: where nobody else can take the claims back, its time to start begins anew. */
  looked(link: SupervisorLink): void {
    this.#lookers.add(link);
    const isWaiting = this.#link === null && !this.#runs!.isEmpty;
    if (isWaiting && this.#adoption!.graceMs !== null) this.#wait();
  }

  /** Wait for a daemon, while the claims certainly belong to the last one. */
  #wait(): void {
    const { graceMs } = this.#adoption!;
    if (graceMs !== null) this.#extend([...this.#commands.keys()], graceMs);
    // Needed if a command cannot be killed, or an outcome is never requested.
    const endMs = Math.max(this.#runs!.lastDeadlineMs, this.#graceEndMs(graceMs));
    this.#lastEnd.set(endMs + LAST_MS);
  }

  #detach(): void {
    const link = this.#link;
    if (link === null) return;
    this.lost(link);
    link.close();
  }

  #graceEndMs(graceMs: number | null): number {
    return graceMs === null ? 0 : systemClock.now().monotonicMs + graceMs;
  }

  #begin(message: Extract<ToSupervisor, { readonly type: "run" }>): void {
    const { run, claim, untilMs } = message;
    const command = new RunningCommand(message, this.#host);
    this.#lastRun = Math.max(this.#lastRun, run);
    this.#commands.set(run, command);
    if (this.#runs !== null) {
      const nowMs = systemClock.now().monotonicMs;
      this.#runs.begin(run, { claim, nowMs });
      this.#runs.extend(run, nowMs + untilMs);
    }
    command.start(message);
  }

  #extend(runs: readonly number[], untilMs: number): void {
    const deadlineMs = systemClock.now().monotonicMs + untilMs;
    for (const run of runs) {
      this.#commands.get(run)?.extend(untilMs);
      this.#runs?.extend(run, deadlineMs);
    }
  }

  #send(message: FromSupervisor): void {
    // Kept first: without a daemon nothing else happens to it.
    const { monotonicMs } = systemClock.now();
    const isKept = message.type === "log" || message.type === "ended";
    const sent = isKept ? this.#runs?.keep(message, monotonicMs) ?? message : message;
    this.#link?.send(sent);
    if (message.type !== "ended" || this.#link !== null) return;
    this.#adoption?.ends?.write(this.#runs!.ended(monotonicMs, message.run));
  }

  /** No daemon has come in time: end the commands that nobody can adopt any more. */
  #endAlone(): void {
    // Results that waited for room in memory are written.
    for (const command of this.#commands.values()) command.signal("SIGKILL");
    // A daemon that has seen recent ends is about to request them.
    this.#isOverdue = this.#lookers.size > 0;
    if (!this.#isOverdue) this.#onEnd();
  }

  get #isStalled(): boolean {
    return (this.#link?.unreadBytes ?? 0) > UNREAD_BYTES_MAX || this.#isFull ||
      this.#callers.size > 0;
  }

  get #isFull(): boolean {
    return (this.#runs?.bytes ?? 0) > KEPT_BYTES_MAX;
  }

  killAll(): void {
    this.#families.killAll();
  }

  #started(command: RunningCommand): void {
    this.#memory.note();
    this.#families.begin(command);
    this.#usages.begin(command);
    this.#runs?.started(command.run, command.leader);
    if (this.#host.cgroups !== null && command.cgroup === null) this.#old.setWithin(GATHER_MS);
    this.#young.add(command);
    this.#look.setWithin(LOOK_EVERY_MS);
  }

  /** Move commands into groups that started outside and have run for a while. */
  #gatherOld(): void {
    const nowMs = systemClock.now().monotonicMs;
    const outside = [...this.#commands.values()].filter(({ cgroup }) => cgroup === null);
    const old = outside.filter((command) => (command.ageMs(nowMs) ?? 0) >= GATHER_MS);
    this.#gather(old.slice(0, GATHERED_MAX));
    if (outside.length > 0 && this.#canGather) {
      this.#old.setIn(old.length > GATHERED_MAX ? 0 : GATHER_MS);
    }
  }

  #gather(commands: readonly RunningCommand[]): void {
    const { cgroups } = this.#host;
    if (cgroups === null || commands.length === 0) return;
    const wanted = new Set(commands);
    const groups = cgroups.gather(wanted, () => this.#families.find(wanted));
    for (const command of commands) command.cgroup = groups.get(command) ?? null;
    if (groups.size === 0) this.#canGather = false;
  }

  #lookAtYoung(): void {
    const nowMs = systemClock.now().monotonicMs;
    for (const command of this.#young) if (!command.look(nowMs)) this.#young.delete(command);
    if (this.#young.size > 0) this.#look.setIn(LOOK_EVERY_MS);
  }

  #kill(command: RunningCommand): void {
    // The processes of all commands killed together are searched for at once.
    if (this.#doomed.size === 0) {
      systemClock.defer(() => {
        const doomed = new Set(this.#doomed);
        this.#doomed.clear();
        this.#families.kill(doomed);
      });
    }
    this.#doomed.add(command);
  }

  #exited(command: RunningCommand): void {
    // All commands that end together are also handled at once.
    if (this.#ended.push(command) === 1) systemClock.defer(() => this.#settle());
  }

  #settle(): void {
    const ended = this.#ended;
    this.#ended = [];
    const left = this.#families.end(
      ended.map((command) => ({ command, isLeft: command.isLeft })),
    );
    for (const command of ended) command.settle(left.get(command)!);
  }

  #report(usages: ReadonlyMap<RunningCommand, LiveUsage>): void {
    const runs = [...usages].map(([{ run }, usage]) => ({ run, ...usage }));
    for (let from = 0; from < runs.length; from += ENTRIES_MAX) {
      this.#send({ type: "usage", runs: runs.slice(from, from + ENTRIES_MAX) });
    }
  }

  #over(command: RunningCommand, output: CommandOutput): void {
    this.#commands.delete(command.run);
    this.#memory.note();
    if (!output.isEnded) this.#keep(output);
    this.#endIfIdle();
  }

  #keep(output: CommandOutput): void {
    this.#kept.add(output);
    output.onceEnded(() => {
      this.#kept.delete(output);
      this.#endIfIdle();
    });
    if (this.#kept.size > KEPT_MAX) this.#kept.values().next().value!.close();
  }

  #endIfIdle(): void {
    // A daemon that has an outcome may end before recording it.
    const isDone = this.#commands.size === 0 && (this.#runs?.isEmpty ?? true);
    if (this.#isEnding && isDone && this.#kept.size === 0) this.#onEnd();
  }
}

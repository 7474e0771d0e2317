import type { Clock } from "../platform/clock.ts";
import { DueTimes } from "../platform/due_times.ts";
import { LazyTimer } from "../platform/lazy_timer.ts";
import type { Logger } from "../platform/logger.ts";
import { Cgroup } from "../platform/process/cgroup.ts";
import { commandCgroups, removeTree, treePath } from "../platform/process/cgroup_tree.ts";
import type { ChildChannel } from "../platform/process/child_channel.ts";
import {
  type Family,
  findFamily,
  isMarked,
  killFamilyInTurns,
  killGroup,
  usageOf,
} from "../platform/process/descendants.ts";
import {
  type StartFault,
  unstartedEnding,
  type WorkerEnding,
} from "../worker/process/worker_ending.ts";
import { type FromSupervisor, SUPERVISOR_VERSION, type ToSupervisor } from "./protocol.ts";
import { readMessage } from "./read_message.ts";
import { Recorded } from "./recorded.ts";
import type { CommandSupervisor, SupervisedCommand } from "./supervised_command.ts";
import type { SupervisorExit, SupervisorPeer } from "./supervisor_peer.ts";
import type { WaitingClaims } from "./waiting_claims.ts";

/** How long it may take from its spawn to its first message. */
const HELLO_MS_MAX = 30_000;
/** How often it is continued while it runs commands. */
const CONTINUE_EVERY_MS = 2_000;
/** How long it may take to end once its channel is closed. */
const END_MS_MAX = 1_000;
/** How long to wait until killed processes are gone. */
const GONE_MS_MAX = 1_000;
const CHECK_EVERY_MS = 5;
/** How long its channel may stay open after its end. */
const CHANNEL_MS_MAX = 200;
/** What a supervisor is, and whom it informs. */
export interface SupervisorProcessOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly peer: SupervisorPeer;
  /** True if it has other rights than this process: what it says of processes is checked. */
  readonly isForeign: boolean;
  /** The markers of its commands begin with this and a dot. */
  readonly token: string;
  /** Keeps the claims of commands until it has started; null if no daemon could find them. */
  readonly waiting: WaitingClaims | null;
  /** A command has ended. */
  readonly onEnd: (supervisor: SupervisorProcess) => void;
  /** The process is gone, with all of its commands. */
  readonly onGone: (supervisor: SupervisorProcess) => void;
}

/** The daemon's side of one supervisor process. */
export class SupervisorProcess implements CommandSupervisor {
  readonly token: string;
  /** Null if it could not be started. */
  readonly pid: number | null;
  /** Commands begun. */
  runs = 0;
  /** Monotonic ms since which it runs nothing. */
  idleSinceMs = 0;
  /** True if it takes no more commands. One that was found takes none unless this is changed. */
  isRetired = false;
  /** True if commands were left to the next daemon: it outlives this one. */
  hasLeft = false;
  readonly #options: SupervisorProcessOptions;
  readonly #channel: ChildChannel | null;
  readonly #commands = new Map<number, SupervisedCommand>();
  /** Commands to begin once it has started; null afterwards. */
  #backlog: SupervisedCommand[] | null;
  /** What it need not keep any longer. */
  readonly #recorded: Recorded;
  /** The deadlines that were moved in this turn of the event loop, by command. */
  readonly #moved = new Map<number, number>();
  /** When to wake commands. */
  readonly #wakes: DueTimes<SupervisedCommand>;
  readonly #limit: LazyTimer;
  readonly #continuing: LazyTimer;
  #fault: StartFault | null = null;
  #exit: SupervisorExit | null = null;
  #isGone = false;

  constructor(options: SupervisorProcessOptions) {
    const { clock, peer, token } = options;
    this.#options = options;
    this.token = token;
    this.pid = peer.pid;
    this.#backlog = peer.isFound ? null : [];
    this.isRetired = peer.isFound;
    this.#wakes = new DueTimes(clock, (command) => command.wake());
    this.#limit = new LazyTimer(clock, () => this.#limitReached());
    this.#continuing = new LazyTimer(clock, () => this.#continue());
    this.#recorded = new Recorded(clock, (message) => this.send(message));
    // A supervisor that was found has the outcomes that nobody has recorded.
    this.#recorded.isWanted = peer.isFound;
    this.#channel = peer.open({
      onMessage: (message) => this.#receive(message),
      onFault: (problem) => this.#violated(problem),
      onExit: (exit) => this.#exited(exit),
      onFailure: (fault) => {
        this.#fault ??= fault;
        this.#gone();
      },
    });
    if (this.pid !== null && !peer.isFound) this.#limit.setIn(HELLO_MS_MAX);
  }

  get hasStarted(): boolean {
    return this.#backlog === null;
  }

  /** Commands that run or wait for its start. */
  get busy(): number {
    return this.#commands.size;
  }

  /** Memory that it takes; 0 if it is gone. */
  get memoryBytes(): number {
    return this.pid === null ? 0 : usageOf(this.pid)?.rssBytes ?? 0;
  }

  take(command: SupervisedCommand): void {
    this.runs += 1;
    this.#commands.set(command.number, command);
    if (this.#backlog !== null) {
      this.#backlog.push(command);
      this.#options.waiting?.add(command.claim!);
    } else if (!command.isFound) this.#begin(command);
    this.#continuing.setWithin(CONTINUE_EVERY_MS);
  }

  drop(command: SupervisedCommand): void {
    this.#commands.delete(command.number);
    this.#backlog = this.#backlog?.filter((each) => each !== command) ?? null;
  }

  send(message: ToSupervisor): void {
    this.#channel?.send(message);
  }

  wakeAt(command: SupervisedCommand, dueMs: number | null): void {
    this.#wakes.set(command, dueMs);
  }

  extend(command: SupervisedCommand, deadlineMs: number): void {
    if (!this.hasStarted) return;
    // A renewal moves the deadlines of all that run.
    if (this.#moved.size === 0) this.#options.clock.defer(() => this.#sendDeadlines());
    this.#moved.set(command.number, deadlineMs);
  }

  /** Take no more commands, and end once nothing runs. */
  end(): void {
    this.isRetired = true;
    if (this.#commands.size > 0 || this.#exit !== null) return;
    if (this.hasStarted) this.send({ type: "end" });
    else this.giveUp();
  }

  /** End at once, with all that runs but what was left to the next daemon. */
  close(): void {
    this.isRetired = true;
    if (!this.hasStarted) return this.giveUp();
    this.#recorded.send();
    this.send({ type: this.hasLeft ? "detach" : "quit" });
    if (this.hasLeft) this.#channel!.whenClosed(() => this.#gone());
    this.#limit.setIn(END_MS_MAX);
  }

  get canLeave(): boolean {
    return this.hasStarted && this.#recorded.isWanted && this.#exit === null;
  }

  leave(command: SupervisedCommand): boolean {
    if (!this.canLeave) return false;
    this.#commands.delete(command.number);
    return this.hasLeft = true;
  }

  noteLines(command: SupervisedCommand, lines: number): void {
    this.#recorded.lines(command.number, lines);
  }

  noteDone(command: SupervisedCommand): void {
    this.#recorded.done(command.number);
  }

  giveUp(): void {
    this.isRetired = true;
    if (this.pid === null || this.#exit !== null) return;
    killGroup(this.pid, "SIGKILL");
  }

  /** A command, which has the same rights, may have stopped it, and all others would wait. */
  #continue(): void {
    if (this.pid === null || this.#exit !== null || this.#commands.size === 0) return;
    killGroup(this.pid, "SIGCONT");
    this.#continuing.setIn(CONTINUE_EVERY_MS);
  }

  #begin(command: SupervisedCommand): void {
    try {
      this.send(command.begin());
    } catch (error) {
      this.#commands.delete(command.number);
      command.fail(error);
      this.#options.onEnd(this);
    }
  }

  #sendDeadlines(): void {
    const nowMs = this.#options.clock.now().monotonicMs;
    const byTime = new Map<number, number[]>();
    for (const [run, deadlineMs] of this.#moved) {
      const runs = byTime.get(deadlineMs);
      if (runs === undefined) byTime.set(deadlineMs, [run]);
      else runs.push(run);
    }
    this.#moved.clear();
    for (const [deadlineMs, runs] of byTime) {
      this.send({ type: "until", runs, untilMs: Math.max(0, deadlineMs - nowMs) });
    }
  }

  #receive(given: unknown): void {
    const message = readMessage(given);
    if (message === null) return this.#violated("an unreadable message");
    switch (message.type) {
      case "hello":
        return this.#greeted(message);
      case "unfit":
        return this.#unstartable(message.message, "job");
      case "started":
        return this.#started(message);
      case "log":
      case "frozen":
        return this.#commands.get(message.run)?.receive(message);
      case "usage":
        for (const { run, ...usage } of message.runs) this.#commands.get(run)?.used(usage);
        return;
      case "runs":
        return this.#violated('"runs" unasked');
      case "ended": {
        const command = this.#commands.get(message.run);
        if (command === undefined) {
          // Nobody waits for it, unless the next daemon does.
          if (!this.hasLeft) this.#recorded.done(message.run);
          return;
        }
        this.#commands.delete(message.run);
        command.receive(message);
        return this.#options.onEnd(this);
      }
    }
  }

  #started(message: Extract<FromSupervisor, { readonly type: "started" }>): void {
    const command = this.#commands.get(message.run);
    if (command === undefined || command.leader !== null) return;
    this.noteLeader(command, message.pid);
    command.receive(message);
  }

  /** This is the first process of a command, as the supervisor says. */
  noteLeader(command: SupervisedCommand, pid: number): void {
    // It receives our signals, so one with fewer rights must not name the process of another.
    const isOurs = !this.#options.isForeign || process.platform !== "linux" ||
      findFamily(command.family, null, [pid]).length > 0;
    if (isOurs) command.leader = pid;
  }

  #greeted(
    { version, isAdoptable }: Extract<FromSupervisor, { readonly type: "hello" }>,
  ): void {
    if (this.hasStarted) return this.#violated('"hello" twice');
    if (version !== SUPERVISOR_VERSION) {
      const problem =
        `it speaks version ${version} of the protocol, this daemon ${SUPERVISOR_VERSION}: restart the daemon`;
      return this.#unstartable(problem, "worker");
    }
    if (this.#fault !== null) return;
    this.#recorded.isWanted = isAdoptable;
    const backlog = this.#backlog ?? [];
    this.#backlog = null;
    this.#limit.set(null);
    this.#options.waiting?.clear();
    for (const command of backlog) this.#begin(command);
  }

  #unstartable(message: string, whose: StartFault["whose"]): void {
    this.#fault ??= { message, whose };
    this.giveUp();
  }

  /** Only a command, which has the same rights, can have sent this. */
  #violated(problem: string): void {
    this.#options.logger.warn("Ended the supervisor of commands, which runs no more", {
      ...{ pid: this.pid, commands: this.#commands.size },
      problem: `it sent ${problem}`,
    });
    this.#channel?.close();
    this.giveUp();
  }

  #limitReached(): void {
    if (this.#exit !== null || this.hasLeft) return this.#gone();
    if (this.hasStarted) return this.giveUp();
    this.#unstartable(`it did not respond within ${HELLO_MS_MAX} ms`, "worker");
  }

  #exited(exit: SupervisorExit): void {
    // Only its connection has ended, as far as is known. Its number may be that of another by now.
    if (this.#options.peer.isFound && isMarked(this.pid!, this.token)) this.giveUp();
    this.isRetired = true;
    this.#exit = exit;
    // What it sent before may still be on its way.
    this.#limit.setIn(CHANNEL_MS_MAX);
    this.#channel!.whenClosed(() => void this.#killLeft());
  }

  /** Kill what its commands have left, until all of it is gone. */
  async #killLeft(): Promise<void> {
    this.#limit.set(null);
    const { clock } = this.#options;
    const startMs = clock.now().monotonicMs;
    if (this.#commands.size > 0) this.#cgroups?.kill();
    for (;;) {
      const killed = this.#commands.size === 0
        ? 0
        : await killFamilyInTurns(this.#family, null, clock);
      if (killed === 0 || clock.now().monotonicMs - startMs >= GONE_MS_MAX) break;
      await new Promise<void>((resolve) => void clock.timer(CHECK_EVERY_MS, resolve));
    }
    this.#gone();
  }

  /** The control groups of its commands, with its own; null if there are none. */
  get #cgroups(): Cgroup | null {
    const tree = commandCgroups(this.token);
    return tree && new Cgroup(treePath(tree));
  }

  get #family(): Family {
    const leaders = [...this.#commands.values()].map(({ leader }) => leader);
    const sessions = new Set(leaders.filter((leader) => leader !== null));
    return { marker: this.token, isPrefix: true, sessions };
  }

  #gone(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.isRetired = true;
    this.#limit.cancel();
    this.#continuing.cancel();
    this.#channel?.close();
    if (this.hasLeft) this.#options.peer.release();
    if (this.#cgroups !== null) removeTree(this.#cgroups.path);
    const commands = [...this.#commands.values()];
    this.#commands.clear();
    const ending = this.#ending();
    for (const command of commands) command.end(ending);
    this.#options.waiting?.clear();
    this.#options.onGone(this);
  }

  #ending(): WorkerEnding {
    const { signal = null, code = null } = this.#exit ?? {};
    if (!this.hasStarted) {
      return unstartedEnding(this.#fault, { code, signal }, this.#options.peer.words);
    }
    // However it ended, that was not the doing of each of its commands.
    return { type: "exit", code: null, signal: signal ?? "SIGKILL" };
  }
}

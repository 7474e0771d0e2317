import process from "node:process";
import { DueTimes } from "../platform/due_times.ts";
import { LazyTimer } from "../platform/lazy_timer.ts";
import { type Family, usageOf } from "../platform/process/descendants.ts";
import {
  type StartFault,
  unstartedEnding,
  type WorkerEnding,
} from "../worker/process/worker_ending.ts";
import { MovedDeadlines } from "./moved_deadlines.ts";
import { type FromSupervisor, SUPERVISOR_VERSION, type ToSupervisor } from "./protocol.ts";
import { readMessage } from "./read_message.ts";
import { Recorded } from "./recorded.ts";
import type { CommandSupervisor, SupervisedCommand } from "./supervised_command.ts";
import type { PeerConnection, SupervisorExit } from "./supervisor_peer.ts";
import { SupervisorWatch, type SupervisorWatchOptions } from "./supervisor_watch.ts";
import type { WaitingClaims } from "./waiting_claims.ts";

/** Time from its spawn to its first message. */
const HELLO_MS_MAX = 30_000;
/** Time for a found supervisor to hand its commands over, even on a busy host. */
const ATTACH_MS_MAX = 10_000;
/** Time for it to end on request. */
const END_MS_MAX = 1_000;
/** Time until its exit is seen after its connection has ended. */
const EXIT_MS_MAX = 1_000;
/** The same after SIGKILL: a process that hangs in the kernel can start nothing any more. */
const KILL_MS_MAX = 2_000;
/** Longest wait until killed processes are gone. */
const GONE_MS_MAX = 1_000;
const CHECK_EVERY_MS = 5;
/** Time for which its connection may stay open after its end. */
const CHANNEL_MS_MAX = 200;

/**
 * The phase of a supervisor, as its daemon sees it. Each has a time limit that does not depend on
 * the supervisor. "How commands run" in docs/architecture.md has the whole table.
 */
type Phase =
  /** It was spawned, and has not reported its readiness. */
  | "starting"
  /** It was found, and does not belong to this daemon yet. */
  | "found"
  /** It has not answered the request for its commands. */
  | "attaching"
  | "ready"
  /** It was requested to end, or to wait for the next daemon. */
  | "closing"
  /** Its process or its connection has ended: its remains are being killed. */
  | "ended"
  /** Nothing is left of it. */
  | "gone";

/** Options of a supervisor, and its listeners. */
export interface SupervisorProcessOptions
  extends Pick<SupervisorWatchOptions, "clock" | "logger" | "system" | "peer"> {
  /** True if it has other rights than this process: what it says of processes is checked. */
  readonly isForeign: boolean;
  /** The markers of its commands begin with this and a dot. */
  readonly token: string;
  /** Keeps the claims of commands until it is ready; null if no daemon could find them. */
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
  /** True if it takes no more commands. A found one takes none unless this is changed. */
  isRetired = false;
  /** True if commands were left to the next daemon: it outlives this one. */
  hasLeft = false;
  /** True once it has worked. */
  hasStarted: boolean;
  readonly #options: SupervisorProcessOptions;
  readonly #connection: PeerConnection | null;
  readonly #commands = new Map<number, SupervisedCommand>();
  #phase: Phase;
  /** Commands to begin once it is ready. */
  #backlog: SupervisedCommand[] = [];
  /** Messages for it until then. */
  #queue: ToSupervisor[] = [];
  /** Data that it can drop. */
  readonly #recorded: Recorded;
  readonly #deadlines: MovedDeadlines;
  /** When to wake commands. */
  readonly #wakes: DueTimes<SupervisedCommand>;
  /** When the current phase has taken too long. */
  readonly #limit: LazyTimer;
  readonly #watch: SupervisorWatch;
  #fault: StartFault | null = null;
  #exit: SupervisorExit | null = null;
  #isClosed = false;
  #isKilled = false;
  #isKillingLeft = false;

  constructor(options: SupervisorProcessOptions) {
    const { clock, peer, token } = options;
    this.#options = options;
    this.token = token;
    this.pid = peer.pid;
    this.hasStarted = peer.isFound;
    this.#phase = peer.isFound ? "found" : "starting";
    this.isRetired = peer.isFound;
    this.#wakes = new DueTimes(clock, (command) => command.wake());
    this.#deadlines = new MovedDeadlines(clock, (message) => this.send(message));
    this.#limit = new LazyTimer(clock, () => this.#limitReached());
    this.#watch = new SupervisorWatch({
      ...options,
      commands: this.#commands,
      ask: () => this.#ask(),
    });
    // A supervisor that was found has the outcomes that nobody has recorded.
    this.#recorded = new Recorded(clock, (message) => this.send(message), peer.isFound);
    this.#connection = peer.open({
      onMessage: (message) => this.#receive(message),
      onFault: (problem) => this.#violated(problem),
      onClosed: () => this.#closed(),
      onExit: (exit) => this.#ended(exit),
      onFailure: (fault) => {
        this.#fault ??= fault;
        this.#gone();
      },
    });
    if (this.pid !== null && !peer.isFound) this.#limit.setIn(HELLO_MS_MAX);
  }

  /** Commands that run or wait for its start. */
  get busy(): number {
    return this.#commands.size;
  }

  /** True if it has not answered for a while. */
  get isSilent(): boolean {
    return this.#watch.isSilent;
  }

  /** Memory that it takes; 0 if it is gone. */
  get memoryBytes(): number {
    return this.pid === null ? 0 : usageOf(this.pid)?.rssBytes ?? 0;
  }

  get #isOver(): boolean {
    return this.#phase === "ended" || this.#phase === "gone";
  }

  get #isLeaving(): boolean {
    return this.#phase === "closing" && this.hasLeft;
  }

  take(command: SupervisedCommand): void {
    if (this.#phase === "gone") return void this.#lose(command);
    this.runs += 1;
    this.#commands.set(command.number, command);
    if (!command.hasStarted) {
      if (this.#phase === "ready") this.#begin(command);
      else {
        this.#backlog.push(command);
        this.#options.waiting?.add(command.claim!);
      }
    }
    this.#watch.begin();
  }

  drop(command: SupervisedCommand): void {
    this.#commands.delete(command.number);
    this.#backlog = this.#backlog.filter((each) => each !== command);
  }

  send(message: ToSupervisor): void {
    if (this.#phase === "ready" || this.#phase === "closing") this.#connection!.send(message);
    // Until it has answered, it would take any message for a stranger's.
    else if (this.#phase === "found" || this.#phase === "attaching") this.#queue.push(message);
  }

  wakeAt(command: SupervisedCommand, dueMs: number | null): void {
    this.#wakes.set(command, dueMs);
  }

  extend(command: SupervisedCommand, deadlineMs: number): void {
    if (command.hasStarted && !this.#isOver) this.#deadlines.move(command.number, deadlineMs);
  }

  kill({ family }: SupervisedCommand): void {
    const { system, clock } = this.#options;
    void system.killFamily(family, clock).catch(() => {});
  }

  missing(command: SupervisedCommand): string | null {
    return this.#watch.missing(command);
  }

  attach(): void {
    // It may have ended since.
    if (this.#phase !== "found") return;
    this.#phase = "attaching";
    this.#connection!.send({ type: "attach" });
    if (this.#options.peer.answers) this.#limit.setIn(ATTACH_MS_MAX);
    else this.#ready();
  }

  /** Take no more commands, and end once nothing runs. */
  end(): void {
    this.isRetired = true;
    if (this.#commands.size > 0) return;
    if (this.#phase === "starting") this.giveUp();
    else this.send({ type: "end" });
  }

  /** End at once, with all commands except the ones left to the next daemon. */
  close(): void {
    this.isRetired = true;
    if (this.#isOver) return;
    if (this.#phase !== "ready") return this.giveUp();
    this.#recorded.send();
    this.#phase = "closing";
    this.send({ type: this.hasLeft ? "detach" : "quit" });
    this.#limit.setIn(END_MS_MAX);
  }

  get canLeave(): boolean {
    return this.#phase === "ready" && this.#recorded.isWanted && !this.#isKilled;
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
    if (this.pid === null || this.#isOver || this.#isKilled) return;
    this.#isKilled = true;
    const { peer: { isFound }, system } = this.#options;
    // If it is not our child, another process may have its number by now.
    const isOther = isFound && process.platform === "linux" &&
      !system.isSupervisor(this.pid, this.token);
    if (!isOther) system.signalGroup(this.pid, "SIGKILL");
    this.#limit.setIn(KILL_MS_MAX);
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

  #ready(): void {
    this.#phase = "ready";
    this.hasStarted = true;
    this.#limit.set(null);
    const [queue, backlog] = [this.#queue, this.#backlog];
    this.#queue = [];
    this.#backlog = [];
    for (const message of queue) this.send(message);
    this.#deadlines.ready();
    this.#options.waiting?.clear();
    for (const command of backlog) this.#begin(command);
  }

  /** Ask which commands it runs. @returns false if it does not answer questions */
  #ask(): boolean {
    if (this.#phase !== "ready" || !this.#options.peer.answers) return false;
    this.send({ type: "check" });
    return true;
  }

  #receive(given: unknown): void {
    const message = readMessage(given);
    if (message === null) return this.#violated("an unreadable message");
    switch (message.type) {
      case "hello":
        return this.#greeted(message);
      case "attached":
        return this.#phase === "attaching" ? this.#ready() : this.#violated('"attached" unasked');
      case "running":
        return this.#watch.answered(message.runs);
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

  /** This is the first process of a command, according to the supervisor. */
  noteLeader(command: SupervisedCommand, pid: number): void {
    const { isForeign, system } = this.#options;
    // It receives our signals, so with fewer rights it must not name a foreign process.
    if (!isForeign || system.isOf(pid, command.family)) command.leader = pid;
  }

  #greeted(
    { version, isAdoptable }: Extract<FromSupervisor, { readonly type: "hello" }>,
  ): void {
    if (this.#phase !== "starting") return this.#violated('"hello" twice');
    if (version !== SUPERVISOR_VERSION) {
      const problem =
        `it speaks version ${version} of the protocol, this daemon ${SUPERVISOR_VERSION}: restart the daemon`;
      return this.#unstartable(problem, "worker");
    }
    if (this.#isKilled) return;
    this.#recorded.isWanted = isAdoptable;
    this.#ready();
  }

  #unstartable(message: string, whose: StartFault["whose"]): void {
    this.#fault ??= { message, whose };
    this.giveUp();
  }

  /** Only a command with its rights can have sent this. */
  #violated(problem: string): void {
    this.#options.logger.warn("Ended the supervisor of commands, which runs no more", {
      pid: this.pid,
      commands: this.#commands.size,
      problem: `it sent ${problem}`,
    });
    this.#connection?.close();
    this.giveUp();
  }

  #limitReached(): void {
    if (this.#phase === "ended") return void this.#killLeft();
    if (this.#isLeaving) return this.#gone();
    if (this.#isKilled) return this.#ended({ code: null, signal: "SIGKILL" });
    if (this.#phase === "starting") {
      const problem = this.#isClosed
        ? "it closed its connection"
        : `it did not respond within ${HELLO_MS_MAX} ms`;
      return this.#unstartable(problem, "worker");
    }
    if (this.#phase === "attaching") {
      this.#options.logger.warn("Ended a supervisor that does not hand over its commands", {
        pid: this.pid,
        commands: this.#commands.size,
        seconds: ATTACH_MS_MAX / 1_000,
      });
    }
    this.giveUp();
  }

  /** Its connection has ended. */
  #closed(): void {
    this.#isClosed = true;
    if (this.#phase === "gone") return;
    if (this.#phase === "ended") return void this.#killLeft();
    if (this.#isLeaving) return this.#gone();
    const { peer, system } = this.#options;
    // The exit of a child is seen soon, unless only its connection is lost.
    if (!peer.isFound) return this.#isKilled ? undefined : this.#limit.setIn(EXIT_MS_MAX);
    // For a foreign process, nothing more will be seen.
    const { pid } = peer;
    if (pid !== null && system.isSupervisor(pid, this.token)) system.signalGroup(pid, "SIGKILL");
    this.#ended({ code: null, signal: null });
  }

  #ended(exit: SupervisorExit): void {
    if (this.#isOver) return;
    this.#phase = "ended";
    this.isRetired = true;
    this.#exit = exit;
    if (this.#commands.size > 0 && this.hasStarted) {
      this.#options.logger.warn(
        "A supervisor of commands has ended: its running commands are lost",
        {
          pid: this.pid,
          ...exit,
          commands: this.#commands.size,
        },
      );
    }
    // Earlier messages may still be on their way.
    if (this.#isClosed) void this.#killLeft();
    else this.#limit.setIn(CHANNEL_MS_MAX);
  }

  async #killLeft(): Promise<void> {
    if (this.#isKillingLeft) return;
    this.#isKillingLeft = true;
    this.#limit.set(null);
    try {
      await this.#killCommands();
    } catch (error) {
      this.#options.logger.error(
        "Cannot end the processes that a supervisor of commands has left",
        {
          error: String(error),
        },
      );
    }
    this.#gone();
  }

  /** Kill leftovers of its commands, until all are gone. */
  async #killCommands(): Promise<void> {
    const { clock, system } = this.#options;
    const startMs = clock.now().monotonicMs;
    if (this.#commands.size > 0) system.killTree(this.token);
    while (this.#commands.size > 0) {
      const killed = await system.killFamily(this.#family, clock);
      if (killed === 0 || clock.now().monotonicMs - startMs >= GONE_MS_MAX) break;
      await new Promise<void>((resolve) => void clock.timer(CHECK_EVERY_MS, resolve));
    }
  }

  get #family(): Family {
    const families = [...this.#commands.values()].flatMap(({ family }) => [...family.sessions]);
    return { marker: this.token, isPrefix: true, sessions: new Set(families) };
  }

  #gone(): void {
    if (this.#phase === "gone") return;
    this.#phase = "gone";
    this.isRetired = true;
    this.#limit.cancel();
    this.#watch.stop();
    this.#connection?.close();
    if (this.hasLeft) this.#options.peer.release();
    else this.#options.system.removeTree(this.token);
    const commands = [...this.#commands.values()];
    this.#commands.clear();
    for (const command of commands) command.end(this.#endingOf(command));
    this.#options.waiting?.clear();
    this.#options.onGone(this);
  }

  /** A command came too late: it does not run. */
  async #lose(command: SupervisedCommand): Promise<void> {
    const { system, clock } = this.#options;
    if (command.hasStarted) await system.killFamily(command.family, clock).catch(() => 0);
    command.end(this.#endingOf(command));
  }

  #endingOf(command: SupervisedCommand): WorkerEnding {
    const { signal = null, code = null } = this.#exit ?? {};
    if (!command.hasStarted) {
      return unstartedEnding(this.#fault, { code, signal }, this.#options.peer.words);
    }
    // Its end is not the doing of each of its commands.
    return { type: "exit", code: null, signal: signal ?? "SIGKILL" };
  }
}

import type { LiveUsage } from "../../core/instance.ts";
import { systemClock } from "../../platform/clock.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import { spentMs } from "../../platform/process/process.ts";
import { createProgramStarter } from "../../platform/process/start_program.ts";
import { TransferBudget } from "../../worker/output/transfer_budget.ts";
import { ENTRIES_MAX, type FromSupervisor, type ToSupervisor } from "../protocol.ts";
import { CommandFamilies } from "./command_families.ts";
import { CommandUsages } from "./command_usages.ts";
import type { CommandOutput } from "./command_output.ts";
import { ResultFiles } from "./result_file.ts";
import { type CommandHost, RunningCommand } from "./running_command.ts";

/**
 * How often the output of young commands is read: that costs less than waiting for it, and keeps
 * the order of stdout and stderr well enough.
 */
const LOOK_EVERY_MS = 1;
/** Most outputs kept open by what commands have left; beyond that, the oldest is closed. */
const KEPT_MAX = 100;
/** How many bytes the daemon may leave unread before commands have to wait with their output. */
const UNREAD_BYTES_MAX = 1_048_576;

/** How a supervisor reaches its daemon. */
export interface SupervisorLink {
  send(message: FromSupervisor): void;
  /** Bytes sent that the daemon has not read yet, not counting those in the kernel. */
  readonly unreadBytes: number;
}

/** Runs commands for a daemon. */
export class Supervisor {
  readonly #commands = new Map<number, RunningCommand>();
  readonly #families = new CommandFamilies();
  readonly #usages: CommandUsages<RunningCommand>;
  readonly #host: CommandHost;
  /** Commands whose output is not yet read as it comes. */
  readonly #young = new Set<RunningCommand>();
  readonly #look = new LazyTimer(systemClock, () => this.#lookAtYoung());
  /** Commands to kill in this turn of the event loop. */
  readonly #doomed = new Set<RunningCommand>();
  /** Commands whose first process has ended in this turn of the event loop. */
  #ended: RunningCommand[] = [];
  /** Outputs that processes left to run still have open. They are read, and discarded. */
  readonly #kept = new Set<CommandOutput>();
  readonly #onIdle: () => void;
  #isEnding = false;

  /** @param onIdle called when it has been told to end and nothing is left to do */
  constructor(link: SupervisorLink, onIdle: () => void) {
    this.#onIdle = onIdle;
    this.#usages = new CommandUsages({
      clock: systemClock,
      spentMs,
      find: (commands) => this.#families.find(commands),
      report: (usages) => this.#report(usages, link),
    });
    this.#host = {
      clock: systemClock,
      starter: createProgramStarter(),
      files: new ResultFiles(systemClock),
      budget: new TransferBudget(systemClock),
      isStalled: () => link.unreadBytes > UNREAD_BYTES_MAX,
      send: (message) => link.send(message),
      onStart: (command) => this.#started(command),
      onExit: (command) => this.#exited(command),
      kill: (command) => this.#kill(command),
      usageOf: (command, exit) => this.#usages.end(command, exit),
      onEnd: (command, output) => this.#over(command, output),
    };
  }

  receive(message: ToSupervisor): void {
    switch (message.type) {
      case "run": {
        const command = new RunningCommand(message, this.#host);
        this.#commands.set(message.run, command);
        return command.start(message.untilMs);
      }
      case "until":
        for (const run of message.runs) this.#commands.get(run)?.extend(message.untilMs);
        return;
      case "signal":
        return this.#commands.get(message.run)?.signal(message.signal);
      case "end":
        this.#isEnding = true;
        return this.#endIfIdle();
    }
  }

  /** Kill everything that runs, at once. */
  killAll(): void {
    this.#families.killAll();
  }

  #started(command: RunningCommand): void {
    this.#families.begin(command);
    this.#usages.begin(command);
    this.#young.add(command);
    this.#look.setWithin(LOOK_EVERY_MS);
  }

  #lookAtYoung(): void {
    const nowMs = systemClock.now().monotonicMs;
    for (const command of this.#young) if (!command.look(nowMs)) this.#young.delete(command);
    if (this.#young.size > 0) this.#look.setIn(LOOK_EVERY_MS);
  }

  #kill(command: RunningCommand): void {
    // The processes of all that are killed together are searched for at once.
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
    // And of all that end together.
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

  #report(usages: ReadonlyMap<RunningCommand, LiveUsage>, link: SupervisorLink): void {
    const runs = [...usages].map(([{ run }, usage]) => ({ run, ...usage }));
    for (let from = 0; from < runs.length; from += ENTRIES_MAX) {
      link.send({ type: "usage", runs: runs.slice(from, from + ENTRIES_MAX) });
    }
  }

  #over(command: RunningCommand, output: CommandOutput): void {
    this.#commands.delete(command.run);
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
    if (this.#isEnding && this.#commands.size === 0 && this.#kept.size === 0) this.#onIdle();
  }
}

import type { Clock } from "../platform/clock.ts";
import { LazyTimer } from "../platform/lazy_timer.ts";
import type { Logger } from "../platform/logger.ts";
import type { LifeOfProcess } from "../platform/process/process_identity.ts";
import type { SupervisedCommand } from "./supervised_command.ts";
import type { SupervisorPeer } from "./supervisor_peer.ts";
import type { SupervisorSystem } from "./supervisor_system.ts";

/** Interval between looks at a supervisor, which continue it, while it runs commands. */
const LOOK_EVERY_MS = 2_000;
/** Time for an answer before a delay is reported. */
const ANSWER_MS_MAX = 10_000;
/** Time for which a process is believed to live: there may be thousands of commands to look at. */
const SEEN_MS_MAX = 1_000;

/** Options of the watch of a supervisor. */
export interface SupervisorWatchOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly system: SupervisorSystem;
  readonly peer: SupervisorPeer;
  /** Its commands, by number. */
  readonly commands: ReadonlyMap<number, SupervisedCommand>;
  /** Ask which commands it runs. @returns false if it does not answer that */
  readonly ask: () => boolean;
}

/**
 * Looks whether a supervisor lives, answers, and knows its commands: its daemon renews their claims
 * for as long as they seem to run.
 */
export class SupervisorWatch {
  readonly #options: SupervisorWatchOptions;
  readonly #timer: LazyTimer;
  /** The commands that it had to know at the time of the request; null without a request. */
  #asked: readonly SupervisedCommand[] | null = null;
  #askedMs = 0;
  #isSilent = false;
  #unknown = new Set<SupervisedCommand>();
  #seen: { readonly life: LifeOfProcess; readonly atMs: number } | null = null;

  constructor(options: SupervisorWatchOptions) {
    this.#options = options;
    this.#timer = new LazyTimer(options.clock, () => this.#look());
  }

  get isSilent(): boolean {
    return this.#isSilent && this.#options.commands.size > 0;
  }

  /** It has a command: look at it from now on. */
  begin(): void {
    this.#timer.setWithin(LOOK_EVERY_MS);
  }

  stop(): void {
    this.#timer.cancel();
  }

  /** Why nothing can run for a command, if known; null if it may run. */
  missing(command: SupervisedCommand): string | null {
    const { commands, peer: { pid } } = this.#options;
    if (commands.get(command.number) !== command) return "its supervisor does not have it";
    if (this.#unknown.has(command)) return `its supervisor, process ${pid}, does not know it`;
    if (pid === null || this.#life(pid) !== "gone") return null;
    return `its supervisor, process ${pid}, is gone`;
  }

  /** It has said which commands it runs. */
  answered(runs: readonly number[]): void {
    const known = new Set(runs);
    const { commands, logger, peer: { pid } } = this.#options;
    // Commands that ended before the request have been reported before this.
    const unknown = this.#asked?.filter((command) => {
      return !known.has(command.number) && commands.get(command.number) === command;
    });
    this.#unknown = new Set(unknown);
    this.#asked = null;
    if (this.#isSilent) logger.info("A supervisor of commands responds again", { pid });
    this.#isSilent = false;
  }

  #look(): void {
    const { commands, peer: { pid }, logger, system } = this.#options;
    if (commands.size === 0 || pid === null) return;
    if (this.#life(pid) === "stopped") {
      logger.warn("A supervisor of commands was stopped by a signal: continuing it", {
        pid,
        commands: commands.size,
      });
    }
    // A command with its rights may have stopped it, and all others would wait.
    system.signalGroup(pid, "SIGCONT");
    this.#ask();
    this.#timer.setIn(LOOK_EVERY_MS);
  }

  #ask(): void {
    const { commands, ask, clock, logger, peer: { pid } } = this.#options;
    const nowMs = clock.now().monotonicMs;
    if (this.#asked === null) {
      if (!ask()) return;
      this.#asked = [...commands.values()].filter(({ hasStarted }) => hasStarted);
      this.#askedMs = nowMs;
    } else if (!this.#isSilent && nowMs - this.#askedMs >= ANSWER_MS_MAX) {
      this.#isSilent = true;
      const seconds = ANSWER_MS_MAX / 1_000;
      logger.warn("A supervisor of commands does not respond: is it frozen?", {
        pid,
        seconds,
        commands: commands.size,
        hint: "Its commands run on, but their output and exit codes do not arrive",
      });
    }
  }

  #life(pid: number): LifeOfProcess {
    const nowMs = this.#options.clock.now().monotonicMs;
    if (this.#seen === null || nowMs - this.#seen.atMs >= SEEN_MS_MAX) {
      this.#seen = { life: this.#options.system.lifeOf(pid), atMs: nowMs };
    }
    return this.#seen.life;
  }
}

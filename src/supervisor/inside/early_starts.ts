import { AHEAD_MS_MAX } from "../../core/time/ahead.ts";
import type { Clock } from "../../platform/clock.ts";

/** Commands sent early. The ones with the same time begin together, in order of arrival. */
export class EarlyStarts<Command> {
  readonly #clock: Clock;
  /** The functions that begin the commands, by their start time, epoch ms. */
  readonly #waiting = new Map<number, Map<Command, () => void>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Call `begin` when the wall clock shows `startAt`, epoch ms; at once if it has passed. */
  at(startAt: number, command: Command, begin: () => void): void {
    const leftMs = startAt - this.#clock.now().wallMs;
    if (leftMs <= 0) return begin();
    const known = this.#waiting.get(startAt);
    if (known !== undefined) return void known.set(command, begin);
    const commands = new Map([[command, begin]]);
    this.#waiting.set(startAt, commands);
    // If it is longer than that, the clock was set back since the command was sent.
    this.#clock.timer(Math.min(leftMs, AHEAD_MS_MAX), () => {
      this.#waiting.delete(startAt);
      for (const start of commands.values()) start();
    }, { isExact: true });
  }

  /** Do not begin a command. @returns false if it has begun */
  remove(command: Command): boolean {
    return [...this.#waiting.values()].some((commands) => commands.delete(command));
  }
}

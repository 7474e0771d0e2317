import type { Clock } from "../platform/clock.ts";
import type { ToSupervisor } from "./protocol.ts";

/**
 * What the store has of the commands of a supervisor, told to it once in a turn of the event loop.
 *
 * Only a supervisor that outlives its daemon keeps what is not recorded, and needs this.
 */
export class Recorded {
  isWanted = false;
  readonly #clock: Clock;
  readonly #send: (message: ToSupervisor) => void;
  #lines = new Map<number, number>();
  #done: number[] = [];

  constructor(clock: Clock, send: (message: ToSupervisor) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  /** The store has the first `count` lines of a run. */
  lines(run: number, count: number): void {
    this.#plan();
    this.#lines.set(run, count);
  }

  /** The store has the outcome of a run, or nobody waits for it. */
  done(run: number): void {
    this.#plan();
    this.#lines.delete(run);
    this.#done.push(run);
  }

  /** Tell it now. */
  send(): void {
    const [lines, done] = [[...this.#lines], this.#done];
    if (lines.length === 0 && done.length === 0) return;
    this.#lines = new Map();
    this.#done = [];
    if (this.isWanted) this.#send({ type: "ack", lines, done });
  }

  #plan(): void {
    if (this.#lines.size > 0 || this.#done.length > 0) return;
    this.#clock.defer(() => this.send());
  }
}

import type { Clock } from "../platform/clock.ts";
import { LazyTimer } from "../platform/lazy_timer.ts";
import type { ToSupervisor } from "./protocol.ts";

/** Time for which an acknowledgment waits for others: it only frees memory. */
const SEND_MS = 50;

/**
 * Records of a supervisor's commands in the store, which are acknowledged from time to time.
 *
 * Only a supervisor that outlives its daemon keeps unrecorded data, and needs this.
 */
export class Recorded {
  isWanted: boolean;
  readonly #send: (message: ToSupervisor) => void;
  readonly #timer: LazyTimer;
  #lines = new Map<number, number>();
  #done: number[] = [];

  constructor(clock: Clock, send: (message: ToSupervisor) => void, isWanted: boolean) {
    this.isWanted = isWanted;
    this.#send = send;
    this.#timer = new LazyTimer(clock, () => this.send());
  }

  /** The store has the first `count` lines of a run. */
  lines(run: number, count: number): void {
    this.#lines.set(run, count);
    this.#timer.setWithin(SEND_MS);
  }

  /** The store has the outcome of a run, or nobody waits for it. */
  done(run: number): void {
    this.#lines.delete(run);
    this.#done.push(run);
    this.#timer.setWithin(SEND_MS);
  }

  send(): void {
    const [lines, done] = [[...this.#lines], this.#done];
    if (lines.length === 0 && done.length === 0) return;
    this.#lines = new Map();
    this.#done = [];
    if (this.isWanted) this.#send({ type: "ack", lines, done });
  }
}

import type { Clock } from "../platform/clock.ts";
import type { ToSupervisor } from "./protocol.ts";

/**
 * Moved deadlines of a supervisor's commands that are still to be sent to it.
 *
 * A renewal moves all deadlines in one turn of the event loop. Equal deadlines share one message,
 * which contains the remaining time. So no messages queue up while a supervisor is unreachable.
 */
export class MovedDeadlines {
  readonly #clock: Clock;
  readonly #send: (message: ToSupervisor) => void;
  /** By number of the command, in monotonic ms. */
  readonly #moved = new Map<number, number>();
  /** True once the supervisor takes them. */
  #isReady = false;

  constructor(clock: Clock, send: (message: ToSupervisor) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  move(run: number, deadlineMs: number): void {
    if (this.#moved.size === 0) this.#clock.defer(() => this.#flush());
    this.#moved.set(run, deadlineMs);
  }

  ready(): void {
    this.#isReady = true;
    this.#flush();
  }

  #flush(): void {
    if (!this.#isReady) return;
    const nowMs = this.#clock.now().monotonicMs;
    const byTime = Map.groupBy(this.#moved, ([, deadlineMs]) => deadlineMs);
    this.#moved.clear();
    for (const [deadlineMs, moved] of byTime) {
      const runs = moved.map(([run]) => run);
      this.#send({ type: "until", runs, untilMs: Math.max(0, deadlineMs - nowMs) });
    }
  }
}

import type { Clock, Timer } from "../../../platform/clock.ts";
import type { Connection } from "./connection.ts";

/** Factor from the slowest recent answer to an answer's time limit, */
const PATIENCE = 3;
/** but no longer than this, in milliseconds. */
const ANSWER_MS_MAX = 30_000;
/** Share of the estimate that remains after an answer that was faster. */
const MEMORY = 63 / 64;
/** A connection is closed after a silence of this many times `answerMs`. */
const SILENCE = 1.5;

/**
 * Measures the server's response time, and detects a dead server. A slow one gets more time, so
 * that repeated requests do not slow it further; longer silence closes the connection.
 */
export class Pulse {
  readonly #clock: Clock;
  readonly #limits: { readonly answerMs: number; readonly pulseMs: number };
  #slowMs = 0;
  #timer: Timer | null = null;

  constructor(clock: Clock, limits: { readonly answerMs: number; readonly pulseMs: number }) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Time for an answer after which a fault is assumed, in milliseconds. */
  get answerMs(): number {
    const { answerMs } = this.#limits;
    return Math.min(Math.max(answerMs, this.#slowMs * PATIENCE), ANSWER_MS_MAX);
  }

  /** Record the duration of an answer. */
  answered(tookMs: number): void {
    this.#slowMs = Math.max(tookMs, this.#slowMs * MEMORY);
  }

  /** Watch connections; calls `dead` if one is silent while a reply is due. */
  watch(connections: readonly Connection[], dead: (reason: string) => void): void {
    this.stop();
    const seen = connections.map((connection) => ({
      connection,
      bytes: connection.bytesRead,
      aliveAt: this.#clock.now().monotonicMs,
    }));
    const look = () => {
      const now = this.#clock.now().monotonicMs;
      for (const one of seen) {
        const { connection } = one;
        if (connection.bytesRead !== one.bytes || connection.inFlight === 0) {
          one.bytes = connection.bytesRead;
          one.aliveAt = now;
        } else if (now - one.aliveAt >= SILENCE * this.answerMs) {
          return dead(`no response within ${Math.round(now - one.aliveAt)} ms`);
        }
        // Without this, only the next call would notice that an idle connection is dead.
        if (connection.inFlight === 0) this.#ping(connection);
      }
      this.#timer = this.#clock.timer(this.#limits.pulseMs, look, { unref: true });
    };
    this.#timer = this.#clock.timer(this.#limits.pulseMs, look, { unref: true });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #ping(connection: Connection): void {
    const sentMs = this.#clock.now().monotonicMs;
    connection.command("PING").then(
      () => this.answered(this.#clock.now().monotonicMs - sentMs),
      () => {},
    );
  }
}

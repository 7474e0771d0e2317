import type { Clock, Timer } from "../../../platform/clock.ts";
import type { Connection } from "./connection.ts";

/** An answer may take this many times as long as the slowest of late. */
const PATIENCE = 3;
/** However slow the server is. */
const ANSWER_MS_MAX = 30_000;
/** How fast a slow answer is forgotten: its share of the estimate after each faster one. */
const MEMORY = 63 / 64;
/** A connection is given up after this many times the time that a call may take. */
const SILENCE = 1.5;

/**
 * How long the server takes, and whether it lives. A server that is seen to be slow is given more time, so that its slowness does not
 * become a storm of requests that are sent again; one that says nothing at all for longer than that is taken for gone.
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

  /** How long an answer may take without being a sign of trouble, in milliseconds. */
  get answerMs(): number {
    const { answerMs } = this.#limits;
    return Math.min(Math.max(answerMs, this.#slowMs * PATIENCE), ANSWER_MS_MAX);
  }

  /** A call was answered after so long. */
  answered(tookMs: number): void {
    this.#slowMs = Math.max(tookMs, this.#slowMs * MEMORY);
  }

  /** Look after these connections: one that says nothing while it owes an answer is given up. */
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
          return dead(`no answer within ${Math.round(now - one.aliveAt)} ms`);
        }
        // An idle connection whose other end is gone would be noticed by the next call only.
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

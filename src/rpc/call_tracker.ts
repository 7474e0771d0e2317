import type { Clock, Timer } from "../platform/clock.ts";
import { STALLED_MS, SWEEP_MS } from "./limits.ts";

/** The part of a socket that the tracker needs. */
interface TrackedSocket {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  destroy(): unknown;
  once(event: "close", listener: () => void): unknown;
}

interface Connection {
  readonly socket: TrackedSocket;
  /** When it was opened or its last call ended, monotonic ms. */
  idleSince: number;
  calls: number;
}

interface Call {
  readonly connection: Connection | null;
  /** "receiving" until the request is whole, "answering" from the status until the stream is closed. */
  phase: "receiving" | "running" | "answering";
  since: number;
}

/**
 * The calls and connections of the server. It closes connections that hold something open without moving on: a silent one, a
 * request that never ends, an answer that is never taken. Calls are found by the peer's address, so connections over a Unix
 * socket, which are trusted, only have their calls counted.
 */
export class CallTracker {
  readonly #clock: Clock;
  readonly #connections = new Map<string, Connection>();
  readonly #sockets = new Set<TrackedSocket>();
  readonly #calls = new Set<Call>();
  #timer: Timer | null = null;
  #endListener: (() => void) | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Connections that are open. */
  get connectionCount(): number {
    return this.#sockets.size;
  }

  /** Calls whose stream is open. */
  get callCount(): number {
    return this.#calls.size;
  }

  /** Watch a new connection until it closes. */
  addConnection(socket: TrackedSocket): void {
    this.#sockets.add(socket);
    const key = keyOf(socket.remoteAddress, socket.remotePort);
    const connection: Connection = { socket, idleSince: this.#now(), calls: 0 };
    if (key !== null) this.#connections.set(key, connection);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      if (key !== null && this.#connections.get(key) === connection) this.#connections.delete(key);
      this.#endListener?.();
    });
    this.#arm();
  }

  /** Watch a new call of the peer at `address` and `port`. */
  addCall(address: string | undefined, port: number | undefined): Call {
    const key = keyOf(address, port);
    const connection = key === null ? null : this.#connections.get(key) ?? null;
    if (connection) connection.calls += 1;
    const call: Call = { connection, phase: "receiving", since: this.#now() };
    this.#calls.add(call);
    return call;
  }

  /** Note that a call went on to its next phase. */
  move(call: Call, phase: Call["phase"]): void {
    call.phase = phase;
    call.since = this.#now();
  }

  /** Forget a call whose stream is closed. */
  end(call: Call): void {
    if (!this.#calls.delete(call)) return;
    if (call.connection) {
      call.connection.calls -= 1;
      call.connection.idleSince = this.#now();
    }
    this.#endListener?.();
  }

  /** Resolves once no call is open, or after `limitMs`. */
  whenIdle(limitMs: number): Promise<void> {
    return this.#when(() => this.#calls.size === 0, limitMs);
  }

  /** Resolves once no connection is open, or after `limitMs`. */
  whenClosed(limitMs: number): Promise<void> {
    return this.#when(() => this.#sockets.size === 0, limitMs);
  }

  #when(isSo: () => boolean, limitMs: number): Promise<void> {
    if (isSo()) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = () => {
        this.#endListener = null;
        timer.cancel();
        resolve();
      };
      const timer = this.#clock.timer(limitMs, finish);
      this.#endListener = () => {
        if (isSo()) finish();
      };
    });
  }

  /** Close every connection. */
  destroy(): void {
    this.#timer?.cancel();
    this.#timer = null;
    for (const socket of this.#sockets) socket.destroy();
  }

  #now(): number {
    return this.#clock.now().monotonicMs;
  }

  #arm(): void {
    this.#timer ??= this.#clock.timer(SWEEP_MS, () => this.#sweep(), { unref: true });
  }

  #sweep(): void {
    this.#timer = null;
    const before = this.#now() - STALLED_MS;
    for (const call of this.#calls) {
      if (call.phase !== "running" && call.since <= before) call.connection?.socket.destroy();
    }
    for (const { calls, idleSince, socket } of this.#connections.values()) {
      if (calls === 0 && idleSince <= before) socket.destroy();
    }
    if (this.#connections.size > 0) this.#arm();
  }
}

function keyOf(address: string | undefined, port: number | undefined): string | null {
  return address === undefined || port === undefined ? null : `${address} ${port}`;
}

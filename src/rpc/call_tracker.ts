import type { Clock, Timer } from "../platform/clock.ts";
import type { ConnectionGuard } from "./connection_guard.ts";
import {
  CALLS_MAX,
  STALLED_MS,
  STRANGER_CALLS_MAX,
  STRANGERS_MAX,
  SWEEP_MS,
  UNREAD_BYTES_MAX,
  UNREAD_BYTES_OF_CONNECTION_MAX,
} from "./limits.ts";

/** The part of a socket that the tracker needs. */
interface TrackedSocket {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  destroy(): unknown;
  once(event: "close", listener: () => void): unknown;
}

interface Connection {
  readonly socket: TrackedSocket;
  readonly guard: ConnectionGuard;
  /** When it was opened or its last call ended, monotonic ms. */
  idleSince: number;
  calls: number;
  /** Bytes of answers whose calls are still open. */
  unreadBytes: number;
}

interface Call {
  readonly connection: Connection | null;
  /** "receiving" until the request is whole, "answering" from the status until the stream is closed. */
  phase: "receiving" | "running" | "answering";
  since: number;
  /** Bytes of its answer. */
  unreadBytes: number;
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
  /** Connections on which no call was let in yet, the oldest first. */
  readonly #strangers = new Set<TrackedSocket>();
  readonly #calls = new Set<Call>();
  #timer: Timer | null = null;
  #endListener: (() => void) | null = null;
  #readListener: () => void = () => {};
  #unreadBytes = 0;

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
  addConnection(socket: TrackedSocket, guard: ConnectionGuard): void {
    this.#sockets.add(socket);
    if (!guard.isAdmitted) this.#addStranger(socket);
    const key = keyOf(socket.remoteAddress, socket.remotePort);
    const connection: Connection = {
      socket,
      guard,
      idleSince: this.#now(),
      calls: 0,
      unreadBytes: 0,
    };
    if (key !== null) this.#connections.set(key, connection);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      this.#strangers.delete(socket);
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
    if (connection && !connection.guard.isAdmitted && connection.calls > STRANGER_CALLS_MAX) {
      connection.guard.complain("too many calls at once before one was let in");
    }
    if (this.#calls.size >= CALLS_MAX) this.#relieve("calls", "too many calls at once");
    const call: Call = { connection, phase: "receiving", since: this.#now(), unreadBytes: 0 };
    this.#calls.add(call);
    return call;
  }

  /** A call was let in: its client is no stranger any more. */
  admit({ connection }: Call): void {
    if (!connection || connection.guard.isAdmitted) return;
    connection.guard.admit();
    this.#strangers.delete(connection.socket);
  }

  /** A call was refused for want of a token. */
  refuse({ connection }: Call): void {
    connection?.guard.refuse();
  }

  // Those who came first have had their time: a client with a token needs milliseconds.
  #addStranger(socket: TrackedSocket): void {
    const [first] = this.#strangers;
    if (first && this.#strangers.size >= STRANGERS_MAX) first.destroy();
    this.#strangers.add(socket);
  }

  /** Close the connection that takes the most. */
  #relieve(of: "calls" | "unreadBytes", complaint: string): void {
    let worst: Connection | null = null;
    for (const connection of this.#connections.values()) {
      if (connection[of] > (worst?.[of] ?? 0)) worst = connection;
    }
    worst?.guard.complain(complaint);
  }

  /** Note that a call went on to its next phase. */
  move(call: Call, phase: Call["phase"]): void {
    call.phase = phase;
    call.since = this.#now();
  }

  /** Forget a call whose stream is closed. */
  end(call: Call): void {
    if (!this.#calls.delete(call)) return;
    this.#unreadBytes -= call.unreadBytes;
    if (call.connection) {
      call.connection.calls -= 1;
      call.connection.unreadBytes -= call.unreadBytes;
      call.connection.idleSince = this.#now();
    }
    this.#endListener?.();
    if (call.unreadBytes > 0) this.#readListener();
  }

  /** An answer of so many bytes is on its way, until its call ends. */
  answer(call: Call, bytes: number): void {
    if (!this.#calls.has(call) || !call.connection) return;
    call.unreadBytes += bytes;
    call.connection.unreadBytes += bytes;
    this.#unreadBytes += bytes;
    if (this.#unreadBytes > UNREAD_BYTES_MAX) this.#relieve("unreadBytes", "answers left unread");
  }

  /** Whether a connection, by its address, has taken most of what it was answered. */
  hasRoom(peer: string): boolean {
    const unreadBytes = this.#connections.get(peer)?.unreadBytes ?? 0;
    return unreadBytes < UNREAD_BYTES_OF_CONNECTION_MAX;
  }

  /** Calls `listener` whenever a client has taken an answer. */
  onRead(listener: () => void): void {
    this.#readListener = listener;
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

/** As grpc-js names a peer. */
function keyOf(address: string | undefined, port: number | undefined): string | null {
  return address === undefined || port === undefined ? null : `${address}:${port}`;
}

import type { Clock } from "../../platform/clock.ts";
import { LazyTimer } from "../../platform/lazy_timer.ts";
import {
  CALL_BYTES,
  CALLS_MAX,
  CALLS_OF_PRINCIPAL_MAX,
  CONNECTIONS_OF_PRINCIPAL,
  COPIES_OF_MESSAGE,
  COPIES_OF_RESPONSE,
  LARGE_MESSAGE_BYTES,
  REQUEST_BYTES_MAX,
  STALLED_MS,
  STRANGER_CALLS_MAX,
  STRANGERS_MAX,
  SWEEP_MS,
  UNREAD_BYTES_MAX,
  UNREAD_BYTES_OF_CONNECTION_MAX,
  UNREAD_BYTES_ORDINARY,
} from "../limits.ts";
import type { ThreadMemory } from "./thread_memory.ts";

/** The part of a socket that the tracker needs. */
interface TrackedSocket {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly destroyed?: boolean;
  destroy(): unknown;
  once(event: "close", listener: () => void): unknown;
}

/** Dependencies of the tracker on the object that watches the bytes of a connection. */
export interface TrackedGuard {
  /** True once a call of the client has been accepted. */
  readonly isAdmitted: boolean;
  /** The client's misbehavior; null without any. */
  readonly complaint: string | null;
  /** Note that a call of the client was accepted. */
  admit(): void;
  /** Note a call refused for lack of a valid token. */
  refuse(): void;
  /** Ask for the connection to be closed, with a reason for the log. */
  complain(reason: string): void;
  /** Calls `listener` with the change when the request bytes of open calls grow or shrink. */
  onRequestBytes(listener: (change: number) => void): void;
  /** Calls `listener` when the number of bytes that wait in the socket has changed. */
  onQueuedBytes(listener: (bytes: number) => void): void;
}

/** The source of a call. */
export interface Origin {
  /** The name of its connection, of grpc-js or another transport. */
  readonly peer: string;
  /**
   * The owner of this and perhaps other connections: a user of this machine or the owner of a
   * token. If unknown, the connection itself.
   */
  readonly principal: string;
}

/** Properties of a connection when it is accepted. */
export interface NewConnection {
  readonly guard: TrackedGuard;
  /** Its name; by default grpc-js's, from the address of the client. */
  readonly peer?: string;
  /** True if its caller is unknown until a call is accepted. */
  readonly isStranger: boolean;
  /** Its principal; null while unknown, and for anonymous callers. */
  readonly principal: string | null;
  /** The user at the other end of a Unix socket; null for other connections, or if unknown. */
  readonly uid?: number | null;
  /** Most concurrent connections of its listener. */
  readonly connectionsMax: number;
}

interface Connection {
  readonly socket: TrackedSocket;
  readonly guard: TrackedGuard;
  readonly connectionsMax: number;
  readonly uid: number | null;
  /** As in {@link NewConnection}; an accepted call sets it. */
  principal: Principal | null;
  /** When it was opened or its last call ended, monotonic ms. */
  idleSince: number;
  readonly calls: Set<TrackedCall>;
  /** Request bytes of open calls. */
  requestBytes: number;
  /** Response bytes of open calls, and of unread stream messages. */
  openBytes: number;
  /** Bytes that wait in the socket, including ended calls'. Only Bun's sockets report them. */
  queuedBytes: number;
  /** Unread bytes: the larger of the two, because they overlap. */
  unreadBytes: number;
}

/** An open call, as only the tracker uses it. */
export interface TrackedCall {
  readonly connection: Connection | null;
  /** "receiving" until the request is complete, "answering" from the status to the stream's end. */
  phase: "receiving" | "running" | "answering";
  since: number;
  /** Bytes of its response. */
  unreadBytes: number;
}

/** A principal, and the number of its open connections and calls. */
interface Principal {
  readonly name: string;
  connections: number;
  calls: number;
  /** Request bytes of its open calls. */
  requestBytes: number;
}

/** Reason for closing the connection that uses the most of a resource. */
const COMPLAINTS = {
  calls: "too many concurrent calls",
  requestBytes: "too much sent by calls that are open",
  unreadBytes: "too many unread responses",
} as const;

/**
 * The calls and connections of the server. Closes connections without progress: silence, a request
 * that never ends, or a response that is never read. If all connections together use too much of a
 * resource, closes the one that uses most. Calls are found by the peer's address.
 */
export class CallTracker {
  readonly #clock: Clock;
  readonly #connections = new Map<string, Connection>();
  readonly #sockets = new Set<TrackedSocket>();
  /** Connections without an accepted call, oldest first. */
  readonly #strangers = new Set<TrackedSocket>();
  readonly #calls = new Set<TrackedCall>();
  readonly #sweeping: LazyTimer;
  #endListener: (() => void) | null = null;
  #readListener: () => void = () => {};
  #requestBytes = 0;
  #unreadBytes = 0;
  readonly #principals = new Map<string, Principal>();
  readonly #memory: ThreadMemory;

  constructor(clock: Clock, memory: ThreadMemory) {
    this.#clock = clock;
    this.#memory = memory;
    this.#sweeping = new LazyTimer(clock, () => this.#sweep());
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
  addConnection(socket: TrackedSocket, how: NewConnection): void {
    const { guard, principal, uid = null, connectionsMax } = how;
    this.#sockets.add(socket);
    if (how.isStranger) this.#addStranger(socket);
    const key = how.peer ?? keyOf(socket.remoteAddress, socket.remotePort);
    const connection: Connection = {
      socket,
      guard,
      connectionsMax,
      uid,
      principal: null,
      idleSince: this.#now(),
      calls: new Set(),
      requestBytes: 0,
      openBytes: 0,
      queuedBytes: 0,
      unreadBytes: 0,
    };
    if (key !== null) this.#connections.set(key, connection);
    guard.onRequestBytes((change) => {
      this.#countRequest(connection, change);
      if (change > 0) this.#relieveRequests();
    });
    guard.onQueuedBytes((bytes) => this.#setQueued(connection, bytes));
    socket.once("close", () => {
      this.#sockets.delete(socket);
      this.#strangers.delete(socket);
      if (key !== null && this.#connections.get(key) === connection) this.#connections.delete(key);
      this.#forget(connection);
      this.#endListener?.();
    });
    this.#assign(connection, principal);
    this.#sweeping.setWithin(SWEEP_MS);
  }

  #forget(connection: Connection): void {
    const { guard, principal, calls } = connection;
    guard.onQueuedBytes(() => {});
    this.#forgetRequests(connection);
    // A closed connection leaves native memory of HTTP/2, which the garbage collector does not see.
    // Responses of open calls are counted when those calls end.
    const endedBytes = Math.max(0, connection.queuedBytes - connection.openBytes);
    this.#memory.leave(endedBytes);
    // A call whose stream closed before it started is never notified of its end.
    for (const call of calls) this.#end(call, true);
    this.#setQueued(connection, 0);
    if (principal === null) return;
    principal.connections -= 1;
    if (principal.connections === 0) this.#principals.delete(principal.name);
  }

  /** Watch a new call of the peer at `address` and `port`. */
  addCall(address: string | undefined, port: number | undefined): TrackedCall {
    return this.addCallOf(keyOf(address, port));
  }

  /** Watch a new call of the connection with a name; null if the client has disconnected. */
  addCallOf(key: string | null): TrackedCall {
    const connection = key === null ? null : this.#connections.get(key) ?? null;
    if (this.#calls.size >= CALLS_MAX) this.#relieve("calls");
    const call: TrackedCall = {
      connection,
      phase: "receiving",
      since: this.#now(),
      unreadBytes: 0,
    };
    this.#calls.add(call);
    if (!connection) return call;
    connection.calls.add(call);
    if (connection.principal) connection.principal.calls += 1;
    if (!connection.guard.isAdmitted && connection.calls.size > STRANGER_CALLS_MAX) {
      connection.guard.complain("too many concurrent calls before one was accepted");
    }
    return call;
  }

  /**
   * A call was accepted: its client is no longer a stranger.
   *
   * @param principal the connection's; null for anonymous callers
   */
  admit({ connection }: TrackedCall, principal: string | null): void {
    if (!connection) return;
    if (!connection.guard.isAdmitted) {
      connection.guard.admit();
      this.#strangers.delete(connection.socket);
    }
    this.#assign(connection, principal);
  }

  #assign(connection: Connection, name: string | null): void {
    if (name === null || connection.principal !== null) return;
    const principal = this.#principals.get(name) ?? {
      name,
      connections: 0,
      calls: 0,
      requestBytes: 0,
    };
    this.#principals.set(name, principal);
    connection.principal = principal;
    principal.connections += 1;
    principal.calls += connection.calls.size;
    principal.requestBytes += connection.requestBytes;
    if (principal.connections > connection.connectionsMax * CONNECTIONS_OF_PRINCIPAL) {
      connection.guard.complain("too many connections of one caller");
    }
  }

  /** True if a call's principal has more calls open than allowed. */
  isTooMany({ connection }: TrackedCall): boolean {
    return (connection?.principal?.calls ?? 0) > CALLS_OF_PRINCIPAL_MAX;
  }

  /** The source of a connection's calls. @param peer the name of the connection */
  originOf(peer: string): Origin {
    return { peer, principal: this.#connections.get(peer)?.principal?.name ?? peer };
  }

  /**
   * The user at the other end of a Unix socket; null for other connections, or if unknown.
   *
   * @param peer the name of the connection
   */
  userOf(peer: string): number | null {
    return this.#connections.get(peer)?.uid ?? null;
  }

  /** A call was refused for lack of a valid token. */
  refuse({ connection }: TrackedCall): void {
    connection?.guard.refuse();
  }

  // The oldest has had its chance: a client with a token needs milliseconds.
  #addStranger(socket: TrackedSocket): void {
    const [first] = this.#strangers;
    if (first && this.#strangers.size >= STRANGERS_MAX) first.destroy();
    this.#strangers.add(socket);
  }

  #countRequest(connection: Connection, change: number): void {
    connection.requestBytes += change;
    this.#requestBytes += change;
    if (connection.principal) connection.principal.requestBytes += change;
  }

  /** Count the request bytes of a connection that was closed no longer. */
  #forgetRequests(connection: Connection): void {
    connection.guard.onRequestBytes(() => {});
    this.#memory.leave(connection.requestBytes);
    this.#countRequest(connection, -connection.requestBytes);
  }

  /** Close connections until the request bytes of open calls are within their limit. */
  #relieveRequests(): void {
    while (this.#requestBytes > REQUEST_BYTES_MAX) {
      const worst = this.#relieve("requestBytes");
      // Others keep their bytes until their calls have ended, as do connections that report it
      // later.
      if (!worst?.socket.destroyed) return;
      this.#forgetRequests(worst);
    }
  }

  /**
   * Close the connection that uses the most of a resource; for request bytes, of the caller that
   * uses the most. Returns it; null if none is left.
   */
  #relieve(of: keyof typeof COMPLAINTS): Connection | null {
    let worst: Connection | null = null;
    let [mostOfCaller, most] = [0, 0];
    for (const connection of this.#connections.values()) {
      const has = of === "calls" ? connection.calls.size : connection[of];
      const ofCaller = of === "requestBytes" ? connection.principal?.[of] ?? has : 0;
      if (has === 0 || connection.guard.complaint !== null) continue;
      if (ofCaller < mostOfCaller || ofCaller === mostOfCaller && has <= most) continue;
      worst = connection;
      [mostOfCaller, most] = [ofCaller, has];
    }
    worst?.guard.complain(COMPLAINTS[of]);
    // A client that reads nothing would not read a farewell, and waiting for it keeps the bytes.
    if (of === "unreadBytes") worst?.socket.destroy();
    return worst;
  }

  move(call: TrackedCall, phase: TrackedCall["phase"]): void {
    call.phase = phase;
    // A running call has no time limit, so the clock is not read.
    if (phase !== "running") call.since = this.#now();
  }

  /** Forget a call whose stream is closed. */
  end(call: TrackedCall): void {
    this.#end(call, call.connection?.socket.destroyed === true);
  }

  #end(call: TrackedCall, isLeft: boolean): void {
    if (!this.#calls.delete(call)) return;
    this.#memory.noteCall();
    if (isLeft) this.#memory.leave(call.unreadBytes + CALL_BYTES);
    const { connection } = call;
    if (connection) {
      connection.calls.delete(call);
      if (connection.principal) connection.principal.calls -= 1;
      connection.idleSince = this.#now();
      this.#addUnread(connection, -call.unreadBytes);
    }
    this.#endListener?.();
  }

  /** Note the bytes of a body whose text and value are no longer needed. */
  leaveBody(bytes: number): void {
    if (bytes >= LARGE_MESSAGE_BYTES) this.#memory.leave(bytes * COPIES_OF_RESPONSE);
  }

  /** Count the bytes of a response until its call ends. */
  countResponse(call: TrackedCall, bytes: number): void {
    if (!this.#calls.has(call) || !call.connection) return;
    call.unreadBytes += bytes;
    // While much memory is in use, the copies of a response are collected late.
    if (this.#unreadBytes > UNREAD_BYTES_ORDINARY) this.#memory.leave(bytes * COPIES_OF_RESPONSE);
    this.#addUnread(call.connection, bytes);
  }

  /**
   * Count a stream message in flight.
   *
   * @param peer the name of its connection
   * @returns a function to call once when the message was read or its stream has closed
   */
  sendMessage(peer: string, bytes: number): () => void {
    const connection = this.#connections.get(peer);
    if (!connection) return () => {};
    // Hundreds of followers may get the same large instance at about the same time.
    if (bytes >= LARGE_MESSAGE_BYTES || this.#unreadBytes > UNREAD_BYTES_ORDINARY) {
      this.#memory.leave(bytes * COPIES_OF_MESSAGE);
    }
    this.#addUnread(connection, bytes);
    return () => this.#addUnread(connection, -bytes);
  }

  #addUnread(connection: Connection, bytes: number): void {
    connection.openBytes += bytes;
    this.#countUnread(connection);
  }

  #setQueued(connection: Connection, bytes: number): void {
    connection.queuedBytes = bytes;
    this.#countUnread(connection);
  }

  #countUnread(connection: Connection): void {
    const { unreadBytes: before } = connection;
    const after = Math.max(connection.openBytes, connection.queuedBytes);
    if (after === before) return;
    connection.unreadBytes = after;
    this.#unreadBytes += after - before;
    if (after < before) this.#readListener();
    else if (this.#unreadBytes > UNREAD_BYTES_MAX) this.#relieve("unreadBytes");
  }

  /** True if a connection, by its address, has read most of its responses. */
  hasRoom(peer: string): boolean {
    const unreadBytes = this.#connections.get(peer)?.unreadBytes ?? 0;
    return unreadBytes < UNREAD_BYTES_OF_CONNECTION_MAX;
  }

  /** Calls `listener` whenever a client has read a response. */
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

  #when(isDone: () => boolean, limitMs: number): Promise<void> {
    if (isDone()) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = () => {
        this.#endListener = null;
        timer.cancel();
        resolve();
      };
      const timer = this.#clock.timer(limitMs, finish);
      this.#endListener = () => {
        if (isDone()) finish();
      };
    });
  }

  destroy(): void {
    this.#sweeping.cancel();
    for (const socket of this.#sockets) socket.destroy();
  }

  #now(): number {
    return this.#clock.now().monotonicMs;
  }

  #sweep(): void {
    const before = this.#now() - STALLED_MS;
    for (const call of this.#calls) {
      if (call.phase !== "running" && call.since <= before) call.connection?.socket.destroy();
    }
    for (const { calls, idleSince, socket } of this.#connections.values()) {
      if (calls.size === 0 && idleSince <= before) socket.destroy();
    }
    if (this.#connections.size > 0) this.#sweeping.setIn(SWEEP_MS);
  }
}

/** A peer's name in grpc-js. */
function keyOf(address: string | undefined, port: number | undefined): string | null {
  return address === undefined || port === undefined ? null : `${address}:${port}`;
}

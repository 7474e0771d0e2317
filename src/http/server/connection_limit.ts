import type { Clock, Timer } from "../../platform/clock.ts";
import type { HttpConnection } from "../wire/connection.ts";

/** Longest life of a connection whose requests are not calls of the API: each carries one. */
const CONNECTION_MS = 15_000;
/** Share of the connections that callers of the API may have; the others are for monitoring. */
const MEMBERS_SHARE = 0.75;
/**
 * Most bytes of unread pages, in total. Beyond that, the connection with the oldest page is closed:
 * an honest client needs milliseconds.
 */
const UNREAD_BYTES_MAX = 32 * 1_048_576;

/**
 * The connections of the HTTP server. A silent, slow or greedy one is closed when its time is over.
 * If there are too many, the oldest makes room once it has had its chance.
 */
export class ConnectionLimit {
  readonly #clock: Clock;
  readonly #connectionsMax: number;
  /** Connections without a request yet, oldest first. */
  readonly #silent = new Set<HttpConnection>();
  /** Connections with a request, but no known caller. */
  readonly #strangers = new Set<HttpConnection>();
  /** Connections of callers of the API. */
  readonly #members = new Set<HttpConnection>();
  readonly #timers = new Map<HttpConnection, Timer>();
  /** Sizes of unread pages, oldest first. */
  readonly #unread = new Map<HttpConnection, number>();
  #unreadBytes = 0;
  #onEmpty: () => void = () => {};

  constructor(clock: Clock, connectionsMax: number) {
    this.#clock = clock;
    this.#connectionsMax = connectionsMax;
  }

  /** True if there is room for one more connection, or another one has made room. */
  makeRoom(): boolean {
    const count = this.#silent.size + this.#strangers.size + this.#members.size;
    if (count < this.#connectionsMax) return true;
    // The oldest has had its chance: a request and its response take milliseconds.
    const [oldest] = this.#silent.size > 0 ? this.#silent : this.#strangers;
    return this.#close(oldest ?? this.#idleMember());
  }

  add(connection: HttpConnection): void {
    this.#silent.add(connection);
    const timer = this.#clock.timer(CONNECTION_MS, () => connection.destroy(), { unref: true });
    this.#timers.set(connection, timer);
  }

  /** A request has arrived. */
  noteRequest(connection: HttpConnection): void {
    if (this.#silent.delete(connection)) this.#strangers.add(connection);
  }

  /** Stop limiting the life of a connection: its calls are watched. */
  release(connection: HttpConnection): void {
    this.#timers.get(connection)?.cancel();
    this.#timers.delete(connection);
  }

  /** The caller is now known. Returns false if there is no room for it. */
  admit(connection: HttpConnection): boolean {
    if (this.#members.has(connection)) return true;
    const hasRoom = this.#members.size < Math.floor(this.#connectionsMax * MEMBERS_SHARE) ||
      this.#close(this.#idleMember());
    if (hasRoom && this.#strangers.delete(connection)) this.#members.add(connection);
    return hasRoom;
  }

  /** Count a page until its connection closes. */
  countPage(connection: HttpConnection, bytes: number): void {
    this.#unread.set(connection, bytes);
    this.#unreadBytes += bytes;
    for (const oldest of this.#unread.keys()) {
      if (this.#unreadBytes <= UNREAD_BYTES_MAX || oldest === connection) return;
      this.#close(oldest);
    }
  }

  remove(connection: HttpConnection): void {
    this.release(connection);
    this.#silent.delete(connection);
    this.#strangers.delete(connection);
    this.#members.delete(connection);
    this.#unreadBytes -= this.#unread.get(connection) ?? 0;
    this.#unread.delete(connection);
    if (this.#silent.size + this.#strangers.size + this.#members.size === 0) this.#onEmpty();
  }

  /**
   * Close all of them: at once without a request, otherwise after its response. Resolves once they
   * are closed, or after `limitMs`.
   */
  async close(limitMs: number): Promise<void> {
    const all = () => [...this.#silent, ...this.#strangers, ...this.#members];
    for (const connection of all()) connection.dismiss();
    if (all().length > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#onEmpty = resolve;
      const timer = this.#clock.timer(limitMs, resolve);
      await promise;
      timer.cancel();
    }
    for (const connection of all()) connection.destroy();
  }

  #idleMember(): HttpConnection | undefined {
    for (const connection of this.#members) {
      if (!connection.isBusy) return connection;
    }
    return undefined;
  }

  #close(connection: HttpConnection | undefined): boolean {
    if (connection === undefined) return false;
    this.remove(connection);
    connection.destroy();
    return true;
  }
}

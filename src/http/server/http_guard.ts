import { connectionKey } from "../../rpc/auth/auth.ts";
import type { TrackedGuard } from "../../rpc/guard/call_tracker.ts";
import type { ConnectionLimit } from "./connection_limit.ts";
import type { HttpConnection } from "../wire/connection.ts";

/** Refused calls after which a connection is closed. */
const REFUSALS_MAX = 10;

/** Watches the calls of one connection for the tracker. */
export class HttpGuard implements TrackedGuard {
  readonly peer: string;
  /** Names the connection for the authenticator; its parts come from the runtime each time. */
  readonly key: string;
  readonly #connection: HttpConnection;
  readonly #connections: ConnectionLimit;
  #isAdmitted = false;
  #complaint: string | null = null;
  #refusalCount = 0;
  #onRequestBytes: (change: number) => void = () => {};

  constructor(connection: HttpConnection, connections: ConnectionLimit) {
    this.#connection = connection;
    this.#connections = connections;
    this.key = connectionKey(connection.socket);
    this.peer = `http:${connection.clientAddress}:${connection.socket.remotePort}`;
  }

  get isAdmitted(): boolean {
    return this.#isAdmitted;
  }

  get complaint(): string | null {
    return this.#complaint;
  }

  admit(): void {
    this.#isAdmitted = true;
    if (!this.#connections.admit(this.#connection)) {
      this.complain("too many connections of callers");
    }
  }

  refuse(): void {
    this.#refusalCount += 1;
    if (this.#refusalCount >= REFUSALS_MAX) this.complain("too many refused calls");
  }

  complain(reason: string): void {
    this.#complaint = reason;
    // The rest of a body could take long to come, and its first part would be kept.
    if (this.#connection.isReceiving) this.#connection.destroy();
    else this.#connection.dismiss();
  }

  /** Bytes of a request body have arrived, or are no longer needed. */
  changeRequestBytes(change: number): void {
    this.#onRequestBytes(change);
  }

  onRequestBytes(listener: (change: number) => void): void {
    this.#onRequestBytes = listener;
  }

  // Responses are counted until they are sent: the socket holds nothing else.
  onQueuedBytes(): void {}
}

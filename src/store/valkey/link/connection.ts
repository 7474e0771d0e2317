import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { HostPort } from "../../../core/settings/store_address.ts";
import type { Clock } from "../../../platform/clock.ts";
import type { ClientTls } from "../../../platform/network/tls.ts";
import { encodeCommand, type Reply, ReplyError, ReplyReader } from "./resp.ts";

/** Options of a connection. */
export interface ConnectionOptions {
  readonly clock: Clock;
  /** Null for plain TCP. */
  readonly tls: ClientTls | null;
  /** Longest wait for the connection, in milliseconds. */
  readonly connectMs: number;
}

/** The connection failed or could not be made. Commands in flight may have been executed. */
export class ConnectionLost extends Error {
  constructor(what: string, options?: ErrorOptions) {
    // On Node, messages of OpenSSL end with a line break.
    super(what.trimEnd(), options);
    this.name = "ConnectionLost";
  }
}

/** Interval of TCP keep-alive probes, which detect a dead peer of an idle connection. */
const KEEP_ALIVE_MS = 15_000;

interface Pending {
  resolve(reply: Reply): void;
  reject(error: Error): void;
}

/** One connection to one server. Commands are pipelined and answered in order. Never reconnects. */
export class Connection {
  readonly #socket: Socket;
  readonly #pending: Pending[] = [];
  #first = 0;
  #outgoing: Buffer[] = [];
  #error: ConnectionLost | null = null;
  #onClose: (error: ConnectionLost) => void = () => {};
  #onMessage: ((channel: string, message: Buffer) => void) | null = null;
  /** Bytes received so far. While they grow, the server is alive. */
  bytesRead = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    const reader = new ReplyReader((reply) => this.#received(reply));
    socket.on("data", (chunk: Buffer) => {
      this.bytesRead += chunk.length;
      try {
        reader.write(chunk);
      } catch (error) {
        this.destroy((error as Error).message);
      }
    });
    socket.on("error", (error) => this.destroy(error.message, error));
    socket.on("close", () => this.destroy("the server closed the connection"));
  }

  /** Connect. @throws ConnectionLost if that fails or takes too long */
  static async open(at: HostPort, options: ConnectionOptions): Promise<Connection> {
    const socket = createSocket(at, options.tls);
    const event = options.tls === null ? "connect" : "secureConnect";
    const connection = new Connection(socket);
    const { clock, connectMs } = options;
    const timer = clock.timer(connectMs, () => {
      connection.destroy(`no connection within ${connectMs} ms`);
    });
    try {
      await new Promise<void>((resolve, reject) => {
        connection.onClose(reject);
        socket.once(event, () => resolve());
      });
    } finally {
      timer.cancel();
    }
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    return connection;
  }

  /** Number of commands without a reply. */
  get inFlight(): number {
    return this.#pending.length - this.#first;
  }

  /** Send a command. Commands of one turn share one write. @throws ConnectionLost, ReplyError */
  command(...parts: readonly (string | Uint8Array)[]): Promise<Reply> {
    return new Promise((resolve, reject) => this.send(parts, { resolve, reject }));
  }

  /** {@link Connection.command} without a promise: calls `receiver.reject` at once if broken. */
  send(parts: readonly (string | Uint8Array)[], receiver: Pending): void {
    if (this.#error) return receiver.reject(this.#error);
    this.#pending.push(receiver);
    if (this.#outgoing.push(encodeCommand(parts)) === 1) queueMicrotask(() => this.#flush());
  }

  /** Set the listener to the channels that the connection subscribes to. */
  onMessage(listener: (channel: string, message: Buffer) => void): void {
    this.#onMessage = listener;
  }

  /** Set the listener for the end of the connection, called once, or now if it is broken. */
  onClose(listener: (error: ConnectionLost) => void): void {
    this.#onClose = listener;
    if (this.#error) listener(this.#error);
  }

  /** Close the connection, if open; commands without a reply fail. */
  destroy(reason = "closed", cause?: Error): void {
    if (this.#error) return;
    this.#error = new ConnectionLost(reason, cause && { cause });
    this.#outgoing = [];
    const pending = this.#pending.splice(0).slice(this.#first);
    this.#first = 0;
    this.#socket.destroy();
    for (const receiver of pending) receiver.reject(this.#error);
    this.#onClose(this.#error);
  }

  #flush(): void {
    const outgoing = this.#outgoing;
    this.#outgoing = [];
    if (this.#error || outgoing.length === 0) return;
    this.#socket.write(outgoing.length === 1 ? outgoing[0]! : Buffer.concat(outgoing));
  }

  #received(reply: Reply): void {
    if (this.#onMessage !== null && Array.isArray(reply) && String(reply[0]) === "message") {
      return this.#onMessage(String(reply[1]), reply[2] as Buffer);
    }
    const receiver = this.#pending[this.#first];
    if (!receiver) return this.destroy("the server sent a reply without a request");
    this.#first += 1;
    // Removed in steps: removing the first item of a long list moves all others.
    if (this.#first === this.#pending.length || this.#first > 1_024) {
      this.#pending.splice(0, this.#first);
      this.#first = 0;
    }
    if (reply instanceof ReplyError) receiver.reject(reply);
    else receiver.resolve(reply);
  }
}

function createSocket({ host, port }: HostPort, tls: ClientTls | null): Socket {
  if (tls === null) return connectTcp({ host, port });
  const name = tls.serverName ?? host;
  return connectTls({
    host,
    port,
    // A server name must not be an address; a certificate for one is checked against the host.
    ...isIP(name) === 0 ? { servername: name } : {},
    ...tls.ca === null ? {} : { ca: tls.ca },
    ...tls.cert === null ? {} : { cert: tls.cert },
    ...tls.key === null ? {} : { key: tls.key },
  });
}

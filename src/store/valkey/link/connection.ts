import type { Socket } from "node:net";
import { connect as connectTcp, isIP } from "node:net";
import { connect as connectTls } from "node:tls";
import type { HostPort } from "../../../core/store_address.ts";
import type { Clock, Timer } from "../../../platform/clock.ts";
import type { ClientTls } from "../../../platform/network/tls.ts";
import { encodeCommand, type Reply, ReplyError, ReplyReader } from "./resp.ts";

/** How a connection is made. */
export interface ConnectionOptions {
  readonly clock: Clock;
  /** Null for plain TCP. */
  readonly tls: ClientTls | null;
  /** Most time to connect, in milliseconds. */
  readonly connectMs: number;
}

/** The connection broke or was not made: what was in flight may have been executed or not. */
export class ConnectionLost extends Error {
  constructor(what: string, options?: ErrorOptions) {
    // Messages of OpenSSL end with a line break on Node.
    super(what.trimEnd(), options);
    this.name = "ConnectionLost";
  }
}

/** Probes of an idle connection, so that one whose other end is gone is found. */
const KEEP_ALIVE_MS = 15_000;

interface Pending {
  resolve(reply: Reply): void;
  reject(error: Error): void;
}

/** One connection to one server: commands are pipelined and answered in order; once broken it stays so. */
export class Connection {
  readonly #socket: Socket;
  readonly #pending: Pending[] = [];
  #first = 0;
  #outgoing: Buffer[] = [];
  #error: ConnectionLost | null = null;
  #onClose: (error: ConnectionLost) => void = () => {};
  #onMessage: ((channel: string, message: Buffer) => void) | null = null;
  /** Bytes that came so far: whether they grow says whether the server lives. */
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
    socket.on("error", (error) => this.#broke(error.message, error));
    socket.on("close", () => this.#broke("the server closed the connection"));
    if (socket.destroyed) this.#broke("the server closed the connection");
  }

  /** @throws ConnectionLost when there is none in time */
  static async open(at: HostPort, options: ConnectionOptions): Promise<Connection> {
    const socket = createSocket(at, options.tls);
    const event = options.tls === null ? "connect" : "secureConnect";
    let timer: Timer | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        timer = options.clock.timer(options.connectMs, () => {
          reject(new ConnectionLost(`no connection within ${options.connectMs} ms`));
        });
        socket.once(event, () => resolve());
        socket.once("error", (error) => {
          reject(new ConnectionLost(error.message, { cause: error }));
        });
        socket.once("close", () => reject(new ConnectionLost("the server closed the connection")));
      });
    } catch (error) {
      socket.on("error", () => {});
      socket.destroy();
      throw error;
    } finally {
      timer?.cancel();
    }
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    return new Connection(socket);
  }

  /** Commands that have no answer yet. */
  get inFlight(): number {
    return this.#pending.length - this.#first;
  }

  /** Send a command, with all others of this turn in one write. @throws ConnectionLost, ReplyError */
  command(...parts: readonly (string | Uint8Array)[]): Promise<Reply> {
    return new Promise((resolve, reject) => this.send(parts, { resolve, reject }));
  }

  /** As {@link Connection.command}, without a promise; the receiver is told before this returns when it is broken. */
  send(parts: readonly (string | Uint8Array)[], receiver: Pending): void {
    if (this.#error) return receiver.reject(this.#error);
    this.#pending.push(receiver);
    if (this.#outgoing.push(encodeCommand(parts)) === 1) queueMicrotask(() => this.#flush());
  }

  /** Listen to a channel; from then on the connection serves nothing else. */
  async listen(
    channel: string,
    onMessage: (channel: string, message: Buffer) => void,
  ): Promise<void> {
    this.#onMessage = onMessage;
    await this.command("SUBSCRIBE", channel);
  }

  /** Told once when it breaks, also when it is broken already. */
  onClose(listener: (error: ConnectionLost) => void): void {
    this.#onClose = listener;
    if (this.#error) listener(this.#error);
  }

  destroy(reason = "closed"): void {
    this.#broke(reason);
    this.#socket.destroy();
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
    if (!receiver) return this.destroy("the server answered what nobody asked");
    this.#first += 1;
    // Cut in steps: taking the first of a long list moves all others.
    if (this.#first === this.#pending.length || this.#first > 1_024) {
      this.#pending.splice(0, this.#first);
      this.#first = 0;
    }
    if (reply instanceof ReplyError) receiver.reject(reply);
    else receiver.resolve(reply);
  }

  #broke(what: string, cause?: Error): void {
    if (this.#error) return;
    this.#error = new ConnectionLost(what, cause === undefined ? undefined : { cause });
    this.#outgoing = [];
    const pending = this.#pending.splice(0).slice(this.#first);
    this.#first = 0;
    this.#socket.destroy();
    for (const receiver of pending) receiver.reject(this.#error);
    this.#onClose(this.#error);
  }
}

function createSocket({ host, port }: HostPort, tls: ClientTls | null): Socket {
  if (tls === null) return connectTcp({ host, port });
  const name = tls.serverName ?? host;
  return connectTls({
    host,
    port,
    // Names of servers are never addresses; the certificate is checked against the address then.
    ...isIP(name) === 0 ? { servername: name } : {},
    ...tls.ca === null ? {} : { ca: tls.ca },
    ...tls.cert === null ? {} : { cert: tls.cert },
    ...tls.key === null ? {} : { key: tls.key },
  });
}

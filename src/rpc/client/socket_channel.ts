import { Buffer } from "node:buffer";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from "node:http2";
import type { Socket } from "node:net";
import { isJobError, JobError, messageOf } from "../../core/errors.ts";
import { systemClock } from "../../platform/clock.ts";
import { TRAILERS } from "../errors.ts";
import { MESSAGE_BYTES_MAX } from "../limits.ts";
import { openSocket } from "../socket_path.ts";
import { type CalledPeer, type CallFailure, emptyResponse, toClientError } from "./call_error.ts";
import type { CallOptions } from "./connect_options.ts";
import type { FoundSocket } from "./find_socket.ts";
import { provePeer } from "./peer_proof.ts";
import type { ConnectionInfo } from "./connection_info.ts";

/** Bytes before each message: a flag for compression, and the length. */
const PREFIX_BYTES = 5;
/** A gRPC status without a code of ours. */
const UNKNOWN = 2;
const UNAVAILABLE = 14;
const DEADLINE_EXCEEDED = 4;
const CANCELLED = 1;
const RESOURCE_EXHAUSTED = 8;
/** The longest time limit in milliseconds that fits in a call's header. */
const TIMEOUT_MS_MAX = 99_999_999;

/** A call of one method, encoded. */
export interface SocketCall extends CallOptions {
  /** For example "GetStatus". */
  readonly method: string;
  readonly path: string;
  readonly request: Uint8Array;
  readonly headers: OutgoingHttpHeaders;
  readonly timeoutMs: number;
}

/**
 * A connection to the daemon's Unix socket for calls with one response: gRPC's use of HTTP/2,
 * without the library, which takes longer to load than the call.
 */
export class SocketChannel implements CalledPeer, ConnectionInfo {
  readonly address: string;
  readonly isTls = false;
  readonly triedSockets: readonly string[];
  readonly #found: FoundSocket<Socket>;
  #opened: Socket | null;
  #session: ClientHttp2Session | null = null;
  /** The session's socket. */
  #socket: Socket | null = null;
  /** Calls at the same time share one connection. */
  #connecting: Promise<ClientHttp2Session> | null = null;
  #isReady = false;
  #refusal: JobError | null = null;

  /** @param tried the sockets that were looked at before */
  constructor(found: FoundSocket<Socket>, tried: readonly string[]) {
    this.address = found.path;
    this.triedSockets = tried;
    this.#found = found;
    this.#opened = found.opened;
    // An error without a listener would end the process.
    found.opened.on("error", () => {});
  }

  readonly isReady = () => this.#isReady;
  readonly refusal = () => this.#refusal;

  /** The message of the response. @throws JobError */
  async call(call: SocketCall): Promise<Uint8Array> {
    const { method, timeoutMs, signal } = call;
    const failed = { action: `Cannot call ${method} at ${this.address}`, timeoutMs };
    if (signal?.aborted) throw new JobError("canceled", `${failed.action}: canceled`);
    try {
      const session = await this.#connect();
      const message = await new UnaryCall(session, call).response;
      if (message === null) throw emptyResponse(failed);
      return message;
    } catch (error) {
      if (error instanceof Failure) throw toClientError(error.failure, this, failed);
      if (isJobError(error) && error !== this.#refusal) throw error;
      throw toClientError(failureOf(UNAVAILABLE, messageOf(error), error), this, failed);
    }
  }

  close(): void {
    this.#session?.destroy();
    this.#session = null;
    // Bun's session, and so the process, would wait until a frozen daemon closes it too.
    this.#socket?.destroy();
    this.#socket = null;
    this.#opened?.destroy();
    this.#opened = null;
  }

  async #connect(): Promise<ClientHttp2Session> {
    if (this.#session !== null && !this.#session.closed && !this.#session.destroyed) {
      return this.#session;
    }
    this.#connecting ??= this.#connectAnew().finally(() => this.#connecting = null);
    return await this.#connecting;
  }

  async #connectAnew(): Promise<ClientHttp2Session> {
    this.#isReady = false;
    this.#refusal = null;
    const socket = this.#opened ?? await openSocket(this.address);
    this.#opened = null;
    socket.on("error", () => {});
    try {
      const { daemonUid } = this.#found;
      await provePeer(socket, { socket: this.address, daemonUid, hasToken: false });
    } catch (error) {
      socket.destroy();
      if (isJobError(error)) this.#refusal = error;
      throw error;
    }
    const session = connectHttp2("http://localhost", { createConnection: () => socket });
    session.once("remoteSettings", () => this.#isReady = true);
    // Its streams report the same.
    session.on("error", () => {});
    this.#socket = socket;
    return this.#session = session;
  }
}

/** An error of a call before its conversion to a JobError. */
class Failure extends Error {
  readonly failure: CallFailure;

  constructor(failure: CallFailure) {
    super(failure.details);
    this.failure = failure;
  }
}

function failureOf(code: number, details: string, cause?: unknown): CallFailure {
  return { code, details, trailers: {}, cause };
}

/** One call on a session. */
class UnaryCall {
  /** The message of the response; null for one without. Rejects with a {@link Failure}. */
  readonly response: Promise<Uint8Array | null>;
  readonly #stream: ClientHttp2Stream;
  readonly #ending = Promise.withResolvers<Uint8Array | null>();
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #status: IncomingHttpHeaders | null = null;

  constructor(session: ClientHttp2Session, call: SocketCall) {
    this.response = this.#ending.promise;
    const { path, headers, request, timeoutMs, signal } = call;
    const stream = this.#stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
      "grpc-timeout": timeoutMs <= TIMEOUT_MS_MAX
        ? `${Math.ceil(timeoutMs)}m`
        : `${Math.min(TIMEOUT_MS_MAX, Math.ceil(timeoutMs / 1_000))}S`,
      ...headers,
    });
    const timer = systemClock.timer(timeoutMs, () => this.#fail(DEADLINE_EXCEEDED, "no response"));
    const abort = () => this.#fail(CANCELLED, "Cancelled on client");
    signal?.addEventListener("abort", abort, { once: true });
    const forget = () => {
      timer.cancel();
      signal?.removeEventListener("abort", abort);
    };
    this.response.then(forget, forget);
    stream.on("response", (received) => this.#headers(received));
    stream.on("data", (bytes: Buffer) => this.#data(bytes));
    stream.on("trailers", (received: IncomingHttpHeaders) => this.#status = received);
    stream.on("error", (error) => this.#fail(UNAVAILABLE, messageOf(error)));
    stream.on("end", () => this.#status !== null && this.#end(this.#status));
    stream.on("close", () => {
      if (this.#status !== null) this.#end(this.#status);
      else this.#fail(UNAVAILABLE, "Connection dropped");
    });
    const prefix = Buffer.alloc(PREFIX_BYTES);
    prefix.writeUInt32BE(request.byteLength, 1);
    stream.end(Buffer.concat([prefix, request]));
    // While the connection was made.
    if (signal?.aborted) abort();
  }

  #headers(received: IncomingHttpHeaders): void {
    // A response without a message has its status here.
    if (received["grpc-status"] !== undefined) this.#status = received;
    else if (received[":status"] as unknown !== 200) {
      this.#fail(UNAVAILABLE, `Received HTTP status code ${received[":status"]}`);
    }
  }

  #data(bytes: Buffer): void {
    this.#bytes += bytes.byteLength;
    if (this.#bytes > MESSAGE_BYTES_MAX + PREFIX_BYTES) {
      const found = `Received message larger than max (${this.#bytes} vs ${MESSAGE_BYTES_MAX})`;
      return this.#fail(RESOURCE_EXHAUSTED, found);
    }
    this.#chunks.push(bytes);
  }

  #end(status: IncomingHttpHeaders): void {
    const code = Number(textOf(status["grpc-status"]) ?? UNKNOWN);
    if (code !== 0) {
      const details = decode(textOf(status["grpc-message"]) ?? "");
      const trailers: Record<string, string> = {};
      for (const name of Object.values(TRAILERS)) {
        const value = textOf(status[name]);
        if (value !== undefined) trailers[name] = value;
      }
      return this.#ending.reject(new Failure({ code, details, trailers }));
    }
    const whole = Buffer.concat(this.#chunks);
    if (whole.byteLength === 0) return this.#ending.resolve(null);
    const length = whole.byteLength < PREFIX_BYTES ? -1 : whole.readUInt32BE(1);
    if (whole[0] !== 0 || length !== whole.byteLength - PREFIX_BYTES) {
      return this.#fail(UNKNOWN, "the response is not one message");
    }
    this.#ending.resolve(whole.subarray(PREFIX_BYTES));
  }

  #fail(code: number, details: string): void {
    this.#ending.reject(new Failure(failureOf(code, details)));
    this.#stream.close(constants.NGHTTP2_CANCEL);
  }
}

function textOf(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === "string" ? value : value?.[0];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { clientUser } from "../../platform/network/peer_owner.ts";
import type { Clock, Timer } from "../../platform/clock.ts";
import type { PlainResponse } from "../request/http_types.ts";
import { readHead, type RequestHead, type RequestProblem } from "./request_head.ts";
import { type BodySource, WireRequest } from "./wire_request.ts";
import { writeHead } from "./response_head.ts";

/** Settings for sending a response. */
export interface SendOptions {
  /** True to close the connection afterwards. */
  readonly isLast?: boolean;
  /** Called once when the system has taken the response, or the connection has closed. */
  readonly onSent?: () => void;
}

/** The user of a connection. */
export interface ConnectionOptions {
  readonly clock: Clock;
  /** Called with each request, which it must answer. */
  readonly onRequest: (request: WireRequest, connection: HttpConnection) => void;
  /** Called for invalid requests; returns the response, after which the connection closes. */
  readonly onProblem: (problem: RequestProblem) => PlainResponse;
  readonly onClose: (connection: HttpConnection) => void;
}

/** Longest head of a request, in bytes. */
const HEAD_BYTES_MAX = 16_384;
/** Most bytes discarded after a request: closing with unread bytes can lose the response. */
const DISCARDED_BYTES_MAX = 65_536;
/** Time for the client to close a connection after its last response. */
const LINGER_MS = 1_000;
/** Time for a response when the client has ended its side. */
const HALF_CLOSED_MS = 1_000;
/** Longest head that is kept for the next request. */
const KEPT_HEAD_MAX = 1_024;
/** A body up to this size is sent together with its head. */
const JOINED_BYTES_MAX = 65_536;

const HEAD_END = Buffer.from("\r\n\r\n");
const CONTINUE = "HTTP/1.1 100 Continue\r\n\r\n";
const LAST_CHUNK = "0\r\n\r\n";
const NOTHING = Buffer.alloc(0);
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * The phase of a connection: the next request is read; it is answered; its response waits for the
 * system to take it; the last response was sent.
 */
type Phase = "reading" | "answering" | "sending" | "closing";

/**
 * One connection of HTTP/1.1, with one request at a time. A client that sends more before the
 * response gets that response, and is disconnected.
 */
export class HttpConnection implements BodySource {
  readonly socket: Socket;
  readonly #options: ConnectionOptions;
  #phase: Phase = "reading";
  #request: WireRequest | null = null;
  /** The head of the last request, and its text: clients often send the same again. */
  #lastHead: RequestHead | null = null;
  #lastText = "";
  #clientAddress = "";
  #clientUser: Promise<number | null> | null = null;
  /** The beginning of a head that arrives in pieces. */
  #head: Buffer | null = null;
  #headLength = 0;
  /** Unread bytes: of a body, or of the next request. */
  #held: Buffer = NOTHING;
  #isLast = false;
  /** True while a response is written in chunks. */
  #isChunked = false;
  #isEnded = false;
  #discardedBytes = 0;
  #onSent: (() => void) | undefined;
  #timer: Timer | null = null;
  readonly #onWritten = () => this.#sent();

  constructor(socket: Socket, options: ConnectionOptions) {
    this.socket = socket;
    this.#options = options;
    socket.on("error", () => socket.destroy());
    socket.on("data", (bytes: Buffer) => this.#read(bytes));
    socket.once("end", () => this.#end());
    socket.once("close", () => this.#close());
  }

  get isBusy(): boolean {
    return this.#phase === "answering" || this.#phase === "sending";
  }

  /** True while the body of a request arrives. */
  get isReceiving(): boolean {
    const request = this.#request;
    return this.#phase === "answering" && request !== null && request.isRead &&
      request.hasUnreadBody;
  }

  /** The address of the client; empty if it had disconnected when this was first needed. */
  get clientAddress(): string {
    if (this.#clientAddress === "") {
      const { remoteAddress = "" } = this.socket;
      this.#clientAddress = remoteAddress.replace(/^::ffff:(?=\d+\.)/, "");
    }
    return this.#clientAddress;
  }

  /** The user of the client, from {@link clientUser}; the kernel is queried once. */
  get clientUser(): Promise<number | null> {
    return this.#clientUser ??= clientUser(this.socket);
  }

  respond({ status, headers, body }: PlainResponse, { isLast, onSent }: SendOptions = {}): void {
    if (this.#phase === "closing") return onSent?.();
    if (isLast === true) this.#isLast = true;
    const length = typeof body === "string" ? Buffer.byteLength(body) : body.byteLength;
    const isBare = status === 204 || status === 304;
    const isHead = this.#request?.method === "HEAD";
    const head = this.#beginResponse(status, headers, isBare ? undefined : length);
    this.#onSent = onSent;
    const done = this.#onWritten;
    if (isBare || isHead) this.socket.write(head, done);
    else if (typeof body === "string") this.socket.write(head + body, done);
    else if (length <= JOINED_BYTES_MAX) {
      this.socket.write(Buffer.concat([Buffer.from(head, "latin1"), body]), done);
    } else {
      this.socket.write(head);
      this.socket.write(body, done);
    }
  }

  /** Begin a response whose body is written piece by piece. */
  beginStream(status: number, headers: Readonly<Record<string, string>>): void {
    const request = this.#request;
    if (request === null) return;
    this.#isChunked = !request.isOld;
    this.socket.write(
      this.#beginResponse(status, headers, this.#isChunked ? "chunked" : undefined),
    );
    this.#phase = "answering";
    request.isStream = true;
    if (this.#isEnded) request.abort();
  }

  /**
   * Write a piece of the body, which is not empty.
   *
   * @param taken called when the system has taken it; never if the connection closes before
   */
  writePiece(text: string, taken: () => void): void {
    const piece = this.#isChunked ? `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n` : text;
    if (this.socket.destroyed) return;
    this.socket.write(piece, (error) => {
      // The connection has closed; the close event reports it.
      if (!error) taken();
    });
  }

  endStream(onSent: () => void): void {
    if (this.#phase === "closing") return onSent();
    this.#onSent = onSent;
    this.#phase = "sending";
    if (this.#isChunked) this.socket.write(LAST_CHUNK, this.#onWritten);
    else this.#sent();
  }

  /** Close it after the response to its current request, or at once. */
  dismiss(): void {
    this.#isLast = true;
    if (!this.isBusy) this.destroy();
  }

  /** Close it at once. */
  destroy(): void {
    this.socket.destroy();
  }

  #beginResponse(
    status: number,
    headers: Readonly<Record<string, string>>,
    length: number | "chunked" | undefined,
  ): string {
    const request = this.#request;
    // The next request begins after the body.
    if (request?.hasUnreadBody) {
      if (this.#held.byteLength !== request.framing) this.#isLast = true;
      this.#held = NOTHING;
    }
    if (this.#isEnded || request?.isPersistent === false) this.#isLast = true;
    this.#phase = "sending";
    const nowMs = this.#options.clock.now().wallMs;
    return writeHead({ status, headers, length, isLast: this.#isLast, nowMs });
  }

  #sent(): void {
    if (this.#phase !== "sending") return;
    this.#request = null;
    this.#stopTimer();
    const held = this.#held;
    this.#held = NOTHING;
    if (this.#isLast) this.#beginClose();
    else this.#phase = "reading";
    this.#notifySent();
    if (this.#phase !== "reading") return;
    if (held.byteLength > 0) this.#readHead(held);
    if (this.#phase !== "reading") return;
    if (this.#isEnded) this.destroy();
    else this.socket.resume();
  }

  #notifySent(): void {
    const onSent = this.#onSent;
    this.#onSent = undefined;
    onSent?.();
  }

  #beginClose(): void {
    this.#phase = "closing";
    if (this.#isEnded) return void this.socket.end();
    const { clock } = this.#options;
    this.#timer = clock.timer(LINGER_MS, () => this.destroy(), { unref: true });
    this.socket.end();
    this.socket.resume();
  }

  #stopTimer(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #read(bytes: Buffer): void {
    switch (this.#phase) {
      case "reading":
        return this.#readHead(bytes);
      case "answering":
        if (!this.#request?.hasUnreadBody) return this.#discard(bytes);
        return this.#request.isRead ? this.#readBytes(bytes) : this.#hold(bytes);
      case "sending":
        // The next request: the client has the response before we know.
        return this.#hold(bytes);
      case "closing":
        return this.#discard(bytes);
    }
  }

  #hold(bytes: Buffer): void {
    this.#held = this.#held.byteLength === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    this.socket.pause();
  }

  #discard(bytes: Buffer): void {
    if (!isEmptyLine(bytes)) this.#isLast = true;
    this.#discardedBytes += bytes.byteLength;
    if (this.#discardedBytes > DISCARDED_BYTES_MAX) this.socket.pause();
  }

  #readHead(bytes: Buffer): void {
    const end = this.#headLength === 0 ? bytes.indexOf(HEAD_END) : -1;
    if (end > 0 && end <= HEAD_BYTES_MAX && bytes[0] !== CARRIAGE_RETURN) {
      const rest = bytes.subarray(end + HEAD_END.length);
      return this.#begin(bytes.toString("latin1", 0, end), rest);
    }
    const start = this.#emptyLineLength(bytes);
    if (start < bytes.byteLength) this.#addToHead(start === 0 ? bytes : bytes.subarray(start));
  }

  /** The length of an empty line, or of its rest, before a request: it is skipped. */
  #emptyLineLength(bytes: Buffer): number {
    if (this.#headLength === 0) {
      return bytes[0] === CARRIAGE_RETURN && bytes[1] === LINE_FEED ? 2 : 0;
    }
    const isSecondByte = this.#headLength === 1 && this.#head![0] === CARRIAGE_RETURN &&
      bytes[0] === LINE_FEED;
    if (isSecondByte) this.#headLength = 0;
    return isSecondByte ? 1 : 0;
  }

  #addToHead(bytes: Buffer): void {
    this.#head ??= Buffer.allocUnsafe(HEAD_BYTES_MAX + HEAD_END.length);
    const before = this.#headLength;
    const copied = bytes.copy(this.#head, before);
    this.#headLength += copied;
    const head = this.#head.subarray(0, this.#headLength);
    const end = head.indexOf(HEAD_END, Math.max(0, before - HEAD_END.length + 1));
    if (end !== -1) {
      const text = head.toString("latin1", 0, end);
      this.#head = null;
      this.#headLength = 0;
      return this.#begin(text, bytes.subarray(end + HEAD_END.length - before));
    }
    const feed = head.indexOf(LINE_FEED, before);
    if (feed !== -1 && head[feed - 1] !== CARRIAGE_RETURN) {
      this.#refuse({ status: 400, problem: "a line ends without a carriage return" });
    } else if (this.#headLength > HEAD_BYTES_MAX) {
      this.#refuse({ status: 431, problem: `headers of more than ${HEAD_BYTES_MAX} bytes` });
    }
  }

  #begin(text: string, rest: Buffer): void {
    const head = this.#readHeadText(text);
    if ("problem" in head) return this.#refuse(head);
    const request = new WireRequest(head, this);
    this.#request = request;
    this.#phase = "answering";
    const { framing } = head;
    if (framing === 0) {
      if (rest.byteLength > 0) this.#discard(rest);
    } else {
      this.#held = rest;
      // The rest of the body waits for a reader.
      if (framing === "chunked" || rest.byteLength < framing) this.socket.pause();
    }
    if (this.#isEnded) this.#endSoon();
    this.#options.onRequest(request, this);
  }

  #readHeadText(text: string): RequestHead | RequestProblem {
    if (text === this.#lastText && this.#lastHead !== null) return this.#lastHead;
    const head = readHead(text);
    const isKept = text.length <= KEPT_HEAD_MAX && !("problem" in head);
    this.#lastHead = isKept ? head : null;
    this.#lastText = isKept ? text : "";
    return head;
  }

  #refuse(problem: RequestProblem): void {
    this.#phase = "answering";
    this.respond(this.#options.onProblem(problem), { isLast: true });
  }

  takeWhole(bytesMax: number): Buffer | null {
    const held = this.#held;
    if (held.byteLength !== this.#request!.framing || held.byteLength > bytesMax) return null;
    this.#held = NOTHING;
    // A copy: the bytes may be a small part of a large block of the runtime.
    return Buffer.from(held);
  }

  readBody(): void {
    const request = this.#request!;
    const held = this.#held;
    this.#held = NOTHING;
    if (held.byteLength > 0) this.#readBytes(held);
    if (!request.hasUnreadBody) return;
    if (this.#isEnded) return request.endBody();
    if (request.awaitsContinue && held.byteLength === 0) this.socket.write(CONTINUE);
    this.socket.resume();
  }

  #readBytes(bytes: Buffer): void {
    const used = this.#request!.readBytes(bytes);
    if (used < bytes.byteLength) this.#discard(bytes.subarray(used));
  }

  #end(): void {
    this.#isEnded = true;
    if (this.#phase === "reading") return this.destroy();
    if (this.#phase === "closing") return;
    this.#request?.endBody();
    this.#endSoon();
  }

  /**
   * The client has sent its last byte: it has either left or waits for the response. A short
   * response reaches it; a follower has left.
   */
  #endSoon(): void {
    const request = this.#request;
    if (request === null) return;
    if (request.isStream) return request.abort();
    const { clock } = this.#options;
    this.#timer ??= clock.timer(HALF_CLOSED_MS, () => request.abort(), { unref: true });
  }

  #close(): void {
    this.#stopTimer();
    this.#phase = "closing";
    this.#request?.endBody();
    this.#request?.abort();
    this.#request = null;
    this.#held = NOTHING;
    this.#head = null;
    this.#notifySent();
    this.#options.onClose(this);
  }
}

/** True for an empty line, or a part of one: some clients send it after a body, RFC 9112 2.2. */
function isEmptyLine(bytes: Buffer): boolean {
  return bytes.byteLength <= 2 &&
    bytes.every((byte) => byte === CARRIAGE_RETURN || byte === LINE_FEED);
}

import type { Socket } from "node:net";
import { Duplex } from "node:stream";

type Done = (error?: Error | null) => void;

/**
 * Most bytes read and discarded after a request, such as a body: closing a connection with unread
 * bytes can lose the response.
 */
const DISCARDED_BYTES_MAX = 65_536;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** The beginning of requests whose body is read. */
const WITH_BODY = "POST /ping/";
/** Most bytes of such a body, including the sizes of its chunks. */
const BODY_BYTES_MAX = 131_072;

/**
 * The first request of a connection, as a connection of its own, with the beginning of its body if
 * that is read. Nothing after it is passed on: a parser would collect further requests in memory,
 * faster than their responses are sent.
 */
export class FirstRequest extends Duplex {
  readonly #socket: Socket;
  #isWhole = false;
  /** True if the bytes so far end with an empty line or the start of one. */
  #isAtLineStart = false;
  #discarded = 0;
  /** The first characters of the request. */
  #start = "";
  /** How many more bytes of the body are passed on. */
  #bodyLeft = 0;

  constructor(socket: Socket) {
    super();
    this.#socket = socket;
    socket.on("data", (bytes: Buffer) => this.#read(bytes));
    // The end after a whole request is normal: the client has nothing more to send.
    socket.once("end", () => {
      if (!this.#isWhole) this.destroy();
    });
    socket.once("close", () => this.destroy());
  }

  /** The address of the client; empty if it has disconnected. */
  get clientAddress(): string {
    return (this.#socket.remoteAddress ?? "").replace(/^::ffff:(?=\d+\.)/, "");
  }

  /** Close the connection once everything is written; `node:http` calls this. */
  destroySoon(): void {
    if (this.writableFinished) this.destroy();
    else this.once("finish", () => this.destroy()).end();
  }

  #read(bytes: Buffer): void {
    const head = this.#isWhole ? 0 : this.#headLength(bytes);
    const body = Math.min(this.#bodyLeft, bytes.length - head);
    this.#bodyLeft -= body;
    const length = head + body;
    const isTaken = length === 0 || this.push(bytes.subarray(0, length));
    if (!isTaken && (!this.#isWhole || this.#bodyLeft > 0)) this.#socket.pause();
    this.#discarded += bytes.length - length;
    if (this.#discarded > DISCARDED_BYTES_MAX) this.#socket.pause();
  }

  /** The number of bytes up to the empty line that ends the request's headers. */
  #headLength(bytes: Buffer): number {
    const missing = WITH_BODY.length - this.#start.length;
    if (missing > 0) this.#start += bytes.toString("latin1", 0, missing);
    for (const [index, byte] of bytes.entries()) {
      if (byte === LINE_FEED) {
        if (this.#isAtLineStart) {
          this.#isWhole = true;
          if (this.#start === WITH_BODY) this.#bodyLeft = BODY_BYTES_MAX;
          return index + 1;
        }
        this.#isAtLineStart = true;
      } else if (byte !== CARRIAGE_RETURN) this.#isAtLineStart = false;
    }
    return bytes.length;
  }

  override _read(): void {
    if (!this.#isWhole || this.#bodyLeft > 0) this.#socket.resume();
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#socket.write(bytes, done);
  }

  override _final(done: Done): void {
    this.#socket.end(() => done());
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#socket.destroy();
    done(error);
  }
}

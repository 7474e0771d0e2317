import { connect } from "node:net";
import type { Socket } from "node:net";
import { framed, http2Frame } from "../../test/support/raw_grpc.ts";
import type { Running } from "./attack.ts";
import {
  callHeaders,
  FLAG,
  FRAME,
  GREEDY_START,
  headersShape,
  messageShape,
  streams,
  uint32,
} from "./frames.ts";

/** How much the connection window is enlarged, each time that much has arrived. */
const WINDOW_BYTES = 1 << 24;

/**
 * A client that discards its responses, so that pulling pages costs it next to nothing. Calls one
 * method with one message, any number of times in parallel.
 */
export class RawClient {
  readonly #socket: Socket;
  readonly #headers: Buffer;
  readonly #message: Buffer;
  readonly #onEnd: (isOk: boolean) => void;
  #nextStream = 1;
  #unread = 0;
  #rest = Buffer.alloc(0);
  #skip = 0;
  /** Resolves when the connection is closed. */
  readonly closed: Promise<void>;

  constructor(
    { target, signal, count }: Running,
    call: {
      readonly method: string;
      readonly token: string | null;
      readonly message: Uint8Array;
      /** A call has ended; a refusal without an answer is not ok. */
      readonly onEnd: (isOk: boolean) => void;
    },
  ) {
    this.#headers = callHeaders(call.method, call.token).whole;
    this.#message = framed(call.message);
    this.#onEnd = call.onEnd;
    const socket = connect({ port: target.port, host: "127.0.0.1" });
    this.#socket = socket;
    this.closed = new Promise((resolve) => socket.once("close", () => resolve()));
    socket.on("error", () => socket.destroy());
    socket.once("connect", () => count("connections"));
    socket.on("data", (bytes: Buffer) => {
      count("bytes read", bytes.length);
      this.#read(bytes);
    });
    const end = () => socket.destroy();
    signal.addEventListener("abort", end);
    void this.closed.then(() => signal.removeEventListener("abort", end));
    socket.write(GREEDY_START);
  }

  /** Make the call. */
  call(): void {
    const shapes = [headersShape(this.#headers), messageShape(this.#message)];
    const [bytes] = streams(shapes, { from: this.#nextStream, count: 1 });
    this.#nextStream += 2;
    this.#socket.write(bytes!);
  }

  #read(bytes: Buffer): void {
    this.#unread += bytes.length;
    if (this.#unread > WINDOW_BYTES) {
      this.#socket.write(http2Frame(FRAME.windowUpdate, 0, 0, uint32(this.#unread)));
      this.#unread = 0;
    }
    const skipped = Math.min(this.#skip, bytes.length);
    this.#skip -= skipped;
    let rest = skipped === bytes.length ? this.#rest : Buffer.concat([
      this.#rest,
      bytes.subarray(skipped),
    ]);
    while (rest.length >= 9) {
      const length = rest.readUIntBE(0, 3);
      this.#frame(rest[3]!, rest[4]!, length);
      const end = 9 + length;
      this.#skip = Math.max(0, end - rest.length);
      rest = rest.subarray(end);
    }
    this.#rest = rest;
  }

  #frame(type: number, flags: number, length: number): void {
    if (type === FRAME.settings && (flags & 1) === 0) {
      this.#socket.write(http2Frame(FRAME.settings, 1, 0, Buffer.alloc(0)));
    }
    // The trailers of a response end its stream.
    if (type === FRAME.headers && (flags & FLAG.endStream) !== 0) this.#onEnd(length < 60);
    if (type === FRAME.reset) this.#onEnd(false);
  }
}

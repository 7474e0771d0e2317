import { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";
import type { Clock, Timer } from "../clock.ts";

const NEWLINE = 10;
/** Limits of one child's messages per window; then its channel pauses until the window ends. */
const WINDOW_MS = 100;
const WINDOW_BYTES_MAX = 2 * 1_048_576;
const WINDOW_MESSAGES_MAX = 2_000;
/** Initial buffer for a line that arrives in parts. */
const PART_BYTES = 4_096;

interface ChildChannelOptions {
  readonly clock: Clock;
  /** Our end of the child's socket. */
  readonly stream: Duplex;
  /** Longest message, in bytes. */
  readonly lineBytesMax: number;
  /** True if the other end has no limit: it is the parent. */
  readonly isTrusted?: boolean;
  /** Called with each message and its size. */
  readonly onMessage: (message: unknown, bytes: number) => void;
  /** Called when the child sends something unreadable; the channel is closed by then. */
  readonly onFault: (problem: string) => void;
}

/**
 * Environment variables that give a child its channel: the runtime's own `process.send` and
 * `process.on("message")` use the descriptor, with one line of JSON per message.
 *
 * @param descriptor the channel's, in the child
 */
export function channelEnvironment(descriptor: number): Readonly<Record<string, string>> {
  return { NODE_CHANNEL_FD: String(descriptor), NODE_CHANNEL_SERIALIZATION_MODE: "json" };
}

/**
 * The parent's end of the channel to a child process that runs untrusted code. The runtime's own
 * channel buffers lines of any length and reads as fast as the child writes. Here lines are
 * bounded, and a child that sends too much is read more slowly, so that the child waits.
 */
export class ChildChannel {
  readonly #options: ChildChannelOptions;
  readonly #stream: Duplex;
  /** The start of a line that has not ended yet; its first `#partBytes` bytes are used. */
  #part: Buffer = Buffer.alloc(0);
  #partBytes = 0;
  #windowMs = -Infinity;
  #windowBytes = 0;
  #windowMessages = 0;
  #rest: Timer | null = null;
  #isReading = true;
  #isOpen = true;
  #onClosed: (() => void) | null = null;

  constructor(options: ChildChannelOptions) {
    this.#options = options;
    this.#stream = options.stream;
    this.#stream.on("data", (chunk: Buffer) => this.#read(chunk));
    // A broken channel just ends.
    this.#stream.on("error", () => {});
    this.#stream.once("close", () => this.#closed());
    this.#stream.once("end", () => this.#closed());
  }

  /** Bytes that the child has not read yet, not counting bytes in the kernel. */
  get unreadBytes(): number {
    return this.#stream.writableLength;
  }

  send(message: unknown): void {
    this.sendText(JSON.stringify(message));
  }

  /** Send a message that is already JSON. */
  sendText(text: string): void {
    if (this.#isOpen && this.#isReading) this.#stream.write(`${text}\n`);
  }

  /** Call back once the child has closed its end. */
  whenClosed(callback: () => void): void {
    if (this.#isOpen) this.#onClosed = callback;
    else callback();
  }

  /** Read and send nothing more. */
  close(): void {
    this.#isReading = false;
    this.#part = Buffer.alloc(0);
    this.#partBytes = 0;
    this.#rest?.cancel();
    this.#stream.destroy();
  }

  #closed(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#rest?.cancel();
    this.#onClosed?.();
  }

  #read(chunk: Buffer): void {
    const { lineBytesMax } = this.#options;
    this.#beginWindow();
    this.#windowBytes += chunk.length;
    let start = 0;
    while (this.#isReading) {
      const end = chunk.indexOf(NEWLINE, start);
      const length = (end < 0 ? chunk.length : end) - start;
      if (this.#partBytes + length > lineBytesMax) {
        return this.#fault(`a message of more than ${lineBytesMax} bytes`);
      }
      if (end < 0) {
        this.#keep(chunk, start);
        break;
      }
      this.#windowMessages += 1;
      this.#parse(this.#line(chunk, start, end));
      start = end + 1;
    }
    this.#pace();
  }

  #line(chunk: Buffer, start: number, end: number): Buffer {
    if (this.#partBytes === 0) return chunk.subarray(start, end);
    this.#keep(chunk, start, end);
    const line = this.#part.subarray(0, this.#partBytes);
    this.#part = Buffer.alloc(0);
    this.#partBytes = 0;
    return line;
  }

  // One growing buffer: a line that arrives byte by byte must not become thousands of buffers.
  #keep(chunk: Buffer, start: number, end = chunk.length): void {
    const bytes = this.#partBytes + end - start;
    if (bytes > this.#part.length) {
      const grown = Buffer.allocUnsafe(Math.max(bytes, 2 * this.#part.length, PART_BYTES));
      this.#part.copy(grown, 0, 0, this.#partBytes);
      this.#part = grown;
    }
    chunk.copy(this.#part, this.#partBytes, start, end);
    this.#partBytes = bytes;
  }

  #parse(line: Buffer): void {
    let message: unknown;
    try {
      message = JSON.parse(line.toString());
    } catch {
      return this.#fault("a message that is not JSON");
    }
    this.#options.onMessage(message, line.length);
  }

  #fault(problem: string): void {
    this.close();
    this.#options.onFault(problem);
  }

  #beginWindow(): void {
    const nowMs = this.#options.clock.now().monotonicMs;
    if (nowMs - this.#windowMs < WINDOW_MS) return;
    this.#windowMs = nowMs;
    this.#windowBytes = 0;
    this.#windowMessages = 0;
  }

  #pace(): void {
    if (!this.#isReading || this.#rest !== null || this.#options.isTrusted) return;
    const isMuch = this.#windowBytes > WINDOW_BYTES_MAX ||
      this.#windowMessages > WINDOW_MESSAGES_MAX;
    if (!isMuch) return;
    this.#stream.pause();
    const leftMs = this.#windowMs + WINDOW_MS - this.#options.clock.now().monotonicMs;
    this.#rest = this.#options.clock.timer(Math.max(1, leftMs), () => {
      this.#rest = null;
      this.#stream.resume();
    });
  }
}

import { Buffer } from "node:buffer";
import { closeSync, fchmodSync, readSync } from "node:fs";
import type { Readable } from "node:stream";
import type { NativeSpawner } from "./native_spawn.ts";
import { readDescriptor } from "./pipe.ts";
import type { PipeWatch } from "./pipe_watch.ts";

/** Most bytes read at once: the default size of a kernel pipe. */
const READ_BYTES = 65_536;
/** Most reads in a row, since a program may write as fast as it is read. */
const READS_MAX = 32;
/** Output after which a program is read as a stream. */
const STREAM_AFTER_BYTES = 65_536;

const block = Buffer.alloc(READ_BYTES);

/** The reading end of a program's output pipe. */
export interface OutputPipe {
  /** True once it was fully read, or closed. */
  readonly isEnded: boolean;
  /** True if it contains data or has ended; null if that is unknown. */
  readonly hasMore: boolean | null;
  /** Read its content without waiting. Does nothing while it is read as a stream or paused. */
  drain(): void;
  /** Read from now on as data comes. */
  listen(): void;
  pause(): void;
  resume(): void;
  close(): void;
}

/** The output of a program that a pipe carries. */
export type OutputName = "stdout" | "stderr";

/** Receives data from a program's pipes. */
export interface PipeEvents {
  onOutput(name: OutputName, chunk: Uint8Array): void;
  /** One of them has ended. */
  onPipeEnd(): void;
}

/**
 * A pipe of {@link NativeSpawner}. While it is quiet it costs little but its descriptor; after much
 * output it is read as a stream.
 */
export class NativePipe implements OutputPipe {
  /** Close it once the program has it. */
  readonly writer: number;
  readonly #spawner: NativeSpawner;
  readonly #watch: PipeWatch | null;
  readonly #reader: number;
  readonly #name: OutputName;
  readonly #events: PipeEvents;
  #stream: StreamPipe | null = null;
  #isListening = false;
  #isPaused = false;
  /** True if a pause was requested since {@link drain} began. */
  #mustRest = false;
  #bytes = 0;
  #isEnded = false;

  /** @param by makes the pipe and watches it; without a watch, {@link listen} opens a stream */
  constructor(
    name: OutputName,
    events: PipeEvents,
    { spawner, watch }: { readonly spawner: NativeSpawner; readonly watch: PipeWatch | null },
  ) {
    const { reader, writer } = spawner.pipe();
    // The program can open its output by name, also once it has changed its user.
    fchmodSync(writer, 0o666);
    this.writer = writer;
    this.#reader = reader;
    this.#spawner = spawner;
    this.#watch = watch;
    this.#name = name;
    this.#events = events;
  }

  get isEnded(): boolean {
    return this.#stream?.isEnded ?? this.#isEnded;
  }

  get hasMore(): boolean {
    return !this.isEnded && this.#spawner.isReadable(this.#reader);
  }

  drain(): void {
    if (this.#stream !== null || this.#isPaused) return;
    this.#mustRest = false;
    for (let reads = 0; reads < READS_MAX && !this.#mustRest && this.hasMore; reads++) {
      const bytes = readSync(this.#reader, block, 0, READ_BYTES, null);
      if (bytes === 0) return this.close();
      this.#bytes += bytes;
      this.#events.onOutput(this.#name, Buffer.from(block.subarray(0, bytes)));
    }
  }

  listen(): void {
    if (this.#isEnded || this.#isListening) return;
    this.#isListening = true;
    if (this.#watch?.add(this.#reader, this)) this.readable();
    else this.#readAsStream();
  }

  pause(): void {
    this.#mustRest = true;
    this.#stream?.pause();
    this.#isPaused = this.#isListening && this.#stream === null && !this.#isEnded;
    if (this.#isPaused) this.#watch?.remove(this.#reader);
  }

  resume(): void {
    this.#stream?.resume();
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#isListening = false;
    this.listen();
  }

  close(): void {
    if (this.#stream !== null) return this.#stream.close();
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#watch?.remove(this.#reader);
    closeSync(this.#reader);
    this.#events.onPipeEnd();
  }

  /** It contains data or has ended. */
  readable(): void {
    this.drain();
    // A signal for each write would cost more than a stream.
    if (this.#bytes > STREAM_AFTER_BYTES && !this.#isEnded && !this.#isPaused) this.#readAsStream();
  }

  #readAsStream(): void {
    this.#watch?.remove(this.#reader);
    this.#stream = new StreamPipe(readDescriptor(this.#reader), this.#name, this.#events);
  }
}

/** A pipe that is read as data comes. */
export class StreamPipe implements OutputPipe {
  readonly hasMore = null;
  readonly #stream: Readable;
  #isEnded = false;

  constructor(stream: Readable, name: OutputName, events: PipeEvents) {
    this.#stream = stream;
    stream.on("data", (chunk: Uint8Array) => events.onOutput(name, chunk));
    // A broken pipe ends the stream, which needs no further action.
    stream.on("error", () => {});
    stream.once("close", () => {
      this.#isEnded = true;
      events.onPipeEnd();
    });
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  drain(): void {}

  listen(): void {}

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  close(): void {
    this.#stream.destroy();
  }
}

import { Buffer } from "node:buffer";
import { closeSync, fchmodSync, readSync } from "node:fs";
import type { Readable } from "node:stream";
import type { NativeSpawner } from "./native_spawn.ts";
import { readDescriptor } from "./pipe.ts";

/** Most bytes read at once: what a pipe of the kernel contains by default. */
const READ_BYTES = 65_536;
/** Most reads in a row, since a program may write as fast as it is read. */
const READS_MAX = 32;

const block = Buffer.alloc(READ_BYTES);

/** The reading end of a pipe to which a program writes. */
export interface OutputPipe {
  /** True once all of it was read, or it was closed. */
  readonly isEnded: boolean;
  /** True if it contains data or has ended; null if that is unknown. */
  readonly hasMore: boolean | null;
  /**
   * Read what it contains, without waiting. Does nothing after {@link listen}, or if the runtime
   * cannot do this.
   */
  drain(): void;
  /** Read from now on as data comes. */
  listen(): void;
  pause(): void;
  resume(): void;
  close(): void;
}

/** Receives what is read from an {@link OutputPipe}. */
export interface PipeEvents {
  readonly onData: (chunk: Uint8Array) => void;
  readonly onEnd: () => void;
}

/** A pipe of {@link NativeSpawner}. Until it listens, it costs nothing but its descriptor. */
export class NativePipe implements OutputPipe {
  /** Close it once the program has it. */
  readonly writer: number;
  readonly #spawner: NativeSpawner;
  readonly #reader: number;
  readonly #events: PipeEvents;
  #stream: StreamPipe | null = null;
  #isEnded = false;

  constructor(spawner: NativeSpawner, events: PipeEvents) {
    const { reader, writer } = spawner.pipe();
    // The program can open its output by name, also once it has changed its user.
    fchmodSync(writer, 0o666);
    this.writer = writer;
    this.#reader = reader;
    this.#spawner = spawner;
    this.#events = events;
  }

  get isEnded(): boolean {
    return this.#stream?.isEnded ?? this.#isEnded;
  }

  get hasMore(): boolean {
    return !this.isEnded && this.#spawner.isReadable(this.#reader);
  }

  drain(): void {
    if (this.#stream !== null) return;
    for (let reads = 0; reads < READS_MAX && this.hasMore; reads++) {
      const bytes = readSync(this.#reader, block, 0, READ_BYTES, null);
      if (bytes === 0) return this.close();
      this.#events.onData(Buffer.from(block.subarray(0, bytes)));
    }
  }

  listen(): void {
    if (this.#isEnded) return;
    this.#stream ??= new StreamPipe(readDescriptor(this.#reader), this.#events);
  }

  pause(): void {
    this.#stream?.pause();
  }

  resume(): void {
    this.#stream?.resume();
  }

  close(): void {
    if (this.#stream !== null) return this.#stream.close();
    if (this.#isEnded) return;
    this.#isEnded = true;
    closeSync(this.#reader);
    this.#events.onEnd();
  }
}

/** A pipe that is read as data comes. */
export class StreamPipe implements OutputPipe {
  readonly hasMore = null;
  readonly #stream: Readable;
  #isEnded = false;

  constructor(stream: Readable, { onData, onEnd }: PipeEvents) {
    this.#stream = stream;
    stream.on("data", onData);
    // A broken pipe ends the stream, which is all there is to do about it.
    stream.on("error", () => {});
    stream.once("close", () => {
      this.#isEnded = true;
      onEnd();
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

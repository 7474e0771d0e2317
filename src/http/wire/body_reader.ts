import { Buffer } from "node:buffer";
import type { RequestProblem } from "./request_head.ts";

/** Limits for reading a body. */
export interface BodyLimits {
  /** Most bytes that are kept. */
  readonly bytesMax: number;
  /** True if the beginning of a body is enough; false for all of it. */
  readonly isCut: boolean;
}

interface BodyOptions extends BodyLimits {
  /** Its length in bytes, or "chunked". */
  readonly framing: number | "chunked";
}

/** Size of the first block of memory for a body, in bytes. */
const FIRST_BYTES = 16_384;
/** Size of the others. */
const BLOCK_BYTES = 65_536;
/** Longest line with the size of a chunk, and longest trailer, in bytes. */
const LINE_BYTES_MAX = 1_024;
const SIZE_LINE = /^([\da-f]{1,8})[\t ]*(?:;[\t\x20-\x7e]*)?$/i;
/** Bytes around chunks beyond which a body with many small ones is refused. */
const OVERHEAD_BYTES_MAX = 1_048_576;
const LINE_FEED = 0x0a;

/** The next part of a chunked body. */
type Expected = "size" | "data" | "data end" | "trailer";

/** Takes the body of one request from the bytes of its connection. */
export class BodyReader {
  readonly #options: BodyOptions;
  /** Full blocks: a growing buffer would leave copies behind. */
  #blocks: Buffer[] = [];
  /** The last one: separate pieces would cost more than small ones hold. */
  #block: Buffer;
  #blockBytes = 0;
  #keptBytes = 0;
  /** Bytes left of the body, or of the chunk. */
  #left: number;
  #expected: Expected;
  #line = "";
  #overheadBytes = 0;
  #isDone: boolean;
  #problem: RequestProblem | null = null;

  constructor(options: BodyOptions) {
    this.#options = options;
    const { framing, bytesMax, isCut } = options;
    this.#left = framing === "chunked" ? 0 : framing;
    this.#block = Buffer.allocUnsafe(Math.min(FIRST_BYTES, bytesMax, this.#left || FIRST_BYTES));
    this.#expected = framing === "chunked" ? "size" : "data";
    this.#isDone = framing === 0;
    if (framing !== "chunked" && framing > bytesMax && !isCut) this.#refuseLength();
  }

  /** True once the body has ended, or its kept part was read. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** Why the body cannot be read; null if it can. */
  get problem(): RequestProblem | null {
    return this.#problem;
  }

  /** True if the rest of the body will not be read. */
  get isShortened(): boolean {
    const { isCut, bytesMax } = this.#options;
    return this.#problem !== null || isCut && this.#keptBytes >= bytesMax;
  }

  take(): Buffer {
    const last = this.#block.subarray(0, this.#blockBytes);
    return this.#blocks.length === 0 ? last : Buffer.concat([...this.#blocks, last]);
  }

  /** Read bytes that have arrived. Returns the number that belong to the body. */
  push(bytes: Uint8Array): number {
    let offset = 0;
    while (offset < bytes.byteLength && !this.#isDone && this.#problem === null) {
      offset = this.#expected === "data"
        ? this.#readData(bytes, offset)
        : this.#readLine(bytes, offset);
    }
    return offset;
  }

  #readData(bytes: Uint8Array, offset: number): number {
    const { framing, bytesMax, isCut } = this.#options;
    const end = Math.min(offset + this.#left, bytes.byteLength);
    this.#left -= end - offset;
    const keptEnd = Math.min(end, offset + bytesMax - this.#keptBytes);
    if (keptEnd < end && !isCut) this.#refuseLength();
    this.#keep(bytes.subarray(offset, keptEnd));
    if (isCut && this.#keptBytes >= bytesMax) this.#isDone = true;
    if (this.#left > 0) return end;
    if (framing === "chunked") this.#expected = "data end";
    else this.#isDone = true;
    return end;
  }

  #keep(bytes: Uint8Array): void {
    for (let offset = 0; offset < bytes.byteLength;) {
      if (this.#blockBytes === this.#block.byteLength) this.#addBlock();
      const room = this.#block.byteLength - this.#blockBytes;
      const part = bytes.subarray(offset, offset + room);
      this.#block.set(part, this.#blockBytes);
      this.#blockBytes += part.byteLength;
      offset += part.byteLength;
    }
    this.#keptBytes += bytes.byteLength;
  }

  #addBlock(): void {
    this.#blocks.push(this.#block);
    this.#block = Buffer.allocUnsafe(BLOCK_BYTES);
    this.#blockBytes = 0;
  }

  #readLine(bytes: Uint8Array, offset: number): number {
    const feed = bytes.indexOf(LINE_FEED, offset);
    const end = feed === -1 ? bytes.byteLength : feed + 1;
    this.#overheadBytes += end - offset;
    if (this.#line.length + end - offset > LINE_BYTES_MAX) this.#refuse("a line is too long");
    else if (this.#overheadBytes > OVERHEAD_BYTES_MAX) this.#refuse("its chunks are too small");
    else {
      this.#line += Buffer.from(bytes.buffer, bytes.byteOffset + offset, end - offset)
        .toString("latin1");
      if (feed !== -1) this.#endLine();
    }
    return end;
  }

  #endLine(): void {
    const line = this.#line;
    this.#line = "";
    if (!line.endsWith("\r\n")) return this.#refuse("a line ends without a carriage return");
    const text = line.slice(0, -2);
    if (this.#expected === "size") return this.#beginChunk(text);
    if (this.#expected === "data end") {
      this.#expected = "size";
      return text === "" ? undefined : this.#refuse("a chunk is longer than its size");
    }
    // Trailers are not read.
    if (text === "") this.#isDone = true;
  }

  #beginChunk(text: string): void {
    const size = SIZE_LINE.exec(text);
    if (size === null) return this.#refuse("the size of a chunk is not a number");
    this.#left = Number.parseInt(size[1]!, 16);
    this.#expected = this.#left === 0 ? "trailer" : "data";
  }

  #refuse(what: string): void {
    this.#problem = { status: 400, problem: `the body cannot be read: ${what}` };
  }

  #refuseLength(): void {
    const problem = `the body has more than ${this.#options.bytesMax} bytes`;
    this.#problem = { status: 413, problem };
  }
}

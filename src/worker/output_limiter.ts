import type { LogEntry, LogLevel } from "../core/instance.ts";

/** Most lines kept of one attempt; half of them from its beginning, half from its end. */
export const OUTPUT_LINES_MAX = 10_000;
/** Most bytes kept of one attempt, likewise. */
export const OUTPUT_BYTES_MAX = 1_048_576;

const HALF_LINES = OUTPUT_LINES_MAX / 2;
const HALF_BYTES = OUTPUT_BYTES_MAX / 2;

/** A line before it is decoded: most lines of a flood never are. */
interface RawLine {
  readonly at: number;
  readonly level: LogLevel;
  readonly source: LogEntry["source"];
  readonly text: string | Uint8Array;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

function decode(line: RawLine): LogEntry {
  const text = typeof line.text === "string" ? line.text.toWellFormed() : decoder.decode(line.text);
  return {
    at: line.at,
    level: line.level,
    // A NUL ends texts early in many places that show a log.
    message: text.includes("\0") ? text.replaceAll("\0", "␀") : text,
    source: line.source,
  };
}

/** Keeps the head and the tail of an attempt's output and counts what it drops between them. */
export class OutputLimiter {
  #headLines = 0;
  #headBytes = 0;
  #tail: RawLine[] = [];
  /** Where the tail begins in its array: removing from the front one by one would copy it each time. */
  #tailStart = 0;
  #tailBytes = 0;
  #droppedLines = 0;
  #droppedBytes = 0;

  /** Whether the head is full, so that nothing more comes out before the end. */
  get isFull(): boolean {
    return this.#tail.length > 0;
  }

  /** Take a line; gives it back as an entry when it belongs to the head. */
  push(line: RawLine): LogEntry | null {
    const bytes = line.text.length;
    if (
      this.#tail.length === 0 && this.#headLines < HALF_LINES &&
      this.#headBytes + bytes <= HALF_BYTES
    ) {
      this.#headLines += 1;
      this.#headBytes += bytes;
      return decode(line);
    }
    this.#tail.push(line);
    this.#tailBytes += bytes;
    while (this.#tail.length - this.#tailStart > HALF_LINES || this.#tailBytes > HALF_BYTES) {
      this.#drop();
    }
    return null;
  }

  /** The record of what was dropped, if anything was, and the tail. */
  finish(at: number): LogEntry[] {
    const entries = this.#tail.slice(this.#tailStart).map(decode);
    if (this.#droppedLines > 0) {
      entries.unshift({
        at,
        level: "warn",
        source: "system",
        message:
          `${this.#droppedLines} lines (${this.#droppedBytes} bytes) of output dropped here: an attempt keeps ` +
          `${OUTPUT_LINES_MAX} lines and ${OUTPUT_BYTES_MAX} bytes`,
      });
    }
    this.#tail = [];
    this.#tailStart = 0;
    this.#tailBytes = 0;
    this.#droppedLines = 0;
    this.#droppedBytes = 0;
    return entries;
  }

  #drop(): void {
    const bytes = this.#tail[this.#tailStart]!.text.length;
    this.#tailStart += 1;
    this.#tailBytes -= bytes;
    this.#droppedLines += 1;
    this.#droppedBytes += bytes;
    if (this.#tailStart < HALF_LINES) return;
    this.#tail = this.#tail.slice(this.#tailStart);
    this.#tailStart = 0;
  }
}

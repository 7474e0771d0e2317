import type { OutputLimits } from "../../core/job/gen/job_options.ts";
import { droppedOutput } from "../../core/text/dropped_output.ts";
import type { LogEntry, LogLevel } from "../../core/instance.ts";
import type { SecretMask } from "../../core/text/secret_mask.ts";

/** A line that is not decoded yet: most lines of a flood never are. */
interface RawLine {
  readonly at: number;
  readonly level: LogLevel;
  readonly source: LogEntry["source"];
  readonly text: string | Uint8Array;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Keeps the head and the tail of an attempt's output and counts the lines dropped between them. */
export class OutputLimiter {
  readonly #limits: OutputLimits;
  readonly #halfLines: number;
  readonly #halfBytes: number;
  readonly #mask: SecretMask;
  #headLines = 0;
  #headBytes = 0;
  #tail: RawLine[] = [];
  /** Where the tail begins in its array: removing lines one by one would copy it each time. */
  #tailStart = 0;
  #tailBytes = 0;
  #droppedLines = 0;
  #droppedBytes = 0;

  constructor(limits: OutputLimits, mask: SecretMask) {
    this.#limits = limits;
    this.#halfLines = Math.floor(limits.linesMax / 2);
    this.#halfBytes = Math.floor(limits.bytesMax / 2);
    this.#mask = mask;
  }

  /** Add a line. @returns its entry if it belongs to the head */
  push(line: RawLine): LogEntry | null {
    const bytes = line.text.length;
    if (
      this.#tail.length === 0 && this.#headLines < this.#halfLines &&
      this.#headBytes + bytes <= this.#halfBytes
    ) {
      this.#headLines += 1;
      this.#headBytes += bytes;
      return this.#decode(line);
    }
    this.#tail.push(line);
    this.#tailBytes += bytes;
    while (
      this.#tail.length - this.#tailStart > this.#halfLines || this.#tailBytes > this.#halfBytes
    ) {
      this.#drop();
    }
    return null;
  }

  /** The tail, after an entry that says how much was dropped, if anything. */
  finish(at: number): LogEntry[] {
    const entries = this.#tail.slice(this.#tailStart).map((line) => this.#decode(line));
    if (this.#droppedLines > 0) {
      entries.unshift({
        at,
        level: "warn",
        source: "system",
        message: droppedOutput(
          { lines: this.#droppedLines, bytes: this.#droppedBytes },
          this.#limits,
        ),
      });
    }
    this.#tail = [];
    this.#tailStart = 0;
    this.#tailBytes = 0;
    this.#droppedLines = 0;
    this.#droppedBytes = 0;
    return entries;
  }

  #decode(line: RawLine): LogEntry {
    const { at, level, source } = line;
    const text = typeof line.text === "string"
      ? line.text.toWellFormed()
      : decoder.decode(line.text);
    // Many programs that show a log end a text at a NUL.
    const shown = text.includes("\0") ? text.replaceAll("\0", "␀") : text;
    return { at, level, message: this.#mask.text(shown), source };
  }

  #drop(): void {
    const bytes = this.#tail[this.#tailStart]!.text.length;
    this.#tailStart += 1;
    this.#tailBytes -= bytes;
    this.#droppedLines += 1;
    this.#droppedBytes += bytes;
    if (this.#tailStart < this.#halfLines) return;
    this.#tail = this.#tail.slice(this.#tailStart);
    this.#tailStart = 0;
  }
}

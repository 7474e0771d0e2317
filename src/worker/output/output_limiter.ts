import type { OutputLimits } from "../../core/job/gen/job_options.ts";
import { droppedOutput } from "../../core/text/dropped_output.ts";
import type { LogEntry } from "../../core/instance.ts";
import type { SecretMask } from "../../core/text/secret_mask.ts";
import { LineQueue, type RawLine } from "./line_queue.ts";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Keeps the head and the tail of an attempt's output and counts the lines dropped between them. */
export class OutputLimiter {
  readonly #limits: OutputLimits;
  readonly #halfLines: number;
  readonly #halfBytes: number;
  readonly #mask: SecretMask;
  #headLines = 0;
  #headBytes = 0;
  #tail = new LineQueue();
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
      this.#tail.length === 0 && this.#droppedLines === 0 &&
      this.#headLines < this.#halfLines &&
      this.#headBytes + bytes <= this.#halfBytes
    ) {
      this.#headLines += 1;
      this.#headBytes += bytes;
      return this.#decode(line);
    }
    this.#tail.push(line);
    while (this.#tail.length > this.#halfLines || this.#tail.bytes > this.#halfBytes) {
      this.#droppedLines += 1;
      this.#droppedBytes += this.#tail.drop();
    }
    return null;
  }

  /** The tail, after an entry that counts dropped lines, if any. */
  finish(at: number): LogEntry[] {
    const entries = Array.from(this.#tail, (line) => this.#decode(line));
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
    this.#tail = new LineQueue();
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
}

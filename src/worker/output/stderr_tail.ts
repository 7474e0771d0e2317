import type { LogEntry } from "../../core/instance.ts";

/** Number of stderr lines quoted in the error of a failed command. */
const LINES_MAX = 5;
const CHARS_MAX = 1_000;

/** The last lines that an attempt wrote to stderr. */
export class StderrTail {
  #entries: readonly LogEntry[] = [];

  /** The lines as one text; may be empty. */
  get text(): string {
    return this.#entries.map((entry) => entry.message).join("\n").slice(-CHARS_MAX);
  }

  add(entries: readonly LogEntry[]): void {
    const lines = entries.slice(-LINES_MAX * 4).filter(({ source, message }) => {
      return source === "stderr" && message !== "";
    });
    if (lines.length > 0) this.#entries = [...this.#entries, ...lines].slice(-LINES_MAX);
  }
}

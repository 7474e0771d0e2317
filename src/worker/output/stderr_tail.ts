import type { LogEntry } from "../../core/instance.ts";

/** How many of the last lines of stderr the error of a failed command contains. */
const LINES_MAX = 5;
const CHARS_MAX = 1_000;

/** The last lines that an attempt wrote to stderr. */
export class StderrTail {
  #entries: readonly LogEntry[] = [];

  /** The lines as one text; empty if there are none. */
  get text(): string {
    return this.#entries.map((entry) => entry.message).join("\n").slice(-CHARS_MAX);
  }

  /** Add what came after the earlier entries. */
  add(entries: readonly LogEntry[]): void {
    const lines = entries.slice(-LINES_MAX * 4).filter(({ source, message }) => {
      return source === "stderr" && message !== "";
    });
    if (lines.length > 0) this.#entries = [...this.#entries, ...lines].slice(-LINES_MAX);
  }
}

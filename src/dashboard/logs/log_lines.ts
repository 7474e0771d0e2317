import type { LogEntry } from "../gen/api_types.ts";
import { withoutAnsi } from "../text/ansi.ts";

/** One line of a log. */
export interface LogLine {
  /** From 1; the permanent link to it. 0 for the heading of an attempt. */
  readonly number: number;
  readonly at: string | undefined;
  readonly level: string;
  readonly source: string;
  readonly attempt: number;
  /** As it was written, with its colors. */
  readonly text: string;
}

const LEVELS = ["debug", "info", "warn", "error"];

/** Most columns of a line that are shown wrapped; the download has all of it. */
const COLUMNS_MAX = 20_000;

/** Characters that take two columns: those of East Asia, and emoji. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/g;

/** Columns that a text takes in a font of equal widths. */
export function columnsOf(text: string): number {
  // Characters beyond 16 bits have two units, and mostly two columns.
  return text.length + (text.match(WIDE)?.length ?? 0);
}

/**
 * The lines of a log, and in which row of the screen each begins. Reads and adds in constant time a
 * line, however many there are.
 */
export class LogLines {
  /** All lines, with a heading before each attempt but the first. */
  readonly all: LogLine[] = [];
  /** Indexes into `all` of the lines that are shown. */
  #shown: number[] = [];
  /** Row of the screen at which each shown line begins; one more than lines. */
  #starts: number[] = [0];
  #levelMin = 0;
  #columns = Infinity;
  #count = 0;

  /** The number of shown lines. */
  get length(): number {
    return this.#shown.length;
  }

  /** The number of lines of the log itself. */
  get count(): number {
    return this.#count;
  }

  /** The number of rows of the screen. */
  get rows(): number {
    return this.#starts[this.#shown.length]!;
  }

  /** Add lines as they come. */
  add(entries: readonly LogEntry[]): void {
    for (const { at, level, source, attempt, message } of entries) {
      const before = this.all.at(-1);
      if (before !== undefined && before.attempt !== attempt) {
        this.#push({
          number: 0,
          at,
          level: "error",
          source: "",
          attempt,
          text: `Attempt ${attempt}`,
        });
      }
      for (const text of message.split("\n")) {
        this.#push({ number: ++this.#count, at, level, source, attempt, text });
      }
    }
  }

  /** A shown line by its index. */
  line(index: number): LogLine {
    return this.all[this.#shown[index]!]!;
  }

  /** Row at which a shown line begins. */
  startOf(index: number): number {
    return this.#starts[index]!;
  }

  /** Index of the shown line at a row. */
  indexAt(row: number): number {
    let low = 0;
    let high = this.#shown.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#starts[middle]! <= row) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Index of the shown line with a number, or of the next one that is shown. */
  indexOf(number: number): number {
    const found = this.#shown.findIndex((at) => this.all[at]!.number >= number);
    return found < 0 ? this.#shown.length - 1 : found;
  }

  /**
   * Show the lines of a level and above, wrapped at a number of columns.
   *
   * @returns false if nothing has changed
   */
  arrange(level: string, columns: number): boolean {
    const levelMin = Math.max(0, LEVELS.indexOf(level));
    if (levelMin === this.#levelMin && columns === this.#columns) return false;
    this.#levelMin = levelMin;
    this.#columns = columns;
    this.#shown = [];
    this.#starts = [0];
    for (let at = 0; at < this.all.length; at++) this.#show(at);
    return true;
  }

  /** Indexes of the shown lines that have a text, whatever the case of its letters. */
  find(text: string): readonly number[] {
    const wanted = text.toLowerCase();
    if (wanted === "") return [];
    const found: number[] = [];
    for (let index = 0; index < this.#shown.length; index++) {
      if (withoutAnsi(this.line(index).text).toLowerCase().includes(wanted)) found.push(index);
    }
    return found;
  }

  /** The log as text, in parts. */
  toText(): readonly string[] {
    return this.all.map(({ number, at, level, text }) =>
      number === 0 ? `-- ${text}\n` : `${at ?? ""} ${level.toUpperCase()} ${text}\n`
    );
  }

  #push(line: LogLine): void {
    this.all.push(line);
    this.#show(this.all.length - 1);
  }

  #show(at: number): void {
    const { number, level, text } = this.all[at]!;
    if (number !== 0 && Math.max(0, LEVELS.indexOf(level)) < this.#levelMin) return;
    this.#shown.push(at);
    const rows = this.#columns === Infinity
      ? 1
      : Math.max(1, Math.ceil(Math.min(COLUMNS_MAX, columnsOf(withoutAnsi(text))) / this.#columns));
    this.#starts.push(this.#starts[this.#starts.length - 1]! + rows);
  }
}

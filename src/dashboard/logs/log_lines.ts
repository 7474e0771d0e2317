import { LOG_LEVELS, type LogLevel } from "../../core/instance.ts";
import type { LogEntry } from "../gen/api_types.ts";
import { withoutAnsi } from "../text/ansi.ts";

/** One line of a log. */
export interface LogLine {
  /** Number of its entry, from 1: the permanent link to it. */
  readonly number: number;
  /** True for the heading of an attempt, which is not a line of the log. */
  readonly isHeading: boolean;
  readonly at: string | undefined;
  readonly level: string;
  readonly source: string;
  readonly attempt: number;
  /** Original text, with its colors. */
  readonly text: string;
}

/** Most shown columns of a wrapped line; the download has all of it. */
const COLUMNS_MAX = 20_000;

/** Characters that take two columns: East Asian ones, and emoji. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/g;

/** Columns that a text takes in a font of equal widths. */
export function columnsOf(text: string): number {
  // Characters beyond 16 bits have two units, and mostly two columns.
  return text.length + (text.match(WIDE)?.length ?? 0);
}

/** The lines of a log, and the screen row at which each begins. Takes constant time per line. */
export class LogLines {
  /** All lines, with a heading before each attempt but the first. */
  readonly all: LogLine[] = [];
  /** Columns of each of them. */
  readonly #widths: number[] = [];
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

  /** Number of the last line; 0 without any. */
  get last(): number {
    return this.all.at(-1)?.number ?? 0;
  }

  /** The number of rows of the screen. */
  get rows(): number {
    return this.#starts[this.#shown.length]!;
  }

  add(entries: readonly LogEntry[]): void {
    for (const { at, level, source, attempt, message, seq: number } of entries) {
      const before = this.all.at(-1);
      if (before !== undefined && before.attempt !== attempt) {
        const text = `Attempt ${attempt}`;
        this.#push({ number, isHeading: true, at, level: "error", source: "", attempt, text });
      }
      for (const text of message.split("\n")) {
        this.#count += 1;
        this.#push({ number, isHeading: false, at, level, source, attempt, text });
      }
    }
  }

  /** True if it has the line of a number, or lines on both sides. */
  has(number: number): boolean {
    const { all } = this;
    return all.length > 0 && all[0]!.number <= number && all[all.length - 1]!.number >= number;
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

  /** Index of the shown line with a number, or of the next shown one. */
  indexOf(number: number): number {
    let low = 0;
    let high = this.#shown.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.all[this.#shown[middle]!]!.number >= number) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Show lines of a level and above, wrapped at a number of columns. @returns true if changed */
  arrange(level: string, columns: number): boolean {
    const levelMin = Math.max(0, LOG_LEVELS.indexOf(level as LogLevel));
    if (levelMin === this.#levelMin && columns === this.#columns) return false;
    this.#levelMin = levelMin;
    this.#columns = columns;
    this.#shown = [];
    this.#starts = [0];
    for (let at = 0; at < this.all.length; at++) this.#show(at);
    return true;
  }

  /** The log as text, in parts. */
  toText(): readonly string[] {
    return this.all.map(({ isHeading, at, level, text }) =>
      isHeading ? `-- ${text}\n` : `${at ?? ""} ${level.toUpperCase()} ${text}\n`
    );
  }

  #push(line: LogLine): void {
    this.all.push(line);
    // Now, a few lines at a time: wrapping a long log is then instant.
    this.#widths.push(Math.min(COLUMNS_MAX, columnsOf(withoutAnsi(line.text))));
    this.#show(this.all.length - 1);
  }

  #show(at: number): void {
    const { isHeading, level } = this.all[at]!;
    if (!isHeading && Math.max(0, LOG_LEVELS.indexOf(level as LogLevel)) < this.#levelMin) return;
    this.#shown.push(at);
    const rows = this.#columns === Infinity
      ? 1
      : Math.max(1, Math.ceil(this.#widths[at]! / this.#columns));
    this.#starts.push(this.#starts[this.#starts.length - 1]! + rows);
  }
}

/** Finds a text in the shown lines of a log, in upper or lower case, part by part. */
export class LogSearch {
  /** Indexes of matching lines among the inspected ones. */
  readonly found: number[] = [];
  readonly #lines: LogLines;
  readonly #wanted: string;
  #next = 0;

  constructor(lines: LogLines, text: string) {
    this.#lines = lines;
    this.#wanted = text.toLowerCase();
  }

  /** Inspect at most `linesMax` more lines. @returns true once all were inspected */
  step(linesMax: number): boolean {
    const lines = this.#lines;
    if (this.#wanted === "") return true;
    const end = Math.min(lines.length, this.#next + linesMax);
    for (; this.#next < end; this.#next++) {
      const text = withoutAnsi(lines.line(this.#next).text).toLowerCase();
      if (text.includes(this.#wanted)) this.found.push(this.#next);
    }
    return this.#next === lines.length;
  }
}

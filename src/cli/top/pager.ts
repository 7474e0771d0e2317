import { displayWidth } from "../output/table.ts";
import { reversed, wrapCells } from "../screen/line.ts";
import type { Size } from "../screen/terminal.ts";

/** Most lines that are kept; the first ones are dropped. */
export const LINES_MAX = 10_000;

/** Lines that are scrolled and searched. They must be safe for a terminal. */
export class Pager {
  #lines: string[] = [];
  /** Rows of the screen before each line, in the present width; and their number. */
  #starts: number[] = [0];
  #size: Size;
  /** First row that is shown. */
  #top = 0;
  #isAtEnd: boolean;
  #search = "";
  /** Indexes of the matching lines; null if unknown. */
  #matches: readonly number[] | null = null;
  /** Index of the line that was found. */
  #found = -1;

  /** @param options.isAtEnd true to begin and stay at the end as lines are added */
  constructor(size: Size, options: { readonly isAtEnd: boolean }) {
    this.#size = size;
    this.#isAtEnd = options.isAtEnd;
  }

  get length(): number {
    return this.#lines.length;
  }

  /** True if it shows the end, and follows additions. */
  get isAtEnd(): boolean {
    return this.#isAtEnd;
  }

  get isAtBegin(): boolean {
    return this.#top === 0;
  }

  /** The search text and the shown match; undefined without a search. */
  get match():
    | { readonly text: string; readonly number: number; readonly count: number }
    | undefined {
    if (this.#search === "") return undefined;
    const found = this.#matches ??= this.#findAll();
    return { text: this.#search, number: found.indexOf(this.#found) + 1, count: found.length };
  }

  replace(lines: readonly string[]): void {
    this.#lines = lines.slice(0, LINES_MAX);
    this.#matches = null;
    this.#measure();
  }

  append(lines: readonly string[]): void {
    for (const line of lines) {
      this.#lines.push(line);
      this.#starts.push(this.#starts.at(-1)! + this.#rowsOf(line));
    }
    const excess = this.#lines.length - LINES_MAX;
    if (excess > 0) this.#drop(excess);
    this.#matches = null;
    this.#settle();
  }

  /** Forget the first lines. Kept ones are not measured again: a log may be fast. */
  #drop(count: number): void {
    const rows = this.#starts[count]!;
    this.#lines.splice(0, count);
    this.#starts = this.#starts.slice(count).map((start) => start - rows);
    this.#top = Math.max(0, this.#top - rows);
    this.#found = Math.max(-1, this.#found - count);
  }

  /** Add lines before the first one: the visible part stays in place. */
  prepend(lines: readonly string[]): void {
    const before = this.#rows;
    this.#lines.unshift(...lines);
    this.#matches = null;
    if (this.#found >= 0) this.#found += lines.length;
    this.#measure();
    if (!this.#isAtEnd) this.#top += this.#rows - before;
    this.#settle();
  }

  /** Change to a size. The line at the top stays there. */
  resize(size: Size): void {
    if (size.rows === this.#size.rows && size.columns === this.#size.columns) return;
    const first = this.#lineAt(this.#top);
    const isWider = size.columns !== this.#size.columns;
    this.#size = size;
    if (isWider) {
      this.#measure();
      this.#top = this.#starts[first] ?? 0;
    }
    this.#settle();
  }

  /** Scroll by rows; to the end or the begin by Infinity. */
  scroll(rows: number): void {
    const last = this.#lastTop;
    this.#top = Math.max(0, Math.min(last, this.#top + rows));
    this.#isAtEnd = this.#top === last && rows > 0;
  }

  /** Scroll by screens, less a row. */
  scrollPages(pages: number): void {
    this.scroll(pages * Math.max(1, this.#size.rows - 1));
  }

  /** Begin a search from the visible part on; an empty text ends it. */
  search(text: string): void {
    this.#search = text.toLowerCase();
    this.#matches = null;
    this.#found = -1;
    if (text !== "") this.next(1, this.#lineAt(this.#top) - 1);
  }

  /** Show the next match, or the previous one with -1; after the last comes the first. */
  next(direction: 1 | -1, from: number = this.#found): void {
    const found = this.#matches ??= this.#findAll();
    if (found.length === 0) return;
    const ahead = direction > 0 ? found : found.toReversed();
    this.#found = ahead.find((index) => (index - from) * direction > 0) ?? ahead[0]!;
    this.#isAtEnd = false;
    const row = this.#starts[this.#found]!;
    const isVisible = row >= this.#top && row < this.#top + this.#size.rows;
    if (!isVisible) this.#top = Math.min(this.#lastTop, Math.max(0, row - 1));
  }

  /** The rows that are shown now. */
  view(): readonly string[] {
    const { rows, columns } = this.#size;
    const shown: string[] = [];
    let index = this.#lineAt(this.#top);
    let skipped = this.#top - this.#starts[index]!;
    for (; shown.length < rows && index < this.#lines.length; index++) {
      const parts = wrapCells(this.#lines[index]!, columns).slice(skipped);
      shown.push(...parts.map((part) => this.#marked(part, index)));
      skipped = 0;
    }
    return shown.slice(0, rows);
  }

  get #rows(): number {
    return this.#starts[this.#lines.length]!;
  }

  get #lastTop(): number {
    return Math.max(0, this.#rows - this.#size.rows);
  }

  #rowsOf(line: string): number {
    const { columns } = this.#size;
    // A cell is at most one character, except wide ones.
    if (line.length * 2 <= columns) return 1;
    return displayWidth(line) <= columns ? 1 : wrapCells(line, columns).length;
  }

  #measure(): void {
    this.#starts = [0];
    for (const line of this.#lines) this.#starts.push(this.#starts.at(-1)! + this.#rowsOf(line));
    this.#settle();
  }

  #settle(): void {
    this.#top = this.#isAtEnd ? this.#lastTop : Math.min(this.#top, this.#lastTop);
  }

  /** Index of the line at a row. */
  #lineAt(row: number): number {
    let low = 0;
    let high = Math.max(0, this.#lines.length - 1);
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#starts[middle]! <= row) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #findAll(): readonly number[] {
    const found: number[] = [];
    for (const [index, line] of this.#lines.entries()) {
      if (line.toLowerCase().includes(this.#search)) found.push(index);
    }
    return found;
  }

  #marked(part: string, index: number): string {
    if (index !== this.#found) return part;
    const at = part.toLowerCase().indexOf(this.#search);
    if (at < 0) return part;
    const end = at + this.#search.length;
    return part.slice(0, at) + reversed(part.slice(at, end)) + part.slice(end);
  }
}

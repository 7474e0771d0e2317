import type { Size, Terminal } from "./terminal.ts";

/** The other buffer, without a cursor; the terminal cuts long lines instead of wrapping them. */
const ENTER = "\u001b[?1049h\u001b[?25l\u001b[?7l\u001b[2J";
const LEAVE = "\u001b[0m\u001b[?7h\u001b[?25h\u001b[?1049l";
/** Terminals with support show a frame at once. */
const FRAME_BEGINS = "\u001b[?2026h";
const FRAME_ENDS = "\u001b[?2026l";

/** A place of the cursor, from 0. */
export interface CursorPlace {
  readonly row: number;
  readonly column: number;
}

/**
 * Text that makes a terminal show `lines` instead of `before`: only rows that differ.
 *
 * @param before its current lines; null if unknown
 */
export function frameOf(
  before: readonly string[] | null,
  lines: readonly string[],
  rows: number,
): string {
  let text = before === null ? "\u001b[2J" : "";
  for (let row = 0; row < rows; row++) {
    const line = lines[row] ?? "";
    if (line === (before?.[row] ?? "")) continue;
    text += `\u001b[${row + 1};1H\u001b[2K${line}`;
  }
  return text;
}

/** Draws lines on the whole terminal. */
export class Screen {
  readonly #terminal: Terminal;
  #shown: readonly string[] | null = null;
  #shownSize: Size | null = null;
  #cursor = "";
  #isOpen = false;
  #writing: Promise<void> = Promise.resolve();

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  get size(): Size {
    return this.#terminal.size();
  }

  /** Take the terminal; repeat it if something else may have written on it. */
  open(): void {
    this.#shown = null;
    this.#terminal.setRaw(true);
    // Entered twice, the other buffer would lose the original cursor position.
    if (!this.#isOpen) void this.#terminal.write(ENTER);
    this.#isOpen = true;
  }

  /** Give the terminal back in its original state. */
  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#writing;
    this.#terminal.setRaw(false);
    await this.#terminal.write(LEAVE);
  }

  /** The same when the process ends. */
  closeNow(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#terminal.setRaw(false);
    this.#terminal.writeNow(LEAVE);
  }

  /** Draw everything anew with the next frame. */
  forget(): void {
    this.#shown = null;
  }

  /**
   * Show lines, which are safe and no wider than the terminal.
   *
   * @param cursor position of typed text; none by default
   */
  async draw(lines: readonly string[], cursor: CursorPlace | null = null): Promise<void> {
    if (!this.#isOpen) return;
    const { size } = this;
    const isResized = size.rows !== this.#shownSize?.rows ||
      size.columns !== this.#shownSize.columns;
    const rows = frameOf(isResized ? null : this.#shown, lines, size.rows);
    const place = cursor === null
      ? "\u001b[?25l"
      : `\u001b[${cursor.row + 1};${cursor.column + 1}H\u001b[?25h`;
    this.#shown = [...lines];
    this.#shownSize = size;
    if (rows === "" && place === this.#cursor) return;
    this.#cursor = place;
    this.#writing = this.#terminal.write(`${FRAME_BEGINS}${rows}${place}${FRAME_ENDS}`);
    await this.#writing;
  }
}

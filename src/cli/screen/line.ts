import { makeVisible } from "../../core/text/safe_text.ts";
import { displayWidth, paint, type Style, truncate } from "../output/table.ts";

/** A part of a line with one style. Its text may be anything. */
export interface Span {
  readonly text: string;
  readonly style?: Style | undefined;
}

/** Display of a line. */
export interface LineLook {
  readonly columns: number;
  readonly hasColor: boolean;
  /** True for the line that keys act on: reversed over its whole width. */
  readonly isSelected?: boolean;
}

const REVERSE = "\u001b[7m";
const RESET = "\u001b[0m";

/** Text in reverse. It must be safe already. */
export function reversed(text: string): string {
  return `${REVERSE}${text}${RESET}`;
}

/** A line of a screen: cut to its width, without control sequences. */
export function formatLine(
  spans: readonly Span[],
  { columns, hasColor, isSelected = false }: LineLook,
): string {
  let line = "";
  let left = columns;
  for (const [index, { text, style }] of spans.entries()) {
    // Blanks at the end are not cut text.
    if (!hasText(spans, index)) break;
    const shown = makeVisible(text);
    const width = displayWidth(shown);
    const isLast = index === spans.length - 1;
    // If something follows, keep one cell for the cut sign.
    const isCut = width > left || (width === left && !isLast && hasText(spans, index + 1));
    const cut = isCut ? withSign(shown, left) : shown;
    line += isSelected ? cut : paint(cut, cut.trim() === "" ? undefined : style, hasColor);
    left -= displayWidth(cut);
    if (isCut) break;
  }
  return isSelected ? reversed(line + " ".repeat(Math.max(0, left))) : line;
}

function hasText(spans: readonly Span[], from: number): boolean {
  return spans.slice(from).some(({ text }) => text.trim() !== "");
}

function withSign(text: string, width: number): string {
  return displayWidth(text) > width ? truncate(text, width) : truncate(`${text} `, width);
}

/** `text` as a field of a row: cut or filled to `width` cells. */
export function padded(text: string, width: number): string {
  const shown = truncate(makeVisible(text), width);
  return shown + " ".repeat(Math.max(0, width - displayWidth(shown)));
}

/** The rows of a text that is wrapped to `columns`, at least one. It must be safe already. */
export function wrapCells(text: string, columns: number): readonly string[] {
  // Texts of one cell a character are by far the most frequent.
  if (text.length <= columns && displayWidth(text) <= columns) return [text];
  const rows: string[] = [];
  let row = "";
  let width = 0;
  for (const character of text) {
    const next = displayWidth(character);
    if (width + next > columns && row !== "") {
      rows.push(row);
      [row, width] = ["", 0];
    }
    row += character;
    width += next;
  }
  rows.push(row);
  return rows;
}

/** The rows of a sentence, broken between words where possible. */
export function wrapWords(text: string, columns: number): readonly string[] {
  const rows: string[] = [];
  let row = "";
  for (const word of makeVisible(text).split(" ")) {
    const longer = row === "" ? word : `${row} ${word}`;
    if (displayWidth(longer) <= columns) {
      row = longer;
      continue;
    }
    if (row !== "") rows.push(row);
    const parts = wrapCells(word, columns);
    rows.push(...parts.slice(0, -1));
    row = parts.at(-1)!;
  }
  rows.push(row);
  return rows;
}

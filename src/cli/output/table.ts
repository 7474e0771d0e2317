import { makeVisible } from "../../core/text/safe_text.ts";

/** Meaning of a colour. */
export type Style = "good" | "bad" | "warn" | "active" | "dim";

/** Text of one field, empty for none; `style` applies if colors are on. */
export interface Cell {
  readonly text: string;
  readonly style?: Style;
}

/** Heading of a column. */
export interface Heading {
  readonly title: string;
  /** Width to which it may shrink on a narrow terminal. Without it, it is never cut. */
  readonly least?: number;
  /** If the terminal is too narrow, columns of less weight go first, from the end. Default: 5. */
  readonly weight?: number;
  /** True if its texts end at the right edge of the column, like numbers. */
  readonly isNumber?: boolean;
}

/** Layout of a table. */
export interface TableLayout {
  /** Width to fit rows into; null to write them in full. */
  readonly columns: number | null;
  readonly hasColor: boolean;
  /** False to leave the headings out. */
  readonly hasHead?: boolean;
}

/** A column that is shown, by its place in each row. */
interface ShownColumn {
  readonly index: number;
  readonly heading: Heading;
  /** Width of its longest text. */
  readonly whole: number;
  readonly least: number;
}

const GAP = "  ";
const WEIGHT_DEFAULT = 5;

const CODES: Readonly<Record<Style, string>> = {
  good: "32",
  bad: "31",
  warn: "33",
  active: "36",
  dim: "2",
};

/** Colour `text` if colours are on. */
export function paint(text: string, style: Style | undefined, hasColor: boolean): string {
  return hasColor && style ? `\x1b[${CODES[style]}m${text}\x1b[0m` : text;
}

/** Starts and ends of colors, which {@link paint} writes. */
// deno-lint-ignore no-control-regex
const COLORS = /\x1b\[\d*m/g;
/** Most texts: each character takes one cell. */
const PLAIN = /^[\x20-\x7e]*$/;
const ZERO_WIDTH = /^[\p{Mn}\p{Me}\p{Default_Ignorable_Code_Point}\u1160-\u11ff]$/u;
const DOUBLE_WIDTH =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}\p{Emoji_Presentation}]$/u;

function characterWidth(character: string): number {
  if (character < "\u0300") return 1;
  if (ZERO_WIDTH.test(character)) return 0;
  return DOUBLE_WIDTH.test(character) ? 2 : 1;
}

/** Number of terminal cells of `text`; its colors take none. */
export function displayWidth(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const character of text.replaceAll(COLORS, "")) width += characterWidth(character);
  return width;
}

/** `text` cut to `width` cells; ends with an ellipsis if something was cut. */
export function truncate(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  if (width < 1) return "";
  let kept = "";
  let used = 0;
  for (const character of text) {
    const next = characterWidth(character);
    if (used + next > width - 1) break;
    kept += character;
    used += next;
  }
  return `${kept}…`;
}

function shownColumns(
  headings: readonly Heading[],
  rows: readonly (readonly string[])[],
): ShownColumn[] {
  return headings.map((heading, index) => {
    const whole = rows.reduce(
      (widest, row) => Math.max(widest, displayWidth(row[index] ?? "")),
      displayWidth(heading.title),
    );
    return { index, heading, whole, least: Math.min(whole, heading.least ?? whole) };
  });
}

function sumOf(columns: readonly ShownColumn[], widthOf: (column: ShownColumn) => number): number {
  return columns.reduce((sum, column) => sum + widthOf(column) + GAP.length, -GAP.length);
}

/** Omit columns until the others can shrink to `width`. One always stays. */
function dropColumns(columns: readonly ShownColumn[], width: number): readonly ShownColumn[] {
  let left = columns;
  while (left.length > 1 && sumOf(left, ({ least }) => least) > width) {
    const weightOf = ({ heading }: ShownColumn) => heading.weight ?? WEIGHT_DEFAULT;
    const lightest = left.reduce((found, one) => weightOf(one) <= weightOf(found) ? one : found);
    left = left.filter((column) => column !== lightest);
  }
  return left;
}

/** A width for each column. Shrinkable ones share the space; narrow ones keep their full width. */
function shareWidth(columns: readonly ShownColumn[], width: number | null): readonly number[] {
  const widthsAt = (share: number) =>
    columns.map(({ least, whole }) => Math.max(least, Math.min(whole, share)));
  let share = Math.max(...columns.map(({ whole }) => whole));
  if (width === null) return widthsAt(share);
  const available = width - GAP.length * (columns.length - 1);
  const needs = (widths: readonly number[]) => widths.reduce((sum, one) => sum + one, 0);
  share = Math.min(share, available);
  while (share > 1 && needs(widthsAt(share)) > available) share -= 1;
  return widthsAt(share);
}

function shownText({ text }: Cell): string {
  return text === "" ? "-" : makeVisible(text);
}

/** Rows under their headings in aligned columns, one line each, each line ended. */
export function formatTable(
  headings: readonly Heading[],
  rows: readonly (readonly Cell[])[],
  layout: TableLayout,
): string {
  const texts = rows.map((row) => row.map(shownText));
  const all = shownColumns(headings, texts);
  if (all.length === 0) return "";
  const columns = layout.columns === null ? all : dropColumns(all, layout.columns);
  const widths = shareWidth(columns, layout.columns);
  const shown = columns.map((column, place) => ({ ...column, width: widths[place]! }));
  const line = (cells: readonly Cell[]) => formatLine(cells, shown, layout);
  const { hasHead = true } = layout;
  const head = hasHead ? line(headings.map(({ title }) => ({ text: title }))) : "";
  const lines = rows.map((row, index) =>
    line(row.map((cell, column) => ({ ...cell, text: texts[index]![column]! })))
  );
  return head + lines.join("");
}

/** A row in full, without its line end: tabs separate the columns. */
export function formatTabs(row: readonly Cell[], hasColor: boolean): string {
  return row.map((cell) => paint(shownText(cell), cell.style, hasColor)).join("\t");
}

/** @param shown the columns, with the width of each */
function formatLine(
  cells: readonly Cell[],
  shown: readonly (ShownColumn & { readonly width: number })[],
  { columns, hasColor }: TableLayout,
): string {
  let line = "";
  let left = columns ?? Infinity;
  for (const [place, { index, heading, width }] of shown.entries()) {
    const { text, style } = cells[index]!;
    const kept = truncate(text, Math.min(width, left));
    const space = " ".repeat(Math.max(0, width - displayWidth(kept)));
    const painted = paint(kept, style, hasColor);
    line += (place === 0 ? "" : GAP) + (heading.isNumber ? space + painted : painted + space);
    left -= width + GAP.length;
  }
  return `${line.trimEnd()}\n`;
}

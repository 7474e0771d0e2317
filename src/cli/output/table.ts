import { makeVisible } from "../../core/text/safe_text.ts";

/** Meaning of a colour. */
export type Style = "good" | "bad" | "warn" | "active" | "dim";

/** Text of one field; `style` colours it if colours are on. */
export interface Cell {
  readonly text: string;
  readonly style?: Style;
}

/** Heading of a column. */
export interface Heading {
  readonly title: string;
  /** Shrinks first if the terminal is narrow. */
  readonly isFlexible?: boolean;
}

/** How a table is laid out. */
export interface TableLayout {
  /** Width that rows are cut to; null to write them in full. */
  readonly columns: number | null;
  readonly hasColor: boolean;
}

const GAP = "  ";
const FLEXIBLE_WIDTH_MIN = 8;

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

const ZERO_WIDTH = /^[\p{M}\u200b-\u200d\ufe00-\ufe0f]$/u;
const DOUBLE_WIDTH =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}\p{Emoji_Presentation}]$/u;

function characterWidth(character: string): number {
  if (character < "\u0300") return 1;
  if (ZERO_WIDTH.test(character)) return 0;
  return DOUBLE_WIDTH.test(character) ? 2 : 1;
}

/** Number of terminal cells that `text` takes. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += characterWidth(character);
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

function widthsOf(headings: readonly Heading[], rows: readonly (readonly string[])[]): number[] {
  return headings.map((heading, index) =>
    rows.reduce(
      (widest, row) => Math.max(widest, displayWidth(row[index] ?? "")),
      displayWidth(heading.title),
    )
  );
}

// Flexible columns shrink, the last one first, so that the columns that identify a row stay whole.
function shrink(headings: readonly Heading[], widths: number[], columns: number): void {
  let excess = widths.reduce((sum, width) => sum + width, 0) +
    GAP.length * (widths.length - 1) - columns;
  for (let index = headings.length - 1; index >= 0 && excess > 0; index--) {
    if (!headings[index]!.isFlexible) continue;
    const given = Math.min(excess, Math.max(0, widths[index]! - FLEXIBLE_WIDTH_MIN));
    widths[index]! -= given;
    excess -= given;
  }
}

/** Rows under their headings in aligned columns, one line each, each line ended. */
export function formatTable(
  headings: readonly Heading[],
  rows: readonly (readonly Cell[])[],
  layout: TableLayout,
): string {
  const texts = rows.map((row) => row.map((cell) => makeVisible(cell.text)));
  const widths = widthsOf(headings, texts);
  if (layout.columns !== null) shrink(headings, widths, layout.columns);
  let output = formatLine(headings.map(({ title }) => ({ text: title })), widths, layout);
  rows.forEach((row, index) => {
    const cells = row.map((cell, column) => ({ ...cell, text: texts[index]![column]! }));
    output += formatLine(cells, widths, layout);
  });
  return output;
}

/** Rows under their headings, a line each, in full: tabs separate the columns. */
export function formatTabs(
  headings: readonly Heading[],
  rows: readonly (readonly Cell[])[],
  hasColor: boolean,
): string {
  const head = headings.map(({ title }) => title);
  const lines = rows.map((row) =>
    row.map(({ text, style }) => paint(makeVisible(text), style, hasColor))
  );
  return [head, ...lines].map((cells) => `${cells.join("\t")}\n`).join("");
}

/** The lines of a table of plain texts, in full. */
export function tableLines(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
): string[] {
  const headings = titles.map((title) => ({ title }));
  const cells = rows.map((row) => row.map((text) => ({ text })));
  return formatTable(headings, cells, { columns: null, hasColor: false }).trimEnd().split("\n");
}

function formatLine(
  cells: readonly Cell[],
  widths: readonly number[],
  layout: TableLayout,
): string {
  let line = "";
  let left = layout.columns ?? Infinity;
  for (let index = 0; index < cells.length && left > 0; index++) {
    const width = widths[index]!;
    const shown = truncate(cells[index]!.text, Math.min(width, left));
    const isLast = index === cells.length - 1;
    const padding = isLast ? "" : " ".repeat(width - Math.min(width, displayWidth(shown))) + GAP;
    line += paint(shown, cells[index]!.style, layout.hasColor) + padding;
    left -= width + GAP.length;
  }
  return `${line.trimEnd()}\n`;
}

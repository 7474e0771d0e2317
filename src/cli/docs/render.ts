import { displayWidth } from "../output/table.ts";
import { wrap } from "../output/wrap.ts";
import { bold, dim, type InlineStyle, renderInline } from "./inline.ts";
import { type Block, type ListItem, parseMarkdown } from "./markdown.ts";

/** Display of a page. */
export interface RenderOptions extends InlineStyle {
  readonly columns: number;
}

/** Longer lines of text are hard to read. */
const TEXT_WIDTH_MAX = 100;
const CODE_INDENT = "    ";
const GAP = "  ";
/** Narrower columns of a table would be a word a line. */
const COLUMN_WIDTH_MIN = 14;

/** Lines of Markdown as lines for a terminal. Code and long words can be wider. */
export function renderMarkdown(lines: readonly string[], options: RenderOptions): string[] {
  const columns = Math.min(options.columns, TEXT_WIDTH_MAX);
  return renderBlocks(parseMarkdown(lines), { ...options, columns });
}

function renderBlocks(blocks: readonly Block[], options: RenderOptions): string[] {
  return blocks.flatMap((block, index) => {
    const lines = renderBlock(block, options);
    return index === 0 ? lines : ["", ...lines];
  });
}

function renderBlock(block: Block, options: RenderOptions): string[] {
  switch (block.type) {
    case "heading":
      return headingLines(block.level, block.text, options);
    case "paragraph":
      return wrapText(renderInline(block.text, options), options.columns);
    case "code":
      return block.lines.map((line) => line === "" ? "" : CODE_INDENT + line);
    case "list":
      return listLines(block.items, options);
    case "table":
      return tableLines(block.rows, options);
  }
}

function headingLines(level: number, text: string, options: RenderOptions): string[] {
  const plain = renderInline(text, { ...options, hasColor: false }).replaceAll("`", "");
  const { hasColor } = options;
  if (level > 2) return [bold(hasColor ? plain : `${"#".repeat(level)} ${plain}`, hasColor)];
  const line = (level === 1 ? "═" : "─").repeat(displayWidth(plain));
  return [bold(plain, hasColor), dim(line, hasColor)];
}

function listLines(items: readonly ListItem[], options: RenderOptions): string[] {
  const isLoose = items.some(({ blocks }) => blocks.length > 1);
  return items.flatMap(({ mark, blocks }, index) => {
    const head = `${mark === "*" ? "-" : mark} `;
    const blank = " ".repeat(head.length);
    const inner = renderBlocks(blocks, { ...options, columns: options.columns - head.length });
    const lines = inner.map((line, at) => at === 0 ? head + line : line === "" ? "" : blank + line);
    return isLoose && index > 0 ? ["", ...lines] : lines;
  });
}

function tableLines(rows: readonly (readonly string[])[], options: RenderOptions): string[] {
  const { columns, hasColor } = options;
  const cells = rows.map((row) => row.map((cell) => renderInline(cell, options)));
  const head = cells[0]!.map((cell) => bold(cell, hasColor));
  const widths = columnWidths(cells, columns);
  if (widths === null) return recordLines(cells, options);
  const rule = dim(widths.map((width) => "─".repeat(width)).join(GAP), hasColor);
  const body = cells.slice(1).flatMap((row) => rowLines(row, widths));
  const hasHead = cells[0]!.some((cell) => cell !== "");
  return hasHead ? [...rowLines(head, widths), rule, ...body] : body;
}

/** A row, whose cells may take several lines. */
function rowLines(row: readonly string[], widths: readonly number[]): string[] {
  const wrapped = widths.map((width, index) => wrapText(row[index] ?? "", width));
  const height = Math.max(...wrapped.map((lines) => lines.length));
  return Array.from({ length: height }, (_, at) =>
    wrapped.map((lines, index) => {
      const text = lines[at] ?? "";
      return text + " ".repeat(Math.max(0, widths[index]! - plainWidth(text)));
    }).join(GAP).trimEnd());
}

/** The rows of a too wide table, each as its first cell and the others below it. */
function recordLines(cells: readonly (readonly string[])[], options: RenderOptions): string[] {
  const [head, ...rows] = cells;
  return rows.flatMap(([first, ...others], index) => [
    ...(index > 0 ? [""] : []),
    ...wrapText(first!, options.columns),
    ...others.flatMap((cell, at) => {
      const title = head![at + 1]!;
      const text = title === "" || others.length === 1 ? cell : `${title}: ${cell}`;
      return wrapText(text, options.columns - GAP.length).map((line) => GAP + line);
    }),
  ]);
}

/**
 * The widths of a table's columns. Narrow columns keep theirs; the others share the rest.
 *
 * @returns null if a column would be too narrow to read
 */
function columnWidths(cells: readonly (readonly string[])[], columns: number): number[] | null {
  const natural = cells[0]!.map((_, index) =>
    Math.max(1, ...cells.map((row) => plainWidth(row[index] ?? "")))
  );
  const widths = [...natural];
  const open = new Set(natural.keys());
  let left = columns - GAP.length * (natural.length - 1);
  for (;;) {
    const share = Math.floor(left / open.size);
    const narrow = [...open].filter((index) => natural[index]! <= share);
    if (narrow.length === 0) {
      if (open.size === 0) return widths;
      if (
        share < Math.max(COLUMN_WIDTH_MIN, ...[...open].map((index) => wordWidth(cells, index)))
      ) {
        return null;
      }
      for (const index of open) widths[index] = share;
      return widths;
    }
    for (const index of narrow) {
      open.delete(index);
      left -= natural[index]!;
    }
  }
}

/** Cells of the longest word of a column. */
function wordWidth(cells: readonly (readonly string[])[], index: number): number {
  return Math.max(...cells.flatMap((row) => (row[index] ?? "").split(" ").map(plainWidth)));
}

function wrapText(text: string, width: number): string[] {
  return wrap(text, width, { widthOf: plainWidth });
}

function plainWidth(text: string): number {
  // deno-lint-ignore no-control-regex
  return displayWidth(text.replaceAll(/\x1b\[[\d;]*m/g, ""));
}

import { anchorOf } from "../../core/text/anchor.ts";

/** A part of a page. A test checks that the pages have no other forms. */
export type Block =
  | Heading
  | { readonly type: "paragraph"; readonly text: string }
  | { readonly type: "code"; readonly lines: readonly string[] }
  | { readonly type: "list"; readonly items: readonly ListItem[] }
  | { readonly type: "table"; readonly rows: readonly (readonly string[])[] };

/** A heading. */
export interface Heading {
  readonly type: "heading";
  readonly level: number;
  readonly text: string;
  readonly anchor: string;
}

/** An item of a list, and its content. */
export interface ListItem {
  /** `-`, or a number with a dot. */
  readonly mark: string;
  readonly blocks: readonly Block[];
}

const FENCE = /^( *)```/;
const ITEM = /^( *)([-*]|\d+\.) +(.*)$/;
const HEADING = /^(#{1,6}) +(.*?)\s*$/;

/** Read Markdown in the form of docs/. */
export function parseMarkdown(lines: readonly string[]): Block[] {
  const blocks: Block[] = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at]!;
    if (line.trim() === "") {
      at += 1;
      continue;
    }
    const heading = HEADING.exec(line);
    if (heading) {
      blocks.push(headingOf(heading[1]!.length, heading[2]!));
      at += 1;
      continue;
    }
    const reader = FENCE.test(line)
      ? readCode
      : line.startsWith("|")
      ? readTable
      : ITEM.test(line)
      ? readList
      : readParagraph;
    const { block, next } = reader(lines, at);
    blocks.push(block);
    at = next;
  }
  return blocks;
}

interface Read {
  readonly block: Block;
  /** The line after it. */
  readonly next: number;
}

function headingOf(level: number, text: string): Heading {
  return { type: "heading", level, text, anchor: anchorOf(text.replaceAll("`", "")) };
}

function readCode(lines: readonly string[], at: number): Read {
  const indent = FENCE.exec(lines[at]!)![1]!;
  const close = lines.findIndex((line, index) => index > at && line.startsWith(`${indent}\`\`\``));
  const end = close < 0 ? lines.length : close;
  const body = lines.slice(at + 1, end)
    .map((line) => line.startsWith(indent) ? line.slice(indent.length) : line.trimStart());
  return { block: { type: "code", lines: body }, next: end + 1 };
}

function readTable(lines: readonly string[], at: number): Read {
  const end = endOf(lines, at, (line) => line.startsWith("|"));
  const rows = lines.slice(at, end).map(cellsOf).filter((_, index) => index !== 1);
  return { block: { type: "table", rows }, next: end };
}

/** The cells of a row. A bar within one is written `\|`. */
function cellsOf(line: string): string[] {
  return line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll("\\|", "|"));
}

function readList(lines: readonly string[], at: number): Read {
  const [, indent] = ITEM.exec(lines[at]!)!;
  const items: ListItem[] = [];
  let next = at;
  while (next < lines.length) {
    const [, blank, mark, first] = ITEM.exec(lines[next]!) ?? [];
    if (blank !== indent) break;
    const inner = indent!.length + mark!.length + 1;
    const end = endOfItem(lines, next + 1, inner);
    const rest = lines.slice(next + 1, end).map((line) =>
      line.slice(Math.min(inner, line.length - line.trimStart().length))
    );
    items.push({ mark: mark!, blocks: parseMarkdown([first!, ...rest]) });
    next = end;
    // Blank lines between items do not end the list.
    const following = endOf(lines, next, (line) => line.trim() === "");
    if (following < lines.length && ITEM.exec(lines[following]!)?.[1] === indent) next = following;
  }
  return { block: { type: "list", items }, next };
}

/** The line after an item: its lines are indented, or lazy ones. */
function endOfItem(lines: readonly string[], from: number, inner: number): number {
  let end = from;
  let isAfterBlank = false;
  for (let at = from; at < lines.length; at++) {
    const line = lines[at]!;
    const indent = line.length - line.trimStart().length;
    if (line.trim() === "") {
      isAfterBlank = true;
      continue;
    }
    if (indent < inner && (isAfterBlank || isStart(line))) break;
    isAfterBlank = false;
    end = at + 1;
  }
  return end;
}

function readParagraph(lines: readonly string[], at: number): Read {
  const end = endOf(
    lines,
    at,
    (line, index) => line.trim() !== "" && (index === at || !isStart(line)),
  );
  const text = lines.slice(at, end).map((line) => line.trim()).join(" ");
  return { block: { type: "paragraph", text }, next: end };
}

/** True for a line that begins something other than a paragraph. */
function isStart(line: string): boolean {
  return HEADING.test(line) || FENCE.test(line) || ITEM.test(line) || line.startsWith("|");
}

function endOf(
  lines: readonly string[],
  at: number,
  isInside: (line: string, index: number) => boolean,
): number {
  let end = at;
  while (end < lines.length && isInside(lines[end]!, end)) end += 1;
  return end;
}

/** The headings of a page, each with the index of its line. */
export function headingsOf(lines: readonly string[]): (Heading & { readonly at: number })[] {
  let fence: string | null = null;
  const found: (Heading & { readonly at: number })[] = [];
  lines.forEach((line, at) => {
    const [, indent] = FENCE.exec(line) ?? [];
    if (indent !== undefined && (fence === null || fence === indent)) {
      fence = fence === null ? indent : null;
    }
    const heading = fence === null ? HEADING.exec(line) : null;
    if (heading) found.push({ ...headingOf(heading[1]!.length, heading[2]!), at });
  });
  return found;
}

/** The lines of a section, with its heading; null if the page has no such heading. */
export function sectionOf(lines: readonly string[], anchor: string): readonly string[] | null {
  const headings = headingsOf(lines);
  const index = headings.findIndex((heading) => heading.anchor === anchor);
  if (index < 0) return null;
  const { level, at } = headings[index]!;
  const next = headings.slice(index + 1).find((heading) => heading.level <= level);
  return lines.slice(at, next?.at);
}

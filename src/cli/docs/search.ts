import { headingsOf } from "./markdown.ts";
import type { DocsPage } from "./pages.ts";

/** A line of a page that has the words of a search. */
export interface Hit {
  /** The page, and the section as a link names it: `cli#exit-codes`. */
  readonly section: string;
  /** Line in the file of the page, from 1. */
  readonly line: number;
  /** The line without its markup for tables and lists. */
  readonly text: string;
}

/** Most hits of a search. */
export const HITS_MAX = 100;

/** A hit, and its distance from the search: 0 is the nearest. */
interface RankedHit extends Hit {
  readonly rank: number;
}

/**
 * The lines that have every word of a search, in upper or lower case. Lines in which each word
 * begins a word come first, headings before other lines, then in the order of the pages. If no line
 * has all words, the sections that have them. At most {@link HITS_MAX}.
 */
export function searchPages(pages: readonly DocsPage[], wanted: string): readonly Hit[] {
  const words = wanted.toLowerCase().split(/\s+/).filter((word) => word !== "");
  if (words.length === 0) return [];
  const lines = pages.flatMap((page) => sectionsOf(page).flatMap((one) => hitsIn(one, words)));
  const found = lines.length > 0
    ? lines.sort((a, b) => a.rank - b.rank)
    : pages.flatMap((page) => sectionsOf(page).filter((one) => hasAll(one.lines.join("\n"), words)))
      .map(({ name, start, lines: [first = ""] }) => ({
        section: name,
        line: start + 1,
        text: plainText(first),
      }));
  return found.slice(0, HITS_MAX).map(({ section, line, text }) => ({ section, line, text }));
}

/** A heading with the lines below it, up to the next heading. */
interface Section {
  /** Its name in links. */
  readonly name: string;
  /** Index of its first line, which is the heading. */
  readonly start: number;
  readonly lines: readonly string[];
}

function sectionsOf({ name, text }: DocsPage): readonly Section[] {
  const lines = text.split("\n");
  const headings = headingsOf(lines);
  return headings.map(({ at, anchor, level }, index) => ({
    // The first heading is the page's own.
    name: level === 1 ? name : `${name}#${anchor}`,
    start: at,
    lines: lines.slice(at, headings[index + 1]?.at),
  }));
}

function hitsIn({ name, start, lines }: Section, words: readonly string[]): RankedHit[] {
  return lines.flatMap((line, index) => {
    if (!hasAll(line, words)) return [];
    const isWhole = words.every((word) => beginsWord(line, word));
    const rank = (isWhole ? 0 : 2) + (index === 0 ? 0 : 1);
    return [{ section: name, line: start + index + 1, text: plainText(line), rank }];
  });
}

function hasAll(text: string, words: readonly string[]): boolean {
  const lower = text.toLowerCase();
  return words.every((word) => lower.includes(word));
}

/** True if a word of a line begins with `word`: "once" does not find "concepts". */
function beginsWord(line: string, word: string): boolean {
  const lower = line.toLowerCase();
  for (let at = lower.indexOf(word); at >= 0; at = lower.indexOf(word, at + 1)) {
    if (at === 0 || !/[a-z0-9]/.test(lower[at - 1]!)) return true;
  }
  return false;
}

function plainText(line: string): string {
  return line.trim().replace(/^#+ +/, "").replace(/^[-*] +/, "").replace(/^\| *| *\|$/g, "")
    .replaceAll(/\[([^\]]+)\]\([^)]+\)/g, "$1").replaceAll(/(?<!\\)\|/g, "·").replaceAll("\\|", "|")
    .replaceAll("`", "").replaceAll("**", "");
}

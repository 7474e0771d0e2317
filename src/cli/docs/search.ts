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

/**
 * The lines that have every word of a search, in whatever case: headings first, then in the order
 * of the pages. At most {@link HITS_MAX}.
 */
export function searchPages(pages: readonly DocsPage[], wanted: string): readonly Hit[] {
  const words = wanted.toLowerCase().split(/\s+/).filter((word) => word !== "");
  if (words.length === 0) return [];
  const found = pages.flatMap((page) => hitsOf(page, words));
  const isFirst = ({ isHeading }: { readonly isHeading: boolean }) => isHeading;
  return [...found.filter(isFirst), ...found.filter((hit) => !isFirst(hit))]
    .slice(0, HITS_MAX)
    .map(({ section, line, text }) => ({ section, line, text }));
}

function hitsOf({ name, text }: DocsPage, words: readonly string[]) {
  const lines = text.split("\n");
  const headings = headingsOf(lines);
  const starts = new Map(headings.map(({ at, anchor, level }) => [at, { anchor, level }]));
  let section = name;
  return lines.flatMap((line, at) => {
    const start = starts.get(at);
    // The first heading is the page's own.
    if (start !== undefined) section = start.level === 1 ? name : `${name}#${start.anchor}`;
    const lower = line.toLowerCase();
    if (!words.every((word) => lower.includes(word))) return [];
    return [{ section, line: at + 1, text: plainText(line), isHeading: start !== undefined }];
  });
}

function plainText(line: string): string {
  return line.trim().replace(/^#+ +/, "").replace(/^[-*] +/, "").replace(/^\| *| *\|$/g, "")
    .replaceAll(/\[([^\]]+)\]\([^)]+\)/g, "$1").replaceAll(/(?<!\\)\|/g, "·").replaceAll("\\|", "|")
    .replaceAll("`", "").replaceAll("**", "");
}

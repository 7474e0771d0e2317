import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { anchorOf } from "../../../scripts/docs/anchors.ts";

export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** A page in Markdown. */
export interface Page {
  /** From the root of the project. */
  readonly path: string;
  readonly text: string;
}

/** A fenced block of a page. */
export interface Block {
  readonly language: string;
  /** What follows the language, such as `not-run`. */
  readonly mark: string;
  readonly body: string;
  /** The last paragraph before it. */
  readonly before: string;
  /** Line of its fence, from 1. */
  readonly line: number;
}

const FENCE = /^( *)```(\w*) ?(.*)\n([^]*?)^\1```/gm;

/** The pages of `folder` and of its subfolders. */
export function readPages(folder: string): readonly Page[] {
  return readdirSync(`${ROOT}${folder}`, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md")).sort()
    .map((name) => readPage(`${folder}/${name}`));
}

export function readPage(path: string): Page {
  return { path, text: readFileSync(`${ROOT}${path}`, "utf8") };
}

/** The fenced blocks of a page, in order. */
export function blocksOf({ text }: Page): readonly Block[] {
  return [...text.matchAll(FENCE)].map((match) => {
    const before = text.slice(0, match.index);
    return {
      language: match[2]!,
      mark: match[3]!,
      body: match[4]!,
      before: before.trimEnd().split(/\n{2,}/).at(-1) ?? "",
      line: before.split("\n").length,
    };
  });
}

/** A page without its blocks. */
export function proseOf({ text }: Page): string {
  return text.replaceAll(FENCE, (block) => block.replaceAll(/[^\n]/g, ""));
}

/** What a link to the page can name after `#`: its headings, and elements with an id. */
export function anchorsOf(page: Page): ReadonlySet<string> {
  const prose = proseOf(page);
  const anchors = new Set<string>();
  for (const [, heading] of prose.matchAll(/^#+ (.+)$/gm)) {
    const title = heading!.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").replaceAll(/[`*]/g, "");
    const anchor = anchorOf(title);
    let unique = anchor;
    for (let count = 1; anchors.has(unique); count += 1) unique = `${anchor}-${count}`;
    anchors.add(unique);
  }
  for (const [, id] of prose.matchAll(/<a id="([^"]+)">/g)) anchors.add(id!);
  return anchors;
}

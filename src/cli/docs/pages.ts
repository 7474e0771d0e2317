import { Buffer } from "node:buffer";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync } from "node:zlib";
import { errorCode, JobError } from "../../core/errors.ts";
import { didYouMean, nearest } from "../../core/text/nearest.ts";
import { makeVisible } from "../../core/text/safe_text.ts";
import { headingsOf } from "./markdown.ts";

/** A page of docs/, in Markdown. */
export interface DocsPage {
  /** Its path below docs/, without the ending: `howto/backup`. */
  readonly name: string;
  readonly text: string;
}

/**
 * The pages, in list order. A build has them inside; from source they are read from docs/.
 *
 * @throws JobError `unavailable` if this program has no pages
 */
export async function loadPages(): Promise<readonly DocsPage[]> {
  const built = await import("./gen/docs_pages.mjs").catch((cause) => {
    if (errorCode(cause) !== "ERR_MODULE_NOT_FOUND") throw cause;
    return null;
  });
  if (built === null) return readFolder(sourceFolder());
  const json = brotliDecompressSync(Buffer.from(built.PAGES, "base64")).toString("utf8");
  return (JSON.parse(json) as [string, string][]).map(([name, text]) => ({ name, text }));
}

function sourceFolder(): string {
  const folder = fileURLToPath(new URL("../../../docs", import.meta.url));
  if (existsSync(folder)) return folder;
  throw new JobError("unavailable", "Cannot show the documentation: this program has none inside", {
    hint: "Build it with npm run build",
  });
}

/** The pages of a folder, sorted by name. */
export function readFolder(folder: string): DocsPage[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".md"))
    .map((path) => ({ path, name: path.replaceAll("\\", "/").slice(0, -".md".length) }))
    .sort((a, b) => a.name < b.name ? -1 : 1)
    .map(({ path, name }) => ({ name, text: readFileSync(join(folder, path), "utf8") }));
}

/**
 * The page of a name, such as `cli`, `cli.md`, `docs/howto/backup.md` or `backup`.
 *
 * @throws JobError `not_found` with the nearest name
 */
export function findPage(pages: readonly DocsPage[], given: string): DocsPage {
  const name = given.toLowerCase().replace(/^docs\//, "").replace(/\.md$/, "");
  const found = pages.find((page) => page.name === name) ??
    pages.find((page) => lastPart(page.name) === name);
  if (found !== undefined) return found;
  const near = sectionOn(pages, name) ?? nearest(name, pages.map((page) => page.name)) ??
    nearest(name, pages.map((page) => lastPart(page.name)));
  throw new JobError("not_found", `Cannot show page "${makeVisible(given)}": no such page`, {
    hint: near === null
      ? "jobctl docs lists the pages, jobctl docs --search WORD searches them"
      : `Did you mean "${near}"?`,
  });
}

/** The first section about a word, in the form of a link; undefined without one. */
function sectionOn(pages: readonly DocsPage[], word: string): string | undefined {
  const anchors = [word, `${word}s`, word.replace(/y$/, "ies")];
  for (const { name, text } of pages) {
    const found = headingsOf(text.split("\n")).find(({ anchor }) => anchors.includes(anchor));
    if (found !== undefined) return `${name}#${found.anchor}`;
  }
  return undefined;
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}

/** The error for a missing section of a page. */
export function noSection(page: DocsPage, given: string, anchors: readonly string[]): JobError {
  const message = `Cannot show section "${
    makeVisible(given)
  }" of page "${page.name}": no such section`;
  return new JobError("not_found", message, {
    hint: didYouMean(given, anchors) ?? `Sections: ${anchors.slice(0, 12).join(", ")}`,
  });
}

import { headingsOf, sectionOf } from "./markdown.ts";
import { type DocsPage, findPage, loadPages, noSection } from "./pages.ts";
import { renderMarkdown, type RenderOptions } from "./render.ts";

/** A page, or a section of it. */
export interface PagePart {
  /** The page, with the section as a link names it: `cli#exit-codes`. */
  readonly name: string;
  readonly lines: readonly string[];
}

/** The page or section of a name, as `cli` or `cli.md#exit-codes`. @throws JobError `not_found` */
export function readPart(pages: readonly DocsPage[], given: string): PagePart {
  const [name, anchor] = given.split("#", 2);
  const page = findPage(pages, name!);
  const lines = page.text.trimEnd().split("\n");
  if (anchor === undefined || anchor === "") return { name: page.name, lines };
  const section = sectionOf(lines, anchor.toLowerCase());
  if (section !== null) return { name: `${page.name}#${anchor.toLowerCase()}`, lines: section };
  throw noSection(page, anchor, headingsOf(lines).map((heading) => heading.anchor));
}

/** The lines of a page or section as a terminal shows them. */
export function pageLines(
  { name, lines }: PagePart,
  options: Omit<RenderOptions, "page">,
): string[] {
  return renderMarkdown(lines, { ...options, page: name.split("#", 1)[0]! });
}

/** A section of a page as plain text, for the help. @throws JobError `not_found` */
export async function sectionText(name: string, columns: number): Promise<string> {
  const lines = pageLines(readPart(await loadPages(), name), { columns, hasColor: false });
  return `${lines.join("\n")}\n`;
}

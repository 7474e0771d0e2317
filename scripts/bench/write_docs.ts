import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { JobError } from "../../src/core/errors.ts";

const PAGE = fileURLToPath(new URL("../../docs/performance.md", import.meta.url));

/**
 * Put `text` between the markers of `section` in docs/performance.md.
 *
 * @throws JobError `not_found` when the page has no such markers
 */
export function writeSection(section: string, text: string): void {
  writeFileSync(PAGE, withSection(readFileSync(PAGE, "utf8"), section, text));
}

/** `page` with `text` between the markers of `section`; see {@link writeSection}. */
export function withSection(page: string, section: string, text: string): string {
  const [begin, end] = [`<!-- bench ${section} -->`, `<!-- end of bench ${section} -->`];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) {
    throw new JobError(
      "not_found",
      `Cannot write the section "${section}": no "${begin}" … "${end}"`,
    );
  }
  return `${page.slice(0, from + begin.length)}\n\n${text.trim()}\n\n${page.slice(to)}`;
}

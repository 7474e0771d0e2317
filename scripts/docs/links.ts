import { posix } from "node:path";

const SOURCES = "https://github.com/ts-job/ts-job/blob/main";

/**
 * Where a link of a page leads on the site: files outside of docs/ are shown by GitHub.
 *
 * @param page path of the page below docs/, such as `howto/backup.md`
 */
export function siteLink(href: string, page: string): string {
  if (/^(?:[a-z]+:|#|\/)/.test(href)) return href;
  const path = posix.join("docs", posix.dirname(page), href);
  return path.startsWith("docs/") ? href : `${SOURCES}/${path}`;
}

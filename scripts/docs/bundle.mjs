// Puts the pages of docs/ into src/cli/docs/gen/docs_pages.mjs, from which `jobctl docs` shows
// them. Builds and packages run it.
import { join } from "node:path";
import { ROOT, run } from "../tasks.mjs";

/** Compress the pages into one module. */
export function bundlePages() {
  // Under the pinned Bun, whose zlib gives the same bytes everywhere.
  run("bun", [join(ROOT, "scripts", "docs", "bundle_pages.ts")]);
}

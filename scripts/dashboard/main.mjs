// Bundles src/dashboard into src/http/site/gen/dashboard_bundle.mjs, from which the daemon serves
// it. Run it with `npm run dashboard`; builds, packages and tests run it too. `npm run dashboard --
// measure --file PATH` measures it in a browser instead.
import { join } from "node:path";
import { isMain } from "../is_main.mjs";
import { install, ROOT, run } from "../tasks.mjs";

/** Packages whose code is in the dashboard. They are bundled, so the program does not import them. */
export const DASHBOARD_PACKAGES = ["@preact/signals", "@preact/signals-core", "preact"];

/** Bundle the dashboard. If it is too large, this process exits. */
export function bundleDashboard() {
  // Under the pinned Bun, whose zlib gives the same bytes everywhere.
  run("bun", [join(ROOT, "scripts", "dashboard", "bundle.mjs")]);
}

/** Paths of a file of each of {@link DASHBOARD_PACKAGES}, for notices and the SBOM. */
export function dashboardSources() {
  return DASHBOARD_PACKAGES.map((name) => join(ROOT, "node_modules", name, "package.json"));
}

if (isMain(import.meta.url)) {
  install();
  const [verb, ...options] = process.argv.slice(2);
  if (verb === "measure") {
    run("bun", [join(ROOT, "scripts", "dashboard", "measure.ts"), ...options]);
  } else bundleDashboard();
}

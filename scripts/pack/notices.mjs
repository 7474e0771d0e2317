// The licenses of the packages whose code is in a bundle.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { dashboardSources } from "../dashboard/main.mjs";
import { ROOT } from "../tasks.mjs";

/** Licenses that allow shipping the code with their text. */
const LICENSES = new Set([
  "0BSD",
  "Apache-2.0",
  "(Apache-2.0 AND BSD-3-Clause)",
  "BlueOak-1.0.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "ISC",
  "MIT",
  "MIT-0",
]);

/** The folder of a package, of a path in it. */
const PACKAGE = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/;

/**
 * The packages that some sources belong to, by name and version.
 *
 * @param sources absolute paths
 * @returns `{ name, version, license, folder }` of each, sorted
 */
export function packagesOf(sources) {
  const folders = new Set(sources.flatMap((path) => PACKAGE.exec(path)?.[0] ?? []));
  return [...folders].map((folder) => {
    const { name, version, license } = JSON.parse(
      readFileSync(join(folder, "package.json"), "utf8"),
    );
    return { name, version, license, folder };
  }).sort((a, b) => `${a.name}@${a.version}` < `${b.name}@${b.version}` ? -1 : 1);
}

/** All packages that the program may contain, from the lock file. */
export function lockedPackages() {
  const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
  const paths = Object.entries(packages)
    .filter(([path, { dev }]) => path !== "" && !dev)
    .map(([path]) => join(ROOT, path, "package.json"));
  return packagesOf([...paths, ...dashboardSources()]);
}

/**
 * The text of THIRD-PARTY-NOTICES: each package with its license.
 *
 * @param packages as {@link packagesOf} returns them
 * @throws Error for a license that is not in the list
 */
export function noticesOf(packages) {
  const parts = packages.map(({ name, version, license, folder }) => {
    if (!LICENSES.has(license)) {
      throw new Error(
        `Cannot bundle ${name}@${version}: its license is "${license}". Check that it allows to ` +
          "ship its code, then add it to scripts/pack/notices.mjs",
      );
    }
    const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice)/i.test(file)).sort();
    const texts = files.map((file) => readFileSync(join(folder, file), "utf8").trim());
    return [`${name} ${version} (${license})`, ...texts].join("\n\n").replaceAll("\r\n", "\n");
  });
  const line = `\n\n${"-".repeat(80)}\n\n`;
  return `This package contains code of the following packages.${line}${parts.join(line)}\n`;
}

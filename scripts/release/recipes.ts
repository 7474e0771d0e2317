// Recipes of other package managers for a release: the templates in contrib, with version and sums.
import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { sourceFiles } from "./source_files.ts";

const CONTRIB = fileURLToPath(new URL("../../contrib/", import.meta.url));
/** Folders of contrib that hold templates. */
const FOLDERS = ["alpine", "ansible", "arch", "homebrew", "nix"];
const ARCHIVE = /^jobctl-.*-(?<target>(?:linux|darwin)-\w+(?:-musl)?)\.tar\.(?<kind>gz|zst)$/;

/** What a recipe takes from package.json. */
export interface RecipeFacts {
  readonly version: string;
  readonly description: string;
  readonly homepage: string;
  readonly license: string;
}

/** A file of `recipes/`. */
export interface Recipe {
  readonly path: string;
  readonly text: string;
  readonly mode: number;
}

/**
 * The recipes, each below the name of its folder in contrib.
 *
 * @param archives of the release, by name; recipes for which one is missing are left out
 * @throws Error if a template has a word that is not known
 */
export function recipesFor(
  facts: RecipeFacts,
  archives: ReadonlyMap<string, Uint8Array>,
): readonly Recipe[] {
  const values = new Map(Object.entries({
    VERSION: facts.version,
    // Neither pacman nor apk allows a hyphen: 1.0.0-rc.1 is 1.0.0_rc1.
    PKGVER: facts.version.replace(/-([a-z]+)\.?/, "_$1"),
    DESCRIPTION: facts.description,
    HOMEPAGE: facts.homepage,
    LICENSE: facts.license,
  }));
  for (const [name, bytes] of archives) {
    const { target, kind } = ARCHIVE.exec(name)?.groups ?? {};
    if (target === undefined) continue;
    const suffix = target.toUpperCase().replaceAll("-", "_") + (kind === "zst" ? "_ZST" : "");
    for (const algorithm of ["sha256", "sha512"]) {
      const sum = createHash(algorithm).update(bytes).digest("hex");
      values.set(`${algorithm.toUpperCase()}_${suffix}`, sum);
    }
  }
  return FOLDERS.flatMap((folder) => {
    const files = sourceFiles(join(CONTRIB, folder), folder).map(({ path, bytes, mode }) => ({
      path,
      mode,
      text: bytes.toString("utf8").replace(/@([A-Z][A-Z0-9_]+)@/g, (whole, word: string) => {
        if (!/^SHA\d+_/.test(word) && !values.has(word)) {
          throw new Error(`contrib/${path} has the unknown word ${whole}`);
        }
        return values.get(word) ?? whole;
      }),
    }));
    return files.some(({ text }) => /@SHA\d+_/.test(text)) ? [] : files;
  });
}

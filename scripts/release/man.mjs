// Writes the man pages and completions: bun scripts/release/man.mjs [FOLDER]. Without a folder, into
// dist/man and dist/completions.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { sourceFacts } from "../facts.mjs";
import { projectManifest } from "../pack/manifest.mjs";
import { ROOT } from "../tasks.mjs";
import { generatedFiles } from "./generated.ts";

const folder = resolve(process.argv[2] ?? join(ROOT, "dist"));
const { version } = projectManifest();
const { committedAt } = sourceFacts();
const files = generatedFiles({ version, atMs: committedAt ?? 0 });
// Remove files of an older version.
for (const name of ["man", "completions"]) {
  rmSync(join(folder, name), { recursive: true, force: true });
}
for (const [path, text] of files) {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
console.error(`${files.size} files in ${folder}`);

// Content of the archives beside the program. A new file for users gets a line here.
import { join } from "node:path";
import { ROOT } from "../tasks.mjs";
import { sourceFiles } from "./source_files.ts";

/** Files and folders of the source, their places in the archive, and their systems. */
const CONTENTS = [
  { from: "LICENSE" },
  { from: "README.md" },
  { from: "CHANGELOG.md" },
  { from: "config.example.toml" },
  { from: "contrib/systemd", to: "systemd", system: "linux" },
  { from: "contrib/openrc", to: "openrc", system: "linux" },
  { from: "contrib/launchd", to: "launchd", system: "darwin" },
];

/** True for the completions of shells that Windows has. */
function isForWindows(path) {
  return /^completions\/.*\.(?:ps1|nu)$/.test(path);
}

/**
 * The files for a target, without the program: `{ path, bytes, mode }`, sorted by path.
 *
 * @param generated man pages and completions, as `generatedFiles` of generated.ts returns them
 */
export function contentsFor({ name }, generated) {
  const made = [...generated].map(([path, text]) => ({
    ...{ path, bytes: Buffer.from(text), mode: 0o644 },
  }));
  const isHere = ({ system }) => system === undefined || name.startsWith(`${system}-`);
  return CONTENTS.filter(isHere).flatMap(({ from, to = from }) => sourceFiles(join(ROOT, from), to))
    .concat(name.startsWith("windows-") ? made.filter(({ path }) => isForWindows(path)) : made)
    .sort((a, b) => a.path < b.path ? -1 : 1);
}

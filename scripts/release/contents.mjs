// What is in the archives beside the program. A new file for users gets a line here.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../tasks.mjs";

/** Files and folders of the source, where they are in the archive, and on which systems. */
const CONTENTS = [
  { from: "LICENSE" },
  { from: "README.md" },
  { from: "CHANGELOG.md" },
  { from: "config.example.toml" },
  { from: "contrib/systemd", to: "systemd", system: "linux" },
  { from: "contrib/openrc", to: "openrc", system: "linux" },
  { from: "contrib/launchd", to: "launchd", system: "darwin" },
];

/**
 * The files for a target, without the program: `{ path, bytes, mode }`, sorted by path. What the
 * source does not have is left out.
 *
 * @param generated man pages and completions, as `generatedFiles` of generated.ts returns them
 */
export function contentsFor({ name }, generated) {
  const made = [...generated].map(([path, text]) => ({
    ...{ path, bytes: Buffer.from(text), mode: 0o644 },
  }));
  const isHere = ({ system }) => system === undefined || name.startsWith(`${system}-`);
  return CONTENTS.filter(isHere).flatMap(({ from, to = from }) => filesIn(join(ROOT, from), to))
    .concat(name.startsWith("windows-") ? [] : made)
    .sort((a, b) => a.path < b.path ? -1 : 1);
}

function filesIn(from, to) {
  if (!existsSync(from)) return [];
  if (statSync(from).isFile()) {
    // The mode in the working tree depends on the umask; git only keeps whether it is executable.
    const mode = statSync(from).mode & 0o100 ? 0o755 : 0o644;
    return [{ path: to, bytes: readFileSync(from), mode }];
  }
  return readdirSync(from).flatMap((name) => filesIn(join(from, name), `${to}/${name}`));
}

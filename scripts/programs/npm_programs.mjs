// Programs from npm that tests run: Node versions for the library, and nushell. Plain Node 20.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, succeeds } from "../tasks.mjs";
import { NODES, NUSHELL } from "./list.mjs";

const HOME = join(ROOT, "dist", "programs");

/** Path of the program of one of {@link NODES}. */
export function nodeProgram(major) {
  return join(HOME, "node_modules", `node${major}`, "bin", "node");
}

/** Path of nushell's program; null on a machine without an npm package of it. */
export function nushellProgram() {
  const { platform, arch } = process;
  if (platform !== "linux" || (arch !== "x64" && arch !== "arm64")) return null;
  return join(HOME, "node_modules", "@nushell", `linux-${arch}`, "bin", "nu");
}

/** The package that `node` would install for this system, with one more npm for each version. */
function nodePackage(version) {
  const { platform, arch } = process;
  const prefix = platform === "darwin" && arch === "arm64" ? "node-bin" : "node";
  return `npm:${prefix}-${platform === "win32" ? "win" : platform}-${arch}@${version}`;
}

function hasVersion([major, version]) {
  const path = join(HOME, "node_modules", `node${major}`, "package.json");
  return JSON.parse(readFileSync(path, "utf8")).version === version;
}

/**
 * Install missing programs below dist/.
 *
 * @returns a message with the problem and its remedy; null if all are installed
 */
export async function installNpmPrograms() {
  const paths = [...Object.keys(NODES).map(nodeProgram), nushellProgram()];
  const isThere = (path) => path === null || existsSync(path);
  if (paths.every(isThere) && Object.entries(NODES).every(hasVersion)) return null;
  mkdirSync(HOME, { recursive: true });
  writeFileSync(join(HOME, "package.json"), "{}\n");
  const packages = [
    ...Object.entries(NODES).map(([major, version]) => `node${major}@${nodePackage(version)}`),
    ...nushellProgram() === null ? [] : [`@nushell/linux-${process.arch}@${NUSHELL}`],
  ];
  const args = ["add", "--silent", `--cwd=${HOME}`, ...packages];
  // Bun unpacks them in a fifth of the processor time of npm.
  if (await succeeds("bun", args, { stdio: ["ignore", 2, 2] })) return null;
  return `Cannot install ${packages.join(" and ")}: bun failed, see above. ` +
    `Run: bun ${args.join(" ")}`;
}

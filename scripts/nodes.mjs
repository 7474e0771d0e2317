// The Node versions that the library is tested on, installed from npm. Runs on plain Node 20.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, succeeds } from "./tasks.mjs";

/** By major version: the oldest that the packed library supports, and the newest. */
export const NODES = { 22: "22.18.0", 24: "24.21.0" };

const HOME = join(ROOT, "dist", "nodes");

/** Path of the program of one of {@link NODES}. */
export function nodeProgram(major) {
  return join(HOME, "node_modules", `node${major}`, "bin", "node");
}

/** What the package `node` would install for this system, with one more npm for each version. */
function packageOf(version) {
  const { platform, arch } = process;
  const prefix = platform === "darwin" && arch === "arm64" ? "node-bin" : "node";
  return `npm:${prefix}-${platform === "win32" ? "win" : platform}-${arch}@${version}`;
}

/**
 * Install missing versions below dist/.
 *
 * @returns a message with the problem and its remedy; null if all are installed
 */
export async function installNodes() {
  if (Object.keys(NODES).every((major) => existsSync(nodeProgram(major)))) return null;
  mkdirSync(HOME, { recursive: true });
  writeFileSync(join(HOME, "package.json"), "{}\n");
  const packages = Object.entries(NODES).map(([major, version]) =>
    `node${major}@${packageOf(version)}`
  );
  const args = ["add", "--silent", `--cwd=${HOME}`, ...packages];
  // Bun unpacks them in a fifth of the processor time of npm.
  if (await succeeds("bun", args, { stdio: ["ignore", 2, 2] })) return null;
  return `Cannot install Node ${Object.values(NODES).join(" and ")}: bun failed, see above. ` +
    `Run: bun ${args.join(" ")}`;
}

// The Node versions that the library is tested on, installed from npm. Runs on plain Node 20.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { environment, ROOT } from "./tasks.mjs";

/** By major version: the oldest that the packed library supports, and the newest. */
export const NODES = { 22: "22.18.0", 24: "24.21.0" };

/** Path of the program of one of {@link NODES}. */
export function nodeProgram(major) {
  return join(ROOT, "dist", `node${major}`, "node_modules", "node", "bin", "node");
}

/**
 * Install missing versions below dist/.
 *
 * @returns a message with the problem and its remedy; null if all are installed
 */
export function installNodes() {
  for (const [major, version] of Object.entries(NODES)) {
    if (existsSync(nodeProgram(major))) continue;
    const home = join(ROOT, "dist", `node${major}`);
    const flags = ["--no-fund", "--no-audit", "--no-save", "--loglevel=error"];
    const args = ["install", `--prefix=${home}`, ...flags, `node@${version}`];
    const { status } = spawnSync("npm", args, {
      env: environment(),
      stdio: ["ignore", 2, 2],
    });
    if (status === 0) continue;
    return `Cannot install node@${version}: npm failed, see above. Run: npm ${args.join(" ")}`;
  }
  return null;
}

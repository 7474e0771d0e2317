// The Node versions that the library is tested on, installed from npm. Runs on plain Node 20.
import { spawn } from "node:child_process";
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
 * Install missing versions below dist/, both at once.
 *
 * @returns a message with the problem and its remedy; null if all are installed
 */
export async function installNodes() {
  const troubles = await Promise.all(Object.entries(NODES).map(installNode));
  return troubles.find((trouble) => trouble !== null) ?? null;
}

async function installNode([major, version]) {
  if (existsSync(nodeProgram(major))) return null;
  const home = join(ROOT, "dist", `node${major}`);
  const flags = ["--no-fund", "--no-audit", "--no-save", "--loglevel=error"];
  const args = ["install", `--prefix=${home}`, ...flags, `node@${version}`];
  const npm = spawn("npm", args, { env: environment(), stdio: ["ignore", 2, 2] });
  const status = await new Promise((resolve) => {
    npm.on("error", () => resolve(1)).on("close", resolve);
  });
  if (status === 0) return null;
  return `Cannot install node@${version}: npm failed, see above. Run: npm ${args.join(" ")}`;
}

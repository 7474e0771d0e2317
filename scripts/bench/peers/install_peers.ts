import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { arch, homedir, platform } from "node:os";
import { join } from "node:path";
import { JobError } from "../../../src/core/errors.ts";

/** Node.js as npm carries it: the newest with long support, as some peers want more than 20. */
const NODE_VERSION = "24.21.0";

/** Where the peers are, and what they run on. */
export interface InstalledPeers {
  readonly dir: string;
  readonly node: string;
  readonly nodeVersion: string;
  /** Version by package. */
  readonly versions: Readonly<Record<string, string>>;
}

/**
 * The packages of packages.json in a folder of the user's cache. The first call installs them by
 * npm.
 *
 * @throws JobError `unavailable` when npm cannot
 */
export function installPeers(): InstalledPeers {
  const versions = JSON.parse(readFileSync(new URL("./packages.json", import.meta.url), "utf8"));
  const nodePackage = `node-${platform()}-${arch()}`;
  const dependencies = { ...versions, [nodePackage]: NODE_VERSION };
  const manifest = JSON.stringify({ private: true, dependencies }, null, 2);
  const name = createHash("sha256").update(manifest).digest("hex").slice(0, 12);
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  const dir = join(cache, "ts-job", `peers-${name}`);
  if (!existsSync(dir)) installInto(dir, manifest);
  const node = join(dir, "node_modules", nodePackage, "bin", "node");
  return { dir, node, nodeVersion: NODE_VERSION, versions };
}

// Installed beside its place and moved there: an interrupted one leaves nothing that looks whole.
function installInto(dir: string, manifest: string): void {
  const part = `${dir}.${process.pid}`;
  mkdirSync(part, { recursive: true });
  writeFileSync(join(part, "package.json"), manifest);
  console.error(`Installing the peers into ${dir}`);
  const args = ["install", "--no-audit", "--no-fund", "--loglevel=error"];
  const { status, error } = spawnSync("npm", args, { cwd: part, stdio: ["ignore", 2, 2] });
  if (status === 0) return renameSync(part, dir);
  rmSync(part, { recursive: true, force: true });
  const why = error ? error.message : `npm ended with ${status}, see above`;
  throw new JobError("unavailable", `Cannot install the peers of packages.json: ${why}`, {
    hint: "It needs the npm registry; the scenarios of our own run without it",
  });
}

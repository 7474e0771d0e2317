import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const VERSION = "0.115.1";
const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const HOME = join(ROOT, "dist", `nushell-${VERSION}`);

/**
 * Path of nushell's program, which Debian does not have: it is installed from npm below dist/.
 *
 * @returns null on a machine for which npm has none
 */
export function nushellProgram(): string | null {
  const { platform, arch } = process;
  if (platform !== "linux" || (arch !== "x64" && arch !== "arm64")) return null;
  const program = join(HOME, "node_modules", "@nushell", `linux-${arch}`, "bin", "nu");
  if (existsSync(program)) return program;
  const flags = ["--no-fund", "--no-audit", "--no-save", "--loglevel=error"];
  const args = ["install", `--prefix=${HOME}`, ...flags, `nushell@${VERSION}`];
  const { status, stderr } = spawnSync("npm", args, { encoding: "utf8" });
  if (status === 0 && existsSync(program)) return program;
  throw new Error(`Cannot install nushell: npm ${args.join(" ")}\n${stderr}`);
}

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const CACHE = fileURLToPath(new URL("../../../node_modules/.cache/packages", import.meta.url));
const APT_MS_MAX = 120_000;

function run(command: string, args: readonly string[], cwd?: string): boolean {
  const { status } = spawnSync(command, args, { cwd, stdio: "ignore", timeout: APT_MS_MAX });
  return status === 0;
}

/**
 * Download and unpack a package of Debian, once, without installing it. Returns its folder.
 *
 * @throws Error when apt-get has none
 */
export function unpackPackage(name: string): string {
  const folder = join(CACHE, name);
  if (existsSync(join(folder, "usr"))) return folder;
  const download = join(CACHE, `${name}.download`);
  rmSync(download, { recursive: true, force: true });
  mkdirSync(download, { recursive: true });
  const get = () => run("apt-get", ["download", "-qq", name], download);
  if (!get() && !(run("apt-get", ["update", "-qq"]) && get())) {
    throw new Error(`Cannot download ${name}: run apt-get update, then apt-get download ${name}`);
  }
  const [file] = readdirSync(download).filter((one) => one.endsWith(".deb"));
  if (!run("dpkg-deb", ["-x", join(download, file!), folder])) {
    throw new Error(`Cannot unpack ${file}`);
  }
  rmSync(download, { recursive: true });
  return folder;
}

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Dialect } from "../../../src/tools/import/dialect.ts";

/** The daemons of Debian that imported jobs are compared with. */
export type CronName = Exclude<Dialect, "supercronic">;

// They cannot be installed beside each other, so their packages are only unpacked.
const PACKAGES: Readonly<Record<CronName, string>> = {
  debian: "cron",
  cronie: "cronie",
  busybox: "busybox",
};
const CACHE = fileURLToPath(new URL("../../../node_modules/.cache/crons", import.meta.url));
const APT_MS_MAX = 120_000;

function run(command: string, args: readonly string[], cwd?: string): boolean {
  const { status } = spawnSync(command, args, { cwd, stdio: "ignore", timeout: APT_MS_MAX });
  return status === 0;
}

/** Folder of a daemon's unpacked package. */
export function packageFolder(name: CronName): string {
  return join(CACHE, PACKAGES[name]);
}

/** Why daemons cannot be run in worlds of their own on this host; null when they can. */
export function whyNoCrons(): string | null {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "not root on Linux";
  if (!existsSync("/usr/bin/apt-get")) return "there is no apt-get";
  return run("unshare", ["-m", "-p", "--fork", "true"]) ? null : "unshare is not permitted";
}

/**
 * Download and unpack the package of a daemon, once.
 *
 * @throws Error when apt-get has none
 */
export function unpackCron(name: CronName): string {
  const folder = packageFolder(name);
  if (existsSync(join(folder, "usr"))) return folder;
  const download = join(CACHE, `${PACKAGES[name]}.download`);
  rmSync(download, { recursive: true, force: true });
  mkdirSync(download, { recursive: true });
  const get = () => run("apt-get", ["download", "-qq", PACKAGES[name]], download);
  if (!get() && !(run("apt-get", ["update", "-qq"]) && get())) {
    throw new Error(`Cannot download ${PACKAGES[name]}: run apt-get update, then apt-get download`);
  }
  const [file] = readdirSync(download).filter((one) => one.endsWith(".deb"));
  if (!run("dpkg-deb", ["-x", join(download, file!), folder])) {
    throw new Error(`Cannot unpack ${file}`);
  }
  rmSync(download, { recursive: true });
  return folder;
}

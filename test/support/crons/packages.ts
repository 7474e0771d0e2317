import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";
import { unpackedFolder } from "../../../scripts/programs/install.mjs";
import type { Dialect } from "../../../src/tools/import/dialect.ts";

/** The daemons of Debian that imported jobs are compared with. */
export type CronName = Exclude<Dialect, "supercronic">;

// They cannot be installed beside each other, so their packages are only unpacked.
const PACKAGES: Readonly<Record<CronName, string>> = {
  debian: "cron",
  cronie: "cronie",
  busybox: "busybox",
};

/** Why daemons cannot be run in worlds of their own on this host; null when they can. */
export function whyNoCrons(): string | null {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "not root on Linux";
  if (!existsSync("/usr/bin/apt-get")) return "there is no apt-get";
  const { status } = spawnSync("unshare", ["-m", "-p", "--fork", "true"], { stdio: "ignore" });
  return status === 0 ? null : "unshare is not permitted";
}

/** Folder with the unpacked package of a daemon. */
export function unpackCron(name: CronName): string {
  return unpackedFolder(PACKAGES[name]);
}

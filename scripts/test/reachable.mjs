// Some tests run as another user, who has to reach this folder: a clone in root's home is
// unreachable. Plain Node 20.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmdirSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { ROOT } from "../tasks.mjs";

/** True if every user may go through a folder. */
const isOpen = (folder) => (statSync(folder).mode & 0o001) !== 0;

/** True if every user may go through a folder and all folders above it. */
function isReachable(folder) {
  return isOpen(folder) && (dirname(folder) === folder || isReachable(dirname(folder)));
}

const MOUNT = 'mount --bind "$1" "$2" && cd "$2" && shift 2 && exec "$@"';

/**
 * Run this program again where other users reach the project's folder: mounted in a temporary
 * folder, for that process alone.
 *
 * @returns its exit code; null if unnecessary, impossible, or not root
 */
export function runReachable(script) {
  if (process.platform !== "linux" || process.getuid() !== 0 || isReachable(ROOT)) return null;
  const folder = mkdtempSync(join(tmpdir(), "jobctl-project-"));
  try {
    const inNamespace = ["--mount", "sh", "-ec"];
    const tried = spawnSync("unshare", [...inNamespace, 'mount --bind "$0" "$0"', folder]);
    if (tried.status !== 0 || !isOpen(ROOT)) {
      console.error(
        `Tests that run as another user fail: others cannot reach ${ROOT}. Move it, such as to /srv`,
      );
      return null;
    }
    const command = [process.execPath, relative(ROOT, script), ...process.argv.slice(2)];
    const mounted = [...inNamespace, MOUNT, "mount", ROOT, folder, ...command];
    return spawnSync("unshare", mounted, { stdio: "inherit" }).status ?? 1;
  } finally {
    rmdirSync(folder);
  }
}

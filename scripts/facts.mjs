// Facts of a build about its source: the commit and its time. Plain Node 20.
import { spawnSync } from "node:child_process";
import { ROOT } from "./tasks.mjs";

function git(...args) {
  const { status, stdout } = spawnSync("git", args, { cwd: ROOT, encoding: "utf8" });
  return status === 0 ? stdout.trim() : null;
}

/**
 * The commit of the source and its time, which replaces the time of the build everywhere:
 * `SOURCE_DATE_EPOCH` replaces it.
 *
 * @returns `commit` and `committedAt` (epoch milliseconds) are null outside of a repository
 */
export function sourceFacts() {
  const commit = git("rev-parse", "HEAD");
  const seconds = process.env.SOURCE_DATE_EPOCH || (commit && git("show", "-s", "--format=%ct"));
  return {
    commit,
    isChanged: commit !== null && git("status", "--porcelain") !== "",
    committedAt: seconds ? Number(seconds) * 1_000 : null,
  };
}

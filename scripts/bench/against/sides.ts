import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
} from "node:fs";
import { join } from "node:path";
import { JobError } from "../../../src/core/errors.ts";
import type { Programs } from "./programs.ts";

/** Some older ones stay for the next comparison: each takes 200 MB. */
const KEPT_MAX = 4;
/** With npm's installation, which a commit with other dependencies needs. */
const BUILD_MS_MAX = 600_000;

/** A built source in a folder of its own. */
export interface Side {
  /** For people: the beginning of the commit, or "now". */
  readonly label: string;
  readonly dir: string;
}

/** Both sides of a comparison. */
export interface Sides {
  readonly before: Side;
  readonly now: Side;
}

/**
 * Build a commit and the working tree, each in a folder below `dist/against` that is named after
 * its content and used again. The working tree may change while they are measured.
 *
 * @param root the top folder of the repository
 * @throws JobError `not_found` for an unknown commit, `unavailable` if it cannot be built
 */
export async function buildSides(root: string, name: string, programs: Programs): Promise<Sides> {
  const commit = git(
    root,
    "rev-parse",
    "--verify",
    "--quiet",
    "--end-of-options",
    `${name}^{commit}`,
  );
  if (commit === null) {
    throw new JobError("not_found", `Cannot compare with "${name}": git knows no such commit`);
  }
  // A commit of what has changed, on no branch; empty without changes.
  const author = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"];
  const changed = git(root, ...author, "stash", "create") || "HEAD";
  for (const note of notesOf(root, commit, changed)) console.error(`Note: ${note}`);
  const before = { label: commit.slice(0, 8), dir: await build(root, commit, programs) };
  const now = { label: "now", dir: await build(root, changed, programs) };
  removeOld(join(root, "dist", "against"), [before.dir, now.dir]);
  return { before, now };
}

function notesOf(root: string, commit: string, changed: string): readonly string[] {
  const untracked = lines(git(root, "ls-files", "--others", "--exclude-standard"));
  const other = lines(git(root, "diff", "--name-only", commit, changed, "--", "scripts/bench"));
  return [
    ...untracked.length === 0 ? [] : [
      `${untracked.length} new files are left out until git add names them, such as ${
        untracked[0]
      }`,
    ],
    ...other.length === 0 ? [] : [
      `each side measures with its own code, and ${other.length} files of scripts/bench differ: ` +
      "a figure may have changed its meaning",
    ],
  ];
}

async function build(root: string, commit: string, programs: Programs): Promise<string> {
  const tree = git(root, "rev-parse", `${commit}^{tree}`)!;
  const dir = join(root, "dist", "against", tree.slice(0, 12));
  if (existsSync(dir)) {
    utimesSync(dir, new Date(), new Date());
    return dir;
  }
  // An interrupted build leaves nothing that looks whole.
  const part = `${dir}.${process.pid}`;
  mkdirSync(part, { recursive: true });
  try {
    const limits = { cwd: part, limitMs: BUILD_MS_MAX };
    const sha = git(root, "rev-parse", commit)!;
    await programs.run("git", ["clone", "--quiet", "--shared", "--no-checkout", root, "."], limits);
    await programs.run("git", ["checkout", "--quiet", "--detach", sha], limits);
    const [own, theirs] = [root, part].map((each) => join(each, "package-lock.json"));
    if (readFileSync(own!).equals(readFileSync(theirs!))) {
      symlinkSync(join("..", "..", "..", "node_modules"), join(part, "node_modules"));
    }
    console.error(`Building ${sha.slice(0, 8)} in ${dir}`);
    await programs.run("node", ["scripts/build.mjs"], limits);
    renameSync(part, dir);
    return dir;
  } finally {
    rmSync(part, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Remove the builds that were used longest ago. */
function removeOld(folder: string, used: readonly string[]): void {
  const others = readdirSync(folder).map((name) => join(folder, name))
    .filter((dir) => /^[0-9a-f]{12}$/.test(dir.slice(folder.length + 1)) && !used.includes(dir))
    .map((dir) => ({ dir, usedMs: statSync(dir).mtimeMs }))
    .sort((a, b) => b.usedMs - a.usedMs);
  for (const { dir } of others.slice(KEPT_MAX)) rmSync(dir, { recursive: true, force: true });
}

/** What git prints; null if it fails. */
function git(root: string, ...args: readonly string[]): string | null {
  const { status, stdout } = spawnSync("git", [...args], { cwd: root, encoding: "utf8" });
  return status === 0 ? stdout.trim() : null;
}

function lines(text: string | null): readonly string[] {
  return (text ?? "").split("\n").filter((line) => line !== "");
}

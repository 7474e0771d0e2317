// Finds the test files that depend on changes since a git commit. Plain Node 20.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { textModules } from "../generate/texts.mjs";
import { ROOT } from "../tasks.mjs";
import { OF_ALL_SOURCES } from "./plan.mjs";

/** Files whose change concerns every test. */
const CONCERNS_ALL = [
  "deno.json",
  "package.json",
  "package-lock.json",
  "scripts/tasks.mjs",
  "scripts/test.mjs",
  "scripts/test",
];

/** Folders with files that tests import, run or read. */
const SOURCES = ["src", "test", "scripts", "examples", "jobs"];

/** The file that the build makes depends on the files that it reads. */
const BUILT = "dist/jobctl";
const BUILD = "scripts/build.mjs";

function git(...args) {
  const { status, stdout, stderr } = spawnSync("git", args, { cwd: ROOT, encoding: "utf8" });
  return status === 0 ? stdout.trim() : { error: stderr.trim() };
}

/**
 * The commit from which changes are counted: the branch's origin in origin/main, without a remote
 * in main, and on main itself the commit before the last.
 */
function defaultBase() {
  for (const main of ["origin/main", "main"]) {
    const base = git("merge-base", main, "HEAD");
    if (typeof base === "string" && (main === "origin/main" || base !== git("rev-parse", "HEAD"))) {
      return base;
    }
  }
  return "HEAD~1";
}

/**
 * Paths that differ between a commit and the working tree, new files included.
 *
 * @param base a commit; {@link defaultBase} if undefined
 * @returns the paths, or an object with the error if git does not know the commit
 */
export function changedPaths(base = defaultBase()) {
  const differing = git("diff", "--name-only", "--no-renames", base, "--");
  if (typeof differing !== "string") {
    return { error: `Cannot compare with "${base}": ${differing.error}` };
  }
  const untracked = git("ls-files", "--others", "--exclude-standard");
  const paths = [...differing.split("\n"), ...untracked.split("\n")].filter((path) => path !== "");
  // Including the modules made from them, which are not in git.
  return [...new Set(paths.flatMap((path) => [path, ...textModules(path)]))];
}

/**
 * The paths in a source file's strings: imports, and the pages, fixtures, programs and folders that
 * it reads or runs. It errs on the side of too many.
 */
function namedPaths(file, packages) {
  const text = readFileSync(join(ROOT, file), "utf8")
    .replace(/^\s*(?:\/\/|\/?\*).*$/gm, "")
    .replace(/^(?:import|export) type [^;]*;$/gm, "");
  const named = new Set();
  for (
    const [, before, string] of text.matchAll(
      /(ROOT, |)["`]((?:\.{1,2}\/)*\w[\w./@-]{1,200})["`$]/g,
    )
  ) {
    // A plain word is rarely the name of a folder.
    if (before === "" && !/[./]/.test(string) && !packages.has(string)) continue;
    const path = string.startsWith(".")
      ? posix.join(dirname(file), string)
      : packages.get(string) ?? string;
    named.add(posix.normalize(path).replace(/\/$/, ""));
  }
  return named;
}

/** For each source file, the existing files and folders that it names. */
function dependencies() {
  const { imports } = JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8"));
  const files = SOURCES.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true }).map((name) => `${folder}/${name}`)
  ).filter((name) => /\.(?:ts|m?js|mts)$/.test(name));
  const exists = (path) =>
    path === BUILT ||
    (!path.startsWith("..") && path !== "." &&
      statSync(join(ROOT, path), { throwIfNoEntry: false }));
  const packages = new Map(Object.entries(imports));
  const graph = new Map(
    files.map((file) => [file, [...namedPaths(file, packages)].filter(exists)]),
  );
  graph.set(BUILT, [BUILD]);
  return graph;
}

/** Everything that a file depends on, including itself. */
function reachable(file, graph) {
  const seen = new Set([file]);
  for (const one of seen) for (const next of graph.get(one) ?? []) seen.add(next);
  return seen;
}

/** The test files among `files` that depend on one of the changed paths. */
export function filesConcerned(files, changed) {
  const isOf = (path, folder) => path === folder || path.startsWith(`${folder}/`);
  if (changed.some((path) => CONCERNS_ALL.some((one) => isOf(path, one)))) return files;
  const graph = dependencies();
  return files.filter((file) => {
    const reached = [...reachable(file, graph)];
    return (changed.length > 0 && OF_ALL_SOURCES.includes(file)) ||
      changed.some((path) => reached.some((one) => isOf(path, one)));
  });
}

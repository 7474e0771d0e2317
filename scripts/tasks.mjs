// Shared by the scripts: run a tool of node_modules/.bin, install missing packages. Plain Node 20.
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeTexts } from "./generate/texts.mjs";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/**
 * Run a command in the project's folder with node_modules/.bin on the PATH. If it fails, this
 * process exits.
 */
export function run(command, args, options = {}) {
  const result = tryRun(command, args, options);
  if (result.status !== 0) process.exit(result.status ?? 1);
}

/** Of the key that signs a release. Scripts of npm packages run during an installation. */
const SIGNING = ["JOBCTL_SIGNING_KEY_FILE", "JOBCTL_SIGNING_PASSWORD"];

/**
 * The environment of a command: this process's own, with node_modules/.bin on the PATH, but without
 * {@link signingEnvironment}.
 */
export function environment(additions = {}) {
  const path = join(ROOT, "node_modules", ".bin") + delimiter + process.env.PATH;
  const own = Object.entries(process.env).filter(([name]) => !SIGNING.includes(name));
  return { ...Object.fromEntries(own), PATH: path, NO_UPDATE_NOTIFIER: "1", ...additions };
}

/** Variables only for the commands that sign a release. */
export function signingEnvironment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => SIGNING.includes(name)));
}

/** Like {@link run}, but returns the outcome. */
export function tryRun(command, args, options = {}) {
  const env = environment(options.env);
  const result = spawnSync(command, args, { cwd: ROOT, stdio: "inherit", ...options, env });
  if (result.error) console.error(`Cannot run "${command}": ${result.error.message}`);
  return result;
}

/** Run a command like {@link tryRun} does, beside others. @returns true if it exits with 0 */
export async function succeeds(command, args, options = {}) {
  const env = environment(options.env);
  const child = spawn(command, args, { cwd: ROOT, stdio: "inherit", ...options, env });
  child.on("error", (error) => console.error(`Cannot run "${command}": ${error.message}`));
  return await new Promise((resolve) => {
    child.on("error", () => resolve(false)).on("close", (code) => resolve(code === 0));
  });
}

/**
 * The packages of a lock file with their versions; null if unreadable. npm writes the one in
 * node_modules last, when all packages are there.
 */
function lockedPackages(path) {
  try {
    return JSON.parse(readFileSync(join(ROOT, path), "utf8")).packages;
  } catch {
    return null;
  }
}

/** True if every package that this system needs has the version of the lock file. */
function isInstalled() {
  const installed = lockedPackages("node_modules/.package-lock.json");
  if (installed === null) return false;
  return Object.entries(lockedPackages("package-lock.json")).every((
    [path, { version, optional }],
  ) => path === "" || (optional && !installed[path]) || installed[path]?.version === version);
}

function npm(...args) {
  run("npm", [...args, "--ignore-scripts=false", "--loglevel=error"], { stdio: ["ignore", 2, 2] });
}

/** Write the modules with the texts of files, and install the locked dependencies if need be. */
export function install() {
  writeTexts();
  if (!isInstalled()) {
    console.error("Installing the packages of package-lock.json");
    npm("ci", "--include=dev", "--no-fund", "--no-audit");
  }
  // Without its own installation it is a text about that.
  const { status } = spawnSync(join(ROOT, "node_modules", ".bin", "bun"), ["--version"]);
  if (status !== 0) npm("rebuild");
}

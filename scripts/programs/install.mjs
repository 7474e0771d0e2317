// Installs and finds the programs of list.mjs. Plain Node 20.
import { spawn, spawnSync } from "node:child_process";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";
import { GROUPS, UNPACKED } from "./list.mjs";

const CACHE = fileURLToPath(new URL("../../dist/packages", import.meta.url));
const APT = "/usr/bin/apt-get";
const DOWNLOAD_MS_MAX = 180_000;
const APT_BYTES_MAX = 64_000_000;
/** Shown part of the output of a failed apt-get, in characters. */
const APT_CHARS_SHOWN = 4_000;
/** Folders of programs that an ordinary user's PATH may lack. */
const SYSTEM_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * Path of a program on the PATH or in a folder of the system, or of a file; the first existing one
 * of alternatives separated by "|". Null if missing.
 */
function find(words) {
  if (words.includes("|")) return words.split("|").map(find).find((path) => path !== null) ?? null;
  const name = words;
  if (isAbsolute(name)) return existsSync(name) ? name : null;
  const folders = [...(process.env.PATH ?? "").split(delimiter), ...SYSTEM_FOLDERS];
  return folders.filter(isAbsolute).map((folder) => join(folder, name)).find(isProgram) ?? null;
}

const hasApt = () => isProgram(APT);
const canInstall = () => hasApt() && process.getuid?.() === 0;

/** The package of a program. @throws Error if the program is not in list.mjs */
function packageOf(program) {
  for (const packages of Object.values(GROUPS)) {
    for (const [name, words] of Object.entries(packages)) {
      if (words.includes(program)) return name;
    }
  }
  throw new Error(`Cannot find program "${program}": add it to scripts/programs/list.mjs`);
}

/**
 * Absolute path of a program of list.mjs, as written there.
 *
 * @throws Error if it is unlisted, or not on this machine, with the remedy
 */
export function programPath(program) {
  const packageName = packageOf(program);
  const path = find(program);
  if (path !== null) return path;
  throw new Error(`Cannot find program "${program}": ${remedyFor([packageName], [program])}`);
}

/**
 * Why a test without these programs is skipped; false if it runs. Where `npm test` can install
 * them, a missing one is a failure.
 */
export function skipWithout(...programs) {
  const missing = programs.filter((program) => {
    packageOf(program);
    return find(program) === null;
  });
  if (missing.length === 0 || canInstall()) return false;
  return remedyFor(missing.map(packageOf), missing);
}

function remedyFor(packages, programs) {
  if (hasApt()) return `run as root: apt-get install ${packages.join(" ")}`;
  return `install ${programs.map((words) => words.replaceAll("|", " or ")).join(", ")}`;
}

/** Run apt-get, and print its output only if it fails. @returns true if it exits with 0 */
function aptGet(args) {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  // Another program may be installing something.
  const { status, stdout, stderr } = spawnSync(APT, ["-o", "DPkg::Lock::Timeout=120", ...args], {
    env,
    encoding: "utf8",
    maxBuffer: APT_BYTES_MAX,
  });
  if (status !== 0) console.error((stdout + stderr).slice(-APT_CHARS_SHOWN));
  return status === 0;
}

const installPackages = (names) =>
  aptGet(["install", "-y", "-qq", "--no-install-recommends", ...names]);

/** Missing parts of a group: its packages, and the programs and files that they contain. */
function missingOf(group) {
  const missing = Object.entries(GROUPS[group])
    .map(([name, words]) => [name, words.filter((word) => find(word) === null)])
    .filter(([, words]) => words.length > 0);
  return {
    group,
    packages: missing.map(([name]) => name),
    programs: missing.flatMap(([, words]) => words),
  };
}

/**
 * Install the missing parts of some groups with apt-get, and print a line for each.
 *
 * @returns a line with the remedy for each group that is still incomplete
 */
export function installGroups(groups = Object.keys(GROUPS)) {
  const wanted = groups.map(missingOf).filter(({ packages }) => packages.length > 0);
  if (wanted.length === 0) return [];
  if (canInstall()) {
    for (const { group, packages } of wanted) {
      console.error(`Installing ${group}: ${packages.join(" ")}`);
    }
    const all = wanted.flatMap(({ packages }) => packages);
    // Its lists may suffice although one source is unreadable.
    aptGet(["update", "-qq"]);
    // A package that this system lacks must not prevent the others.
    if (!installPackages(all) && wanted.length > 1) {
      for (const { packages } of wanted) installPackages(packages);
    }
  }
  return wanted.map(({ group }) => missingOf(group)).filter(({ packages }) => packages.length > 0)
    .map(({ group, packages, programs }) =>
      `Missing ${group}: ${packages.join(" ")}; ${remedyFor(packages, programs)}`
    );
}

/** Install missing servers. @returns the problem with its remedy; null if all are installed */
export function installServers() {
  return installGroups(["servers"])[0] ?? null;
}

function run(command, args, cwd) {
  const child = spawn(command, args, { cwd, stdio: "ignore", timeout: DOWNLOAD_MS_MAX });
  return new Promise((resolve) => {
    child.on("error", () => resolve(false)).on("close", (code) => resolve(code === 0));
  });
}

/**
 * Why a test without this unpacked package is skipped; false if it runs. For root on Debian, a
 * missing one is a failure.
 */
export function skipWithoutUnpacked(name) {
  return !existsSync(join(CACHE, name, "usr")) && !canInstall() &&
    `the package ${name} of Debian is not in ${CACHE}: see how npm test begins`;
}

/**
 * Folder of an unpacked package of list.mjs; `unpackPackages()` makes it.
 *
 * @throws Error if it is unlisted, or not unpacked
 */
export function unpackedFolder(name) {
  if (!UNPACKED.includes(name)) {
    throw new Error(`Cannot find package "${name}": add it to scripts/programs/list.mjs`);
  }
  const folder = join(CACHE, name);
  if (existsSync(join(folder, "usr"))) return folder;
  throw new Error(`Cannot find package "${name}" in ${CACHE}: see how npm test begins`);
}

async function unpack(name) {
  const folder = join(CACHE, name);
  const scratch = join(CACHE, `${name}.${process.pid}`);
  mkdirSync(scratch, { recursive: true });
  try {
    const get = () => run(APT, ["download", "-qq", name], scratch);
    if (!await get() && !(canInstall() && aptGet(["update", "-qq"]) && await get())) return false;
    const file = readdirSync(scratch).find((one) => one.endsWith(".deb"));
    if (file === undefined) return false;
    if (!await run("dpkg-deb", ["-x", join(scratch, file), join(scratch, "tree")])) return false;
    rmSync(folder, { recursive: true, force: true });
    renameSync(join(scratch, "tree"), folder);
    return true;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/**
 * Download and unpack the packages that are unpacked only, one after the other.
 *
 * @returns the problem with its remedy; null if all are there, or outside of Debian
 */
export async function unpackPackages() {
  if (!hasApt()) return null;
  const failed = [];
  for (const name of UNPACKED) {
    if (!existsSync(join(CACHE, name, "usr")) && !await unpack(name)) failed.push(name);
  }
  if (failed.length === 0) return null;
  return `Cannot download ${failed.join(" ")}: run as root: apt-get update`;
}

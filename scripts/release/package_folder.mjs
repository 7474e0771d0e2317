// The folder for making a package, and the tools.
import { execFile } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { environment, ROOT } from "../tasks.mjs";

/** Debian's packages with the tools. */
const OWNERS = { "dpkg-deb": "dpkg", readelf: "binutils", rpmbuild: "rpm" };
const OUTPUT_BYTES_MAX = 4 * 1024 ** 2;

/** Call `body` with an empty folder, which is removed afterwards. */
export async function withPackageFolder(body) {
  const folder = mkdtempSync(join(tmpdir(), "jobctl-package-"));
  try {
    return await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Write files and empty folders, all with the same time and with modes that do not depend on the
 * umask.
 *
 * @param root where
 * @param options.entries `{ path, bytes, mode }` of each file
 * @param options.folders paths of empty folders
 * @param options.atMs the time
 */
export function stage(root, { entries, folders = [], atMs }) {
  for (const path of folders) mkdirSync(join(root, path), { recursive: true });
  for (const { path, bytes, mode } of entries) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), bytes);
    chmodSync(join(root, path), mode);
  }
  const all = readdirSync(root, { recursive: true, withFileTypes: true });
  const seconds = Math.floor(atMs / 1_000);
  for (const entry of all) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) chmodSync(path, 0o755);
    utimesSync(path, seconds, seconds);
  }
  chmodSync(root, 0o755);
  utimesSync(root, seconds, seconds);
}

/**
 * Run a tool of Debian and return its output.
 *
 * @throws Error if it fails, with its output
 */
export async function runTool(program, args, { atMs, cwd = ROOT } = {}) {
  const epoch = atMs === undefined ? {} : { SOURCE_DATE_EPOCH: String(Math.floor(atMs / 1_000)) };
  try {
    const { stdout } = await promisify(execFile)(program, args, {
      cwd,
      env: { ...environment(), LC_ALL: "C.UTF-8", TZ: "UTC", ...epoch },
      maxBuffer: OUTPUT_BYTES_MAX,
    });
    return stdout;
  } catch (error) {
    if (error.code !== "ENOENT") {
      throw new Error(`${program} failed:\n${error.stdout ?? ""}${error.stderr ?? error.message}`);
    }
    throw new Error(
      `Cannot make packages without ${program}: install Debian's package ${OWNERS[program]}, or ` +
        "name what to make with --only",
    );
  }
}

/** The oldest version of glibc that has all symbols of a program, such as "2.17". */
export async function neededGlibc(program) {
  const text = await runTool("readelf", ["--version-info", "--wide", program]);
  const versions = [...text.matchAll(/\bGLIBC_(\d+)\.(\d+)/g)].map(([, major, minor]) => ({
    major: Number(major),
    minor: Number(minor),
  }));
  versions.sort((a, b) => a.major - b.major || a.minor - b.minor);
  const last = versions.at(-1);
  if (last === undefined) throw new Error(`"${program}" is not a program for glibc`);
  return `${last.major}.${last.minor}`;
}

/**
 * Replace each `@NAME@` of a template.
 *
 * @throws Error for a name without a value
 */
export function fill(template, values) {
  return template.replaceAll(/@([A-Z_]+)@/g, (_, name) => {
    if (values[name] === undefined) throw new Error(`No value for @${name}@`);
    return String(values[name]);
  });
}

/** The functions that the scripts of both kinds of packages share. */
export function reportStop() {
  return readFileSync(join(ROOT, "contrib", "package", "report_stop.sh"), "utf8").trim();
}

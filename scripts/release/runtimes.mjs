// Bun's programs for other systems: npm packages, checked against package-lock.json.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { copyRuntime, installedRuntime } from "../runtime_copy.mjs";
import { ROOT, tryRun } from "../tasks.mjs";
import { hostTarget } from "./targets.mjs";

/** Downloads stay here between releases. */
const CACHE = join(ROOT, "dist", "runtimes");
const TAR_BLOCK = 512;

/** Version and integrity of the package with the target's runtime, as locked. */
export function lockedRuntime({ runtime }) {
  const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
  const name = `@oven/${runtime}`;
  const found = packages[`node_modules/${name}`];
  if (!found?.integrity) throw new Error(`package-lock.json has no integrity of ${name}`);
  return { name, version: found.version, integrity: found.integrity };
}

/**
 * Write the patched program of a target into `folder`. This machine's is installed, so it needs no
 * download.
 *
 * @returns its path
 * @throws Error if the download fails or does not match package-lock.json
 */
export function writeRuntime(target, folder) {
  const path = join(folder, `runtime-${target.name}`);
  if (target.name === hostTarget().name) return copyRuntime(path, installedRuntime());
  const program = join(folder, `original-${target.name}`);
  writeFileSync(program, programIn(downloaded(lockedRuntime(target))));
  return copyRuntime(path, program);
}

/** The bytes of a package, from the cache or the registry. */
function downloaded({ name, version, integrity }) {
  mkdirSync(CACHE, { recursive: true });
  const path = join(CACHE, `${name.replace("@", "").replace("/", "-")}-${version}.tgz`);
  if (!existsSync(path) || integrityOf(readFileSync(path)) !== integrity) {
    const args = ["pack", "--silent", `--pack-destination=${CACHE}`, `${name}@${version}`];
    const { status } = tryRun("npm", args, { stdio: ["ignore", "ignore", 2] });
    if (status !== 0 || !existsSync(path)) throw new Error(`Cannot download ${name}@${version}`);
  }
  const bytes = readFileSync(path);
  const found = integrityOf(bytes);
  if (found === integrity) return bytes;
  throw new Error(`${path} is not what package-lock.json wants: ${found} instead of ${integrity}`);
}

function integrityOf(bytes) {
  return `sha512-${createHash("sha512").update(bytes).digest("base64")}`;
}

/** The program in an npm package of Bun. */
function programIn(packed) {
  const tar = gunzipSync(packed);
  for (let at = 0; at + TAR_BLOCK <= tar.length;) {
    const text = (from, length) => tar.toString("latin1", at + from, at + from + length);
    const name = text(0, 100).replace(/\0.*$/s, "");
    const size = parseInt(text(124, 12), 8) || 0;
    const start = at + TAR_BLOCK;
    if (/^package\/bin\/bun(\.exe)?$/.test(name)) return tar.subarray(start, start + size);
    at = start + Math.ceil(size / TAR_BLOCK) * TAR_BLOCK;
  }
  throw new Error("A package of Bun has no program");
}

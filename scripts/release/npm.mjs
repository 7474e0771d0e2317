// Makes the packages for npm: ts-job, and one with the compiled program for each platform. The step
// of `npm run release`; alone it makes this machine's packages.
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { isMain } from "../is_main.mjs";
import { build } from "../build.mjs";
import { pack } from "../pack.mjs";
import { platformManifest, withAbsoluteLinks } from "../pack/manifest.mjs";
import { lockedPackages } from "../pack/notices.mjs";
import { PLATFORMS } from "../pack/platforms.mjs";
import { install, ROOT, run } from "../tasks.mjs";
import { programNotices } from "./runtime_parts.mjs";
import { hostTarget } from "./targets.mjs";

/** Folder of the packages, as files for `npm publish`. */
const NPM = join(ROOT, "dist", "release", "npm");

/**
 * Make `ts-job-VERSION.tgz` and `ts-job-cli-OS-CPU-VERSION.tgz`; the folder is cleared first. Equal
 * programs make equal files.
 *
 * @param programs path of the compiled program by target, such as `linux-x64`
 * @param options.folder target, by default dist/release/npm
 * @param options.notices text of THIRD-PARTY-NOTICES of the compiled programs; by default with all
 * packages that they may have
 * @returns paths of the files, in the order in which they are published
 */
export async function makePackages(programs, { folder = NPM, notices } = {}) {
  rmSync(folder, { recursive: true, force: true });
  const library = join(folder, ".work", "ts-job");
  await pack(library);
  packFolder(library, folder);
  makePlatformPackages(programs, { folder, notices });
  return builtPackages(folder);
}

/** Make only the packages of platforms; see {@link makePackages}. */
export function makePlatformPackages(
  programs,
  { folder, notices = programNotices(lockedPackages()) },
) {
  const work = join(folder, ".work");
  for (const [target, program] of Object.entries(programs)) {
    const platform = PLATFORMS.find((one) => one.target === target);
    if (platform === undefined) throw new Error(`Cannot pack for "${target}": no such target`);
    const path = join(work, target);
    writePlatform(path, platform, program, notices);
    packFolder(path, folder);
  }
  rmSync(work, { recursive: true, force: true });
}

function writePlatform(folder, platform, program, notices) {
  if (!existsSync(program)) throw new Error(`Cannot pack "${program}": no such file`);
  const target = join(folder, platform.program);
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(program, target);
  chmodSync(target, 0o755);
  const write = (name, text) => writeFileSync(join(folder, name), text);
  write("package.json", `${JSON.stringify(platformManifest(platform), null, 2)}\n`);
  const page = readFileSync(join(ROOT, "contrib", "npm", "README.md"), "utf8");
  write("README.md", withAbsoluteLinks(page));
  write("THIRD-PARTY-NOTICES", notices);
  copyFileSync(join(ROOT, "LICENSE"), join(folder, "LICENSE"));
}

/** `npm pack`, whose archives have fixed times. */
function packFolder(folder, destination) {
  run("npm", ["pack", "--silent", `--pack-destination=${destination}`], {
    cwd: folder,
    stdio: ["ignore", "ignore", 2],
  });
}

/** Paths of the packages that were made last; ts-job, which names the others, is last. */
export function builtPackages(folder = NPM) {
  const files = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
  const rank = (name) => name.startsWith("ts-job-cli-") ? 0 : 1;
  return files.sort((a, b) => rank(a) - rank(b)).map((name) => join(folder, name));
}

if (isMain(import.meta.url)) {
  install();
  build();
  const programs = { [hostTarget().name]: join(ROOT, "dist", "jobctl") };
  for (const path of await makePackages(programs)) console.log(path);
}

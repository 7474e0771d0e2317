// Makes the packages for npm: ts-job, and one with the compiled program for each platform. The step of
// `npm run release`; alone it makes those of this machine's platform.
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { build } from "../build.mjs";
import { pack } from "../pack.mjs";
import { platformManifest, withAbsoluteLinks } from "../pack/manifest.mjs";
import { noticesOf, packagesOf } from "../pack/notices.mjs";
import { PLATFORMS } from "../pack/platforms.mjs";
import { install, ROOT, run } from "../tasks.mjs";

/** Where the packages are, as files for `npm publish`. */
export const NPM = join(ROOT, "dist", "release", "npm");

/**
 * Make `ts-job-VERSION.tgz` and `ts-job-cli-OS-CPU-VERSION.tgz`; whatever was in the folder is removed.
 * Equal programs make equal files.
 *
 * @param programs path of the compiled program by target, such as `linux-x64`
 * @param options.folder where to write, {@link NPM}
 * @param options.notices text of THIRD-PARTY-NOTICES of the compiled programs; that of the bundled
 *   packages if not given
 * @returns paths of the files
 */
export async function makePackages(programs, { folder = NPM, notices } = {}) {
  const unknown = Object.keys(programs).filter((target) =>
    PLATFORMS.every((platform) => platform.target !== target)
  );
  if (unknown.length > 0) throw new Error(`Cannot pack for "${unknown[0]}": no such target`);
  rmSync(folder, { recursive: true, force: true });
  const work = join(folder, ".work");
  const library = join(work, "ts-job");
  await pack(library);
  const folders = [library];
  for (const platform of PLATFORMS.filter(({ target }) => programs[target] !== undefined)) {
    const path = join(work, platform.target);
    writePlatform(path, platform, programs[platform.target], notices ?? compiledNotices());
    folders.push(path);
  }
  const files = folders.map((path) => packFolder(path, folder));
  rmSync(work, { recursive: true });
  return files;
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

/** The notices of ts-job, with those of the packages that it does not bundle but the program does. */
function compiledNotices() {
  const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
  const paths = Object.entries(packages)
    .filter(([path, { dev }]) => path !== "" && !dev)
    .map(([path]) => join(ROOT, path, "package.json"));
  return noticesOf(packagesOf(paths));
}

/** `npm pack`, whose archives have no times of their own. */
function packFolder(folder, destination) {
  const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  run("npm", ["pack", "--silent", `--pack-destination=${destination}`], {
    cwd: folder,
    stdio: ["ignore", "ignore", 2],
  });
  return join(destination, `${name.replace("@", "").replace("/", "-")}-${version}.tgz`);
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  install();
  build();
  const isMusl = !existsSync("/lib64/ld-linux-x86-64.so.2") &&
    !existsSync("/lib/ld-linux-aarch64.so.1");
  const platform = PLATFORMS.find(({ os, cpu, libc }) =>
    os === process.platform && cpu === process.arch &&
    (libc === undefined || (libc === "musl") === isMusl)
  );
  const programs = { [platform.target]: resolve(ROOT, "dist", "jobctl") };
  for (const path of await makePackages(programs)) console.log(path);
}

// Packs the package ts-job into dist/lib, as it is published, and tests it on the oldest Node version
// that it supports.
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { isMain } from "./is_main.mjs";
import { installNpmPrograms, nodeProgram } from "./programs/npm_programs.mjs";
import { bundle } from "./pack/bundle.mjs";
import { declare } from "./pack/declarations.mjs";
import { libraryManifest, withAbsoluteLinks } from "./pack/manifest.mjs";
import { noticesOf, packagesOf } from "./pack/notices.mjs";
import { install, ROOT, run, tryRun } from "./tasks.mjs";

const LIB = join(ROOT, "dist", "lib");
const NPM_FLAGS = ["--no-fund", "--no-audit", "--no-save", "--loglevel=error"];

/** Write the installed files of the package into a folder, dist/lib. */
export async function pack(folder = LIB) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, "bin"), { recursive: true });
  const sources = await bundle(join(folder, "dist"));
  declare(join(folder, "types"));
  const write = (name, text) => writeFileSync(join(folder, name), text);
  write("THIRD-PARTY-NOTICES", noticesOf(packagesOf(sources)));
  write("package.json", `${JSON.stringify(libraryManifest(), null, 2)}\n`);
  for (const name of ["README.md", "CHANGELOG.md"]) {
    write(name, withAbsoluteLinks(readFileSync(join(ROOT, name), "utf8")));
  }
  copyFileSync(join(ROOT, "LICENSE"), join(folder, "LICENSE"));
  copyFileSync(join(ROOT, "src", "rpc", "job.proto"), join(folder, "job.proto"));
  copyFileSync(join(ROOT, "contrib", "npm", "jobctl.js"), join(folder, "bin", "jobctl.js"));
  chmodSync(join(folder, "bin", "jobctl.js"), 0o755);
}

/**
 * Install the packed library into an empty folder and run the files of test/pack there.
 *
 * @returns true if all succeeded
 */
export async function smoke() {
  const trouble = await installNpmPrograms();
  if (trouble !== null) throw new Error(trouble);
  const node = nodeProgram(22);
  const folder = mkdtempSync(join(tmpdir(), "jobctl-pack-"));
  try {
    writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }\n');
    for (const name of ["smoke.mjs", "conformance.mjs"]) {
      copyFileSync(join(ROOT, "test", "pack", name), join(folder, name));
    }
    copyFileSync(join(ROOT, "examples", "my-store.ts"), join(folder, "my-store.ts"));
    run("npm", ["pack", "--silent", `--pack-destination=${folder}`], {
      cwd: LIB,
      stdio: ["ignore", 2, 2],
    });
    const { name, version } = JSON.parse(readFileSync(join(LIB, "package.json"), "utf8"));
    const tarball = join(folder, `${name}-${version}.tgz`);
    // The packages of the platforms may not be published yet.
    const flags = [...NPM_FLAGS, "--omit=optional", "--prefer-offline"];
    run("npm", ["install", ...flags, tarball], { cwd: folder });
    // The suite names every case: what counts is its last lines.
    const suite = ["--no-warnings", "--test", "--test-reporter=dot", "conformance.mjs"];
    return tryRun(node, ["smoke.mjs"], { cwd: folder }).status === 0 &&
      tryRun(node, suite, { cwd: folder }).status === 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (isMain(import.meta.url)) {
  install();
  const [folder] = process.argv.slice(2).filter((option) => !option.startsWith("--"));
  await pack(folder === undefined ? LIB : resolve(folder));
  if (process.argv.includes("--smoke") && !(await smoke())) process.exitCode = 1;
}

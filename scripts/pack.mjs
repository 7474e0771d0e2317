// Packs the library as JavaScript and declarations into dist/lib, and tests it on the oldest Node
// version that it supports.
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installNodes, nodeProgram, NODES } from "./nodes.mjs";
import { install, ROOT, run, tryRun } from "./tasks.mjs";

const LIB = join(ROOT, "dist", "lib");
const NPM_FLAGS = ["--no-fund", "--no-audit", "--no-save", "--loglevel=error"];

/** Emit dist/lib: what a user of the library installs. */
export function pack() {
  rmSync(LIB, { recursive: true, force: true });
  run("tsc", ["-p", "tsconfig.lib.json"]);
  const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const { name, version, description, license, type, dependencies } = manifest;
  const packed = {
    name,
    version,
    description,
    license,
    type,
    engines: { node: `>=${NODES[22]}` },
    exports: {
      ".": { types: "./src/index.d.ts", default: "./src/index.js" },
      "./client": { types: "./src/client.d.ts", default: "./src/client.js" },
      "./conformance": {
        types: "./src/conformance/index.d.ts",
        default: "./src/conformance/index.js",
      },
      "./job.proto": "./job.proto",
    },
    bin: { jobctl: "./src/main.js" },
    dependencies,
  };
  writeFileSync(join(LIB, "package.json"), JSON.stringify(packed, null, 2) + "\n");
  const main = join(LIB, "src", "main.js");
  writeFileSync(main, `#!/usr/bin/env node\n${readFileSync(main, "utf8")}`);
  for (const file of ["LICENSE", "README.md", "CHANGELOG.md"]) {
    copyFileSync(join(ROOT, file), join(LIB, file));
  }
  copyFileSync(join(ROOT, "src", "rpc", "job.proto"), join(LIB, "job.proto"));
}

/**
 * Install the packed library into an empty folder and run the files of test/pack there.
 *
 * @returns true if all succeeded
 */
export function smoke() {
  const trouble = installNodes();
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
    run("npm", ["install", ...NPM_FLAGS, "--prefer-offline", tarball], { cwd: folder });
    // The suite names every case: what counts is its last lines.
    const suite = ["--no-warnings", "--test", "--test-reporter=dot", "conformance.mjs"];
    return tryRun(node, ["smoke.mjs"], { cwd: folder }).status === 0 &&
      tryRun(node, suite, { cwd: folder }).status === 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  install();
  pack();
  if (process.argv.includes("--smoke") && !smoke()) process.exitCode = 1;
}

// Bundles the entries of the library, of the command line and of their threads.
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { UNUSED_PACKAGES } from "../compile.mjs";
import { bundleDashboard, dashboardSources } from "../dashboard/main.mjs";
import { bundlePages } from "../docs/bundle.mjs";
import { ROOT } from "../tasks.mjs";

/** Packages that stay imports: the types of `ts-job/client` are theirs, and so must be the values. */
export const EXTERNAL = ["@bufbuild/protobuf"];

/** Threads lie beside main.js in the package: the code that starts them looks for them there. */
const ENTRIES = {
  index: "src/index.ts",
  client: "src/client.ts",
  conformance: "src/conformance/index.ts",
  testing: "src/testing/index.ts",
  main: "src/main.ts",
  gateway_thread: "src/gateway/gateway_thread.ts",
  guard_thread: "src/worker/guard/guard_thread.ts",
};

/** Packages written as CommonJS call `require` for the modules of Node. */
const REQUIRE = `import { createRequire as __createRequire } from "node:module";
const require = __createRequire(import.meta.url);`;

/**
 * Bundle all entries into one folder, with the packages that they use. Shared code is in separate
 * chunks, and late imports stay late.
 *
 * @returns the paths of all bundled sources
 */
export async function bundle(folder) {
  bundleDashboard();
  bundlePages();
  // Names of chunks depend on the way from here to the sources: equal sources make equal files.
  const work = join(ROOT, "dist", `.bundle-${process.pid}`);
  // Installed with the other development dependencies, after this module was read.
  const { build } = await import("esbuild");
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ENTRIES,
    outdir: work,
    chunkNames: "chunk-[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node22",
    external: [...EXTERNAL, ...UNUSED_PACKAGES],
    // Functions and classes are shown to users by name.
    keepNames: true,
    plugins: [{ name: "late CommonJS", setup: nameLateExports }],
    banner: { js: REQUIRE },
    // They are in THIRD-PARTY-NOTICES.
    legalComments: "none",
    sourcemap: true,
    metafile: true,
    logLevel: "warning",
  });
  for (const name of readdirSync(work).filter((name) => name.endsWith(".map"))) {
    shortenMap(join(work, name), work);
  }
  cpSync(work, folder, { recursive: true });
  rmSync(work, { recursive: true });
  const sources = Object.keys(metafile.inputs).map((path) => resolve(ROOT, path));
  return [...sources, ...dashboardSources()];
}

/**
 * Name the sources of a map by their path in the project, and omit the text of other packages:
 * frames in their code still show file and line.
 */
function shortenMap(path, folder) {
  const map = JSON.parse(readFileSync(path, "utf8"));
  const isForeign = (source) => source.includes("node_modules/");
  map.sourcesContent = map.sources.map((source, index) =>
    isForeign(source) ? null : map.sourcesContent[index]
  );
  map.ignoreList = map.sources.flatMap((source, index) => isForeign(source) ? [index] : []);
  map.sources = map.sources.map((source) => {
    const inside = resolve(folder, source);
    return source.startsWith("..") ? `../${inside.slice(ROOT.length)}` : source;
  });
  writeFileSync(path, JSON.stringify(map));
}

/** Late imports of CommonJS packages with the names that runtimes find in them; esbuild finds none. */
function nameLateExports(build) {
  const require = createRequire(import.meta.url);
  const namespace = "late";
  build.onResolve({ filter: /^[^.]/ }, ({ kind, path, importer }) => {
    const isOurs = importer.startsWith(join(ROOT, "src"));
    if (kind !== "dynamic-import" || path.startsWith("node:") || !isOurs) return undefined;
    return { path, namespace };
  });
  build.onLoad({ filter: /./, namespace }, ({ path }) => {
    const names = Object.keys(require(path)).filter((name) => name !== "default");
    const contents = `const all = require(${JSON.stringify(path)});
export default all;
export const { ${names.join(", ")} } = all;`;
    return { contents, resolveDir: ROOT };
  });
}

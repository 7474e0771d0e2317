// Compiles src/main.ts and the entries of its threads into one file. Plain Node 20.
import { closeSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { withoutRareBytecode } from "./compile/compiled_modules.mjs";
import { bundleDashboard } from "./dashboard/main.mjs";
import { bundlePages } from "./docs/bundle.mjs";
import { run } from "./tasks.mjs";

/**
 * Packages excluded from the build: @grpc/grpc-js loads it only for its services channelz and ORCA,
 * which nothing here offers. With protobufjs it is 0.4 MB.
 */
export const UNUSED_PACKAGES = ["@grpc/proto-loader"];

const PIECE_BYTES = 16_384;

const ENTRIES = [
  "src/main.ts",
  "src/gateway/gateway_thread.ts",
  "src/worker/guard/guard_thread.ts",
];

/**
 * Write the compiled file. The same source gives the same bytes, in any folder, if the name of the
 * file is the same.
 *
 * @param output its path
 * @param options.runtime Bun's program that the file begins with; null for this machine's
 * @param options.bunTarget Bun's name of the system, such as "bun-linux-x64"; absent for this one
 * @param options.facts `BuildFacts` of src/platform/version.ts
 * @param options.metafile path for the list of its modules
 * @param options.hasSourceMaps true for stack traces with lines of the source
 */
export function compile(output, { runtime, bunTarget, facts, metafile, hasSourceMaps }) {
  bundleDashboard();
  bundlePages();
  const modules = metafile ?? `${output}.modules.json`;
  run("bun", [
    "build",
    "--compile",
    "--minify",
    // Compiled ahead of time: prints the version in 20 ms instead of 120, and speeds up workers'
    // starts by the same time.
    "--bytecode",
    "--format=esm",
    // Late imports are then also read late: a call takes 39 ms of processor time instead of 64.
    "--splitting",
    // Keeps `new URL("./guard_thread.ts", import.meta.url)` valid: in the compiled file, every
    // entry is next to the main one.
    "--entry-naming=[name].[ext]",
    // The folder in which the daemon starts must not change its behavior.
    "--no-compile-autoload-dotenv",
    "--no-compile-autoload-bunfig",
    // Job modules may have npm packages beside them.
    "--compile-autoload-package-json",
    ...UNUSED_PACKAGES.map((name) => `--external=${name}`),
    // Bun would write the folder of each CommonJS module into the file; nothing reads it.
    "--define",
    '__dirname="."',
    "--define",
    `JOBCTL_BUILD=${JSON.stringify(JSON.stringify(facts))}`,
    ...(hasSourceMaps ? ["--sourcemap"] : []),
    `--metafile=${modules}`,
    ...(bunTarget ? [`--target=${bunTarget}`] : []),
    ...(runtime ? [`--compile-executable-path=${runtime}`] : []),
    ...ENTRIES,
    `--outfile=${output}`,
  ], { stdio: ["ignore", "ignore", 2] });
  const written = JSON.parse(readFileSync(modules, "utf8"));
  writeInPieces(output, withoutRareBytecode(readFileSync(output), written));
  if (metafile === undefined) rmSync(modules);
}

/**
 * Write a program in small pieces. Linux keeps data of one large write as one part of its cache,
 * and maps all of it for each page that a process uses: 76 MB of a daemon at rest instead of 68.
 */
function writeInPieces(path, bytes) {
  rmSync(path);
  const file = openSync(path, "w", 0o755);
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    writeSync(file, bytes, at, Math.min(PIECE_BYTES, bytes.length - at));
  }
  closeSync(file);
}

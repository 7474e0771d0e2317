// Content of Bun's program, the beginning of every compiled file: from LICENSE.md of Bun.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { projectManifest } from "../pack/manifest.mjs";
import { noticesOf } from "../pack/notices.mjs";
import { ROOT } from "../tasks.mjs";

/** The version of Bun that is compiled in. */
export const BUN_VERSION = projectManifest().devDependencies.bun;

/** Location of its source. */
export const BUN_SOURCE = "https://github.com/oven-sh/bun";

/** Linked statically: name, license as SPDX writes it, source. Check it with each new Bun. */
export const RUNTIME_PARTS = [
  ["JavaScriptCore", "LGPL-2.0-only", "https://github.com/oven-sh/WebKit"],
  ["WebCore", "LGPL-2.0-only", "https://github.com/oven-sh/WebKit"],
  ["boringssl", "Apache-2.0 AND ISC AND OpenSSL", "https://boringssl.googlesource.com/boringssl"],
  ["brotli", "MIT", "https://github.com/google/brotli"],
  ["libarchive", "BSD-2-Clause", "https://github.com/libarchive/libarchive"],
  ["lol-html", "BSD-3-Clause", "https://github.com/cloudflare/lol-html"],
  ["ls-hpack", "MIT", "https://github.com/litespeedtech/ls-hpack"],
  ["ls-qpack", "MIT", "https://github.com/litespeedtech/ls-qpack"],
  ["lsquic", "MIT AND BSD-3-Clause", "https://github.com/litespeedtech/lsquic"],
  ["mimalloc", "MIT", "https://github.com/microsoft/mimalloc"],
  ["picohttpparser", "MIT", "https://github.com/h2o/picohttpparser"],
  ["zstd", "BSD-3-Clause", "https://github.com/facebook/zstd"],
  ["simdutf", "Apache-2.0", "https://github.com/simdutf/simdutf"],
  ["tinycc", "LGPL-2.1-only", "https://github.com/tinycc/tinycc"],
  ["uSockets", "Apache-2.0", "https://github.com/uNetworking/uSockets"],
  ["uWebSockets", "Apache-2.0", "https://github.com/uNetworking/uWebSockets"],
  ["zlib-ng", "Zlib", "https://github.com/zlib-ng/zlib-ng"],
  ["c-ares", "MIT", "https://github.com/c-ares/c-ares"],
  ["icu", "Unicode-3.0", "https://github.com/unicode-org/icu"],
  ["base64", "BSD-2-Clause", "https://github.com/aklomp/base64"],
  ["libuv", "MIT", "https://github.com/libuv/libuv"],
  ["libdeflate", "MIT", "https://github.com/ebiggers/libdeflate"],
  [
    "libjpeg-turbo",
    "IJG AND BSD-3-Clause AND Zlib",
    "https://github.com/libjpeg-turbo/libjpeg-turbo",
  ],
  ["libspng", "BSD-2-Clause", "https://github.com/randy408/libspng"],
  ["libwebp", "BSD-3-Clause", "https://github.com/webmproject/libwebp"],
  ["highway", "Apache-2.0", "https://github.com/google/highway"],
  ["uucode", "MIT", "https://github.com/jacobsandlund/uucode"],
  ["sqlite", "blessing", "https://sqlite.org/src"],
  ["libc++abi", "Apache-2.0 WITH LLVM-exception", "https://github.com/llvm/llvm-project"],
].map(([name, license, source]) => ({ name, license, source }));

const LINE = `${"-".repeat(80)}\n\n`;

/**
 * The text of THIRD-PARTY-NOTICES beside a compiled program.
 *
 * @param packages compiled-in ones, as `packagesOf` of scripts/pack/notices.mjs returns them
 */
export function programNotices(packages) {
  return `${noticesOf(packages)}\n${LINE}${runtimeNotices()}\n`;
}

/** The part about Bun, with the texts that its licenses require. */
function runtimeNotices() {
  const license = (name) =>
    readFileSync(join(ROOT, "contrib", "licenses", `${name}.txt`), "utf8").trim();
  const rows = RUNTIME_PARTS.map(({ name, license, source }) =>
    `  ${name.padEnd(15)} ${license.padEnd(32)} ${source}`
  );
  return [
    [
      `The program contains Bun ${BUN_VERSION} (MIT), ${BUN_SOURCE}`,
      "",
      "Bun links these libraries, each under its own license:",
      "",
      ...rows,
      "",
      "It also contains polyfills of Node's modules, all under the MIT license: see",
      `${BUN_SOURCE}/blob/bun-v${BUN_VERSION}/LICENSE.md`,
      "",
      "JavaScriptCore and WebCore are under the GNU Library General Public License 2, TinyCC under",
      "the GNU Lesser General Public License 2.1. Their sources are at the addresses above. To use",
      "a changed version of them: build Bun with it as LICENSE.md of Bun describes, put that program",
      "in the place of node_modules/bun/bin/bun.exe in the source of ts-job, and run",
      '"npm run build" there. The source of ts-job is at its homepage.',
    ].join("\n"),
    license("LGPL-2.0"),
    license("LGPL-2.1"),
  ].join(`\n\n${LINE}`);
}

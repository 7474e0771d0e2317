// Makes the packages for Debian and Ubuntu with dpkg-deb. A step of `npm run release`.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../tasks.mjs";
import { copyrightOf } from "./copyright.mjs";
import {
  fill,
  neededGlibc,
  reportStop,
  runTool,
  stage,
  withPackageFolder,
} from "./package_folder.mjs";
import {
  ARCHITECTURES,
  CONFIGURATION,
  EMPTY_FOLDERS,
  entriesOf,
  EXAMPLE,
  gzip,
  HOMEPAGE,
  MAINTAINER,
  packageFiles,
  packageVersion,
} from "./package_files.mjs";

const SCRIPTS = ["preinst", "postinst", "prerm", "postrm", "config"];
/** Of the package itself; each release begins with 1. */
const REVISION = 1;

/**
 * Write `jobctl_VERSION-1_ARCHITECTURE.deb`.
 *
 * @param options.program path of the compiled program
 * @param options.target "linux-x64" or "linux-arm64"
 * @param options.folder target
 * @param options.packages compiled-in ones, see {@link copyrightOf}
 * @param options.notices text of THIRD-PARTY-NOTICES
 * @param options.generated man pages and completions
 * @param options.version by default package.json's
 * @param options.atMs time of all files
 * @param options.isQuick true for less compression
 * @returns path of the file
 */
export async function makeDeb(options) {
  const { target, folder, atMs, isQuick } = options;
  const version = `${packageVersion(options.version)}-${REVISION}`;
  const architecture = ARCHITECTURES[target].deb;
  const output = join(folder, `jobctl_${version}_${architecture}.deb`);
  await withPackageFolder(async (root) => {
    const entries = contentOf(options, version);
    const own = await control(options, { version, architecture, entries });
    stage(root, { entries: [...entries, ...own], folders: EMPTY_FOLDERS, atMs });
    const compression = isQuick ? ["-Zgzip", "-z1"] : ["-Zxz", "-z6", "--threads-max=1"];
    await runTool("dpkg-deb", ["--root-owner-group", ...compression, "--build", root, output], {
      atMs,
    });
  });
  return output;
}

function contentOf({ packages, atMs, ...options }, version) {
  const doc = "usr/share/doc/jobctl";
  const changelog = `jobctl (${version}) unstable; urgency=medium

  * New version: changelog.gz has what changed.

 -- ${MAINTAINER}  ${new Date(atMs).toUTCString().replace("GMT", "+0000")}
`;
  return [
    ...packageFiles("deb", options),
    ...entriesOf([
      [`${doc}/copyright`, copyrightOf(packages)],
      [`${doc}/changelog.Debian.gz`, gzip(changelog)],
      [`${doc}/changelog.gz`, gzip(readFileSync(join(ROOT, "CHANGELOG.md")))],
      ["usr/share/lintian/overrides/jobctl", contrib("lintian-overrides")],
    ]),
  ];
}

/** The files in DEBIAN. */
async function control({ program }, { version, architecture, entries }) {
  const sizes = entries.map(({ bytes }) => Math.ceil(bytes.length / 1024));
  const values = {
    VERSION: version,
    ARCHITECTURE: architecture,
    MAINTAINER,
    HOMEPAGE,
    GLIBC: await neededGlibc(program),
    INSTALLED_SIZE: sizes.reduce((sum, size) => sum + size, 0),
    REPORT_STOP: reportStop(),
  };
  const filled = (name) => fill(contrib(name), values);
  const sums = entries.filter(({ path }) => !path.startsWith("etc/")).map(({ path, bytes }) =>
    `${createHash("md5").update(bytes).digest("hex")}  ${path}\n`
  );
  const files = [
    ["control", filled("control")],
    ["templates", contrib("templates")],
    ["conffiles", [CONFIGURATION, EXAMPLE].map((path) => `/${path}\n`).join("")],
    ["md5sums", sums.join("")],
    ...SCRIPTS.map((name) => [name, filled(name)]),
  ];
  return files.map(([name, text]) => ({
    path: `DEBIAN/${name}`,
    bytes: Buffer.from(text),
    mode: SCRIPTS.includes(name) ? 0o755 : 0o644,
  }));
}

function contrib(name) {
  return readFileSync(join(ROOT, "contrib", "debian", name), "utf8");
}

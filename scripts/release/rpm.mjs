// Makes the packages for Fedora, RHEL and SUSE with rpmbuild. A step of `npm run release`.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../tasks.mjs";
import { fill, reportStop, runTool, stage, withPackageFolder } from "./package_folder.mjs";
import {
  ARCHITECTURES,
  CONFIGURATION,
  EMPTY_FOLDERS,
  entriesOf,
  EXAMPLE,
  HOMEPAGE,
  MAINTAINER,
  packageFiles,
  packageVersion,
} from "./package_files.mjs";
import { RUNTIME_PARTS } from "./runtime_parts.mjs";

/** Of the package itself; each release begins with 1. */
const REVISION = 1;

/**
 * Write `jobctl-VERSION-1.ARCHITECTURE.rpm`.
 *
 * @param options as for `makeDeb`
 * @returns path of the file
 */
export async function makeRpm(options) {
  const { target, folder, packages, atMs, isQuick } = options;
  const version = packageVersion(options.version);
  const architecture = ARCHITECTURES[target].rpm;
  const name = `jobctl-${version}-${REVISION}.${architecture}.rpm`;
  await withPackageFolder(async (work) => {
    const entries = contentOf(options);
    const staged = join(work, "staged");
    mkdirSync(staged);
    stage(staged, { entries, folders: EMPTY_FOLDERS, atMs });
    const spec = fill(contrib("jobctl.spec"), {
      VERSION: version,
      REVISION,
      LICENSE: licenseOf(packages),
      HOMEPAGE,
      MAINTAINER,
      PAYLOAD: isQuick ? "w1.zstdio" : "w6.xzdio",
      STAGED: staged,
      REPORT_STOP: reportStop(),
      FILES: filesOf(entries),
    });
    writeFileSync(join(work, "jobctl.spec"), spec);
    await runTool("rpmbuild", [
      ...["-bb", "--quiet", `--target=${architecture}-linux`],
      ...["--define", `_topdir ${work}`, "--define", "_rpmdir %{_topdir}"],
      ...["--define", "_build_name_fmt package.rpm"],
      join(work, "jobctl.spec"),
    ], { atMs });
    copyFileSync(join(work, "package.rpm"), join(folder, name));
  });
  return join(folder, name);
}

function contentOf(options) {
  return [
    ...packageFiles("rpm", options),
    ...entriesOf([
      ["usr/lib/systemd/system-preset/80-jobctl.preset", contrib("jobctl.preset")],
      ["usr/share/doc/jobctl/CHANGELOG.md", readFileSync(join(ROOT, "CHANGELOG.md"), "utf8")],
      ["usr/share/licenses/jobctl/LICENSE", readFileSync(join(ROOT, "LICENSE"), "utf8")],
    ]),
  ];
}

/** The lines below %files. */
function filesOf(entries) {
  const paths = entries.map(({ path }) => path);
  const marked = paths.map((path) => {
    if (path === CONFIGURATION) return `%config(noreplace) /${path}`;
    if (path.startsWith("usr/share/doc/")) return `%doc /${path}`;
    if (path.startsWith("usr/share/licenses/")) return `%license /${path}`;
    return `/${path}`;
  });
  const shared = ["doc/jobctl", "doc/jobctl/howto", "licenses/jobctl", "jobctl"].map((name) =>
    `usr/share/${name}`
  );
  const own = ["etc/jobctl", ...EMPTY_FOLDERS, ...shared].map((path) => `%dir /${path}`);
  return [...own, `%ghost %config(noreplace) /${EXAMPLE}`, ...marked].join("\n");
}

/** All licenses of the package's content, as SPDX writes them. */
function licenseOf(packages) {
  const all = [{ license: "Apache-2.0" }, { license: "MIT" }, ...packages, ...RUNTIME_PARTS]
    .flatMap(({ license }) => license.replace(/^\((.*)\)$/, "$1").split(" AND "));
  return [...new Set(all)].sort().join(" AND ");
}

function contrib(name) {
  return readFileSync(join(ROOT, "contrib", "rpm", name), "utf8");
}

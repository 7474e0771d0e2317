// Installs, upgrades, removes and purges a package in a booted system: npm run debian. Needs root on
// Debian, and its packages mmdebstrap, systemd-container and lintian; for --rpm its package rpm.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { build } from "../build.mjs";
import { checkPackage } from "./checks.mjs";
import { withSystem } from "../systemd/container.mjs";
import { environment, install, ROOT } from "../tasks.mjs";

const PACKAGES = "/root/packages";
/** A version above all others. */
const LATER = "99.0.0";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rpm: { type: "boolean" } },
});
const [suite = "trixie"] = positionals;
const kind = values.rpm ? "rpm" : "deb";

function makePackage(folder, version) {
  const args = ["scripts/release/local_package.mjs", kind, "--out", folder];
  const { status, stdout } = spawnSync(
    "bun",
    [...args, ...(version ? ["--version", version] : [])],
    {
      cwd: ROOT,
      encoding: "utf8",
      env: environment(),
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  if (status !== 0) throw new Error("Cannot make the package");
  return stdout.trim();
}

/** lintian's findings in a package: errors and warnings. */
function lint(path) {
  const { error, stdout, stderr } = spawnSync("lintian", ["--allow-root", path], {
    encoding: "utf8",
  });
  if (error) throw error;
  return (stdout + stderr).trim();
}

install();
if (!existsSync(join(ROOT, "dist", "jobctl"))) build();
try {
  const paths = {};
  const prepare = (root) => {
    const folder = join(root, PACKAGES);
    mkdirSync(folder);
    const inSystem = (path) => join(PACKAGES, basename(path));
    const own = makePackage(folder);
    const found = kind === "deb" ? lint(own) : "";
    if (found !== "") throw new Error(found);
    paths.own = inSystem(own);
    paths.later = inSystem(makePackage(folder, LATER));
  };
  const include = kind === "rpm" ? ["rpm"] : [];
  const failed = await withSystem(
    { suite, include, prepare },
    (inside) => checkPackage(kind, inside, paths),
  );
  console.log(`${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}

// Runs the tests in a new Debian system that has only Node, npm and git: npm run fresh. Needs root on
// Debian, and its package mmdebstrap.
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "../tasks.mjs";

const USAGE = `Usage: npm run fresh -- [--with PACKAGE,…] [COMMAND …]

Clones the last commit into a new Debian system that has only Node, npm and git, runs "npm test", or
COMMAND, in the clone, and removes the system. Work that is not committed is not there. Needs root
on Debian, and its package mmdebstrap.

  --with cron,chromium   packages to install first, with what they recommend

Everything from COMMAND on is its own: npm run fresh -- npm test -- --bun test/core`;

const BASE = ["ca-certificates", "git", "nodejs", "npm"];
const CLONE = "/root/ts-job";
/** The certificates that this machine trusts, in the new system. */
const CERTIFICATES = "/etc/ssl/of-the-host.crt";

// The tests make their own mounts, which requires the root folder to be one.
const BOOT = `set -e
root=$1; shift
mount --bind "$root" "$root"
for each in dev sys; do mount --rbind "/$each" "$root/$each"; done
mount -t proc proc "$root/proc"
exec chroot "$root" "$@"`;

function check({ status, error }, what) {
  if (error) throw error;
  if (status !== 0) throw new Error(`Cannot ${what}`);
}

/** Run a command in the system. */
function inside(root, command) {
  const boot = ["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", BOOT, "boot", root];
  return spawnSync("unshare", [...boot, ...command], {
    stdio: ["ignore", "inherit", "inherit"],
    env: {
      PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      HOME: "/root",
      DEBIAN_FRONTEND: "noninteractive",
      NODE_EXTRA_CA_CERTS: CERTIFICATES,
      SSL_CERT_FILE: CERTIFICATES,
    },
  });
}

function runFresh(folder, packages, command) {
  const root = join(folder, "root");
  const include = `--include=${BASE.join()}`;
  const made = spawnSync("mmdebstrap", ["--quiet", "--variant=minbase", include, "trixie", root], {
    stdio: "inherit",
  });
  check(made, "make a root folder");
  copyFileSync("/etc/ssl/certs/ca-certificates.crt", join(root, CERTIFICATES));
  for (const name of ["/etc/resolv.conf", "/etc/hosts"]) {
    if (existsSync(name)) copyFileSync(name, join(root, name));
  }
  const clone = ["clone", "--quiet", "--no-hardlinks", ROOT, join(root, CLONE)];
  check(spawnSync("git", clone, { stdio: "inherit" }), "clone this folder");
  if (packages.length > 0) {
    const install = 'apt-get update -qq && apt-get install -y -qq "$@"';
    check(inside(root, ["sh", "-c", install, "sh", ...packages]), `install ${packages.join(" ")}`);
  }
  return inside(root, ["sh", "-c", `cd ${CLONE} && exec "$@"`, "sh", ...command]).status ?? 1;
}

const options = { with: { type: "string", default: "" }, help: { type: "boolean" } };
const args = process.argv.slice(2);
const { tokens } = parseArgs({ args, options, strict: false, tokens: true });
// Options after the first word of the command belong to the command.
const begin = tokens.find(({ kind }) => kind === "positional")?.index ?? args.length;
const { values } = parseArgs({ args: args.slice(0, begin), options, allowPositionals: false });
const given = args.slice(begin);
if (values.help) console.log(USAGE);
else {
  const folder = mkdtempSync(join(tmpdir(), "jobctl-fresh-"));
  // Ctrl-C ends what runs; then the folder is removed.
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => {});
  try {
    const packages = values.with.split(",").filter((name) => name !== "");
    const command = given.length > 0 ? given : ["npm", "test", "--silent"];
    process.exitCode = runFresh(folder, packages, command);
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

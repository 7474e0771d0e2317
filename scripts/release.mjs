// Makes a release, and with --check proves that another folder makes the same one. Plain Node 20.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { sourceFacts } from "./facts.mjs";
import { install, ROOT, run, signingEnvironment } from "./tasks.mjs";

const LEVEL_DEFAULT = 22;
const KINDS = ["archive", "deb", "rpm", "npm"];
const USAGE = `Usage: npm run release -- [options]

Writes archives, packages for Debian, Fedora and npm, SHA256SUMS, SBOM and provenance.

  --target NAME  make the release for this system only; repeatable: linux-x64, linux-arm64,
                 linux-x64-musl, linux-arm64-musl, darwin-x64, darwin-arm64, windows-x64
  --out FOLDER   where to write (default dist/release); whatever is there is removed
  --only KINDS   make only these: archive, deb, rpm, npm (separated by commas). deb needs Debian's
                 packages dpkg and binutils, rpm its package rpm
  --level N      compress archives with this level of zstd (default ${LEVEL_DEFAULT}, which takes a minute for each
                 system; 3 is quick)
  --check        make the same release again from a clone in another folder, and compare every byte

Environment:
  JOBCTL_SIGNING_KEY_FILE  secret key of minisign; without it the release is not signed
  JOBCTL_SIGNING_PASSWORD  its password
  JOBCTL_PUBLIC_KEY        public key that is built in (default: that of the secret key)
  SOURCE_DATE_EPOCH        time of everything, in seconds (default: that of the commit)`;

const { values } = parseArgs({
  options: {
    help: { type: "boolean", short: "h" },
    target: { type: "string", multiple: true, default: [] },
    out: { type: "string", default: join(ROOT, "dist", "release") },
    level: { type: "string", default: String(LEVEL_DEFAULT) },
    only: { type: "string", default: KINDS.join() },
    check: { type: "boolean" },
  },
});

if (values.help) {
  console.log(USAGE);
} else {
  const level = Number(values.level);
  if (!Number.isInteger(level) || level < 1 || level > 22) {
    throw new Error(`Cannot read --level "${values.level}": not a whole number from 1 to 22`);
  }
  const unknown = values.only.split(",").filter((kind) => !KINDS.includes(kind));
  if (unknown.length > 0) {
    throw new Error(`Cannot make "${unknown[0]}": not one of ${KINDS.join(", ")}`);
  }
  const args = [
    ...values.target.map((name) => `--target=${name}`),
    `--level=${level}`,
    `--only=${values.only}`,
  ];
  const out = resolve(values.out);
  // Before the release is made, which takes a while: the source may change meanwhile.
  const { commit, isChanged } = sourceFacts();
  if (values.check && isChanged) {
    throw new Error("Cannot check a release with changes: commit them first");
  }
  install();
  run("bun", ["scripts/release/main.mjs", `--out=${out}`, ...args], { env: signingEnvironment() });
  if (values.check) check(out, args, commit);
}

/** Make the release in a clone, and compare. */
function check(out, args, commit) {
  const folder = mkdtempSync(join(tmpdir(), "jobctl-release-"));
  try {
    const clone = join(folder, "a clone in a longer path");
    run("git", ["clone", "--quiet", "--no-hardlinks", ROOT, clone]);
    run("git", ["checkout", "--quiet", "--detach", commit], { cwd: clone });
    run("npm", ["ci", "--prefer-offline", "--no-fund", "--no-audit", "--loglevel=error"], {
      cwd: clone,
      stdio: ["ignore", 2, 2],
    });
    const again = join(folder, "again");
    run("node", ["scripts/release.mjs", `--out=${again}`, ...args], {
      cwd: clone,
      env: signingEnvironment(),
    });
    const different = differences(out, again);
    if (different.length > 0) {
      console.error(`Not the same in another folder: ${different.join(", ")}`);
      process.exitCode = 1;
      return;
    }
    console.log(`The same to the byte: ${filesIn(out).length} files`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Files that only one of two folders has, or that differ. */
function differences(one, other) {
  const names = new Set([...filesIn(one), ...filesIn(other)]);
  return [...names].sort().filter((name) => {
    const [a, b] = [one, other].map((folder) => {
      try {
        return readFileSync(join(folder, name));
      } catch {
        return null;
      }
    });
    return a === null || b === null || !a.equals(b);
  });
}

function filesIn(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((name) => statSync(join(folder, name)).isFile());
}
